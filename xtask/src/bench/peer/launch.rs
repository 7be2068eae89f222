//! Starting the servers that are not ours.

use std::ffi::OsString;
use std::fs::File;
use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::Peer;
use crate::cargo;
use crate::s3::{Client, Credentials};

/// A server that has not ended by then is killed.
const STOP_LIMIT: Duration = Duration::from_secs(20);

/// A running server. Dropping it kills the process.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    endpoint: String,
}

/// Garage takes keys of its own form alone.
fn credentials() -> Credentials {
    Credentials {
        access_key: "GK0123456789abcdef01234567".into(),
        secret_key: "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef".into(),
    }
}

impl Process {
    /// Starts `program` on a free port with its data in `dir`, which is empty.
    pub(super) fn start(peer: Peer, other: bool, program: &Path, dir: &Path) -> Result<Self> {
        let address = format!("127.0.0.1:{}", free_port()?);
        let data = dir.join("data");
        std::fs::create_dir(&data)?;
        let (arguments, variables) = arguments(peer, other, dir, &data, &address)?;
        let log = File::options().append(true).create(true).open(cargo::scratch()?.join("peers.log"))?;
        let child = Command::new(program)
            .args(arguments)
            .envs(variables)
            .current_dir(dir)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        Ok(Self { child, endpoint: format!("http://{address}") })
    }

    pub(super) fn client(&self) -> Result<Client> {
        Client::new(&self.endpoint, credentials())
    }

    pub(super) fn pid(&self) -> Result<u32> {
        self.child.id().context("the server is not running")
    }

    pub(super) fn still_runs(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            Some(status) => bail!("it ended with {status}; target/xtask/peers.log says why"),
            None => Ok(()),
        }
    }

    pub(super) async fn stop(mut self) -> Result<()> {
        let pid = self.pid()?.to_string();
        Command::new("kill").args(["-TERM", &pid]).status().await?;
        if timeout(STOP_LIMIT, self.child.wait()).await.is_err() {
            self.child.kill().await?;
        }
        Ok(())
    }
}

/// Taken by nobody now.
fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

type Variables = Vec<(&'static str, String)>;

fn arguments(
    peer: Peer,
    other: bool,
    dir: &Path,
    data: &Path,
    address: &str,
) -> Result<(Vec<OsString>, Variables)> {
    let Credentials { access_key, secret_key } = credentials();
    let (host, port) = address.rsplit_once(':').context("no port")?;
    let strings = |all: &[&str]| all.iter().map(OsString::from).collect::<Vec<_>>();
    Ok(match peer {
        Peer::Carob | Peer::Engine | Peer::Md5 | Peer::Disk => bail!("{peer:?} is started in another way"),
        Peer::Null => (strings(&[address, &access_key, &secret_key]), Vec::new()),
        Peer::S3sFs => {
            let keys = ["--access-key", &access_key, "--secret-key", &secret_key];
            let mut all = strings(&["--host", host, "--port", port]);
            all.extend(strings(&keys));
            all.push(data.into());
            (all, vec![("RUST_LOG", "warn".into())])
        }
        Peer::Garage => {
            let config = dir.join("garage.toml");
            std::fs::write(&config, garage_config(data, address, other)?)?;
            let mut all = strings(&["-c"]);
            all.push(config.into());
            all.extend(strings(&["server", "--single-node", "--default-access-key"]));
            let keys = [
                ("GARAGE_DEFAULT_ACCESS_KEY", access_key),
                ("GARAGE_DEFAULT_SECRET_KEY", secret_key),
                ("RUST_LOG", "warn".into()),
            ];
            (all, keys.into())
        }
        Peer::Minio => {
            let mut all = strings(&["server", "--quiet", "--address", address]);
            all.push(data.into());
            let mut variables = vec![
                ("MINIO_ROOT_USER", access_key),
                ("MINIO_ROOT_PASSWORD", secret_key),
                ("MINIO_BROWSER", "off".into()),
                ("MINIO_UPDATE", "off".into()),
            ];
            variables.extend(other.then(|| ("MINIO_FS_OSYNC", "on".into())));
            (all, variables)
        }
        Peer::Versitygw => {
            let mut all = strings(&["--quiet", "--access", &access_key, "--secret", &secret_key]);
            all.extend(strings(&["--port", address, "posix"]));
            all.push(data.into());
            (all, Vec::new())
        }
    })
}

fn garage_config(data: &Path, address: &str, fsync: bool) -> Result<String> {
    let (data, rpc) = (data.display(), free_port()?);
    Ok(format!(
        r#"metadata_dir = "{data}/meta"
data_dir = "{data}/data"
db_engine = "lmdb"
metadata_fsync = {fsync}
data_fsync = {fsync}
replication_factor = 1
rpc_bind_addr = "127.0.0.1:{rpc}"
rpc_public_addr = "127.0.0.1:{rpc}"
rpc_secret = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

[s3_api]
s3_region = "us-east-1"
api_bind_addr = "{address}"
root_domain = ".s3.localhost"
"#
    ))
}
