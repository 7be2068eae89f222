//! What bounds a large PUT, whatever the server: MD5, and the disk.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use md5::{Digest, Md5};

use crate::s3::Stamped;

/// Takes bodies as a server would, in turns with the servers: what the disk can do changes from one moment to the next.
#[derive(Clone, Debug)]
pub(super) enum Bound {
    /// Hashes them.
    Md5,
    /// Appends them to a file, and flushes it after each.
    Disk(Arc<File>),
}

impl Bound {
    pub(super) fn disk(dir: &Path) -> Result<Self> {
        Ok(Self::Disk(Arc::new(File::create(dir.join("written"))?)))
    }

    pub(super) async fn put(&self, body: Stamped) -> Result<()> {
        let bound = self.clone();
        Ok(tokio::task::spawn_blocking(move || bound.take(body)).await??)
    }

    fn take(&self, mut body: Stamped) -> io::Result<()> {
        let runs = std::iter::from_fn(|| Some(body.next_run()).filter(|run| !run.is_empty()));
        match self {
            Self::Md5 => {
                let mut md5 = Md5::new();
                runs.for_each(|run| md5.update(&run));
                std::hint::black_box(md5.finalize());
                Ok(())
            }
            Self::Disk(file) => {
                let mut file = &**file;
                for run in runs {
                    file.write_all(&run)?;
                }
                file.sync_data()
            }
        }
    }
}
