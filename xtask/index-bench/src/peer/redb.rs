//! redb.

use redb::backends::InMemoryBackend;
use redb::{Database, ReadableDatabase, TableDefinition};

use super::{Batch, Peer};

const TABLE: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("entries");

/// A copy-on-write B-tree with commits, in memory: no hashes, no history.
pub struct Redb(Database);

impl Redb {
    pub fn new() -> Self {
        let backend = InMemoryBackend::new();
        Self(Database::builder().create_with_backend(backend).expect("a database in memory"))
    }

    fn write(&self, pairs: &mut dyn Iterator<Item = (Vec<u8>, Vec<u8>)>) {
        let write = self.0.begin_write().expect("a transaction");
        let mut table = write.open_table(TABLE).expect("a table");
        for (key, value) in pairs {
            table.insert(key.as_slice(), value.as_slice()).expect("a put");
        }
        drop(table);
        write.commit().expect("a commit");
    }
}

impl Peer for Redb {
    fn load(&mut self, pairs: &mut dyn Iterator<Item = (Vec<u8>, Vec<u8>)>) {
        self.write(pairs);
    }

    fn put(&mut self, batch: Batch) {
        self.write(&mut batch.into_iter());
    }

    fn get(&self, key: &[u8]) -> bool {
        let table = self.0.begin_read().expect("a transaction").open_table(TABLE).expect("a table");
        table.get(key).expect("a read").is_some_and(|value| value.value().len() > 2)
    }

    fn page(&self, start: &[u8], most: usize) -> usize {
        let table = self.0.begin_read().expect("a transaction").open_table(TABLE).expect("a table");
        let range = table.range(start..).expect("a range").take(most);
        range
            .filter(|pair| {
                pair.as_ref().is_ok_and(|(key, value)| !key.value().is_empty() && value.value().len() > 2)
            })
            .count()
    }

    fn stored(&self) -> Option<u64> {
        let write = self.0.begin_write().expect("a transaction");
        let stats = write.stats().expect("statistics");
        Some(stats.stored_bytes() + stats.metadata_bytes() + stats.fragmented_bytes())
    }
}
