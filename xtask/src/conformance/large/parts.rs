//! As many parts as an upload may have.

use std::path::Path;

use anyhow::Result;

use super::Site;
use crate::cargo;
use crate::gateway::Gateway;

pub(super) async fn run(site: &Site) -> Result<()> {
    println!("== parts: an upload of 10,000");
    let data = cargo::temp_dir("parts-")?;
    let gateway = Gateway::start(&site.binary, &data.path().join("data")).await?;
    site.step(&gateway, "large_parts", &[], data.path()).await?;
    println!("disk used by the gateway: {} MB", disk_use(gateway.data())? / 1_000_000);
    gateway.stop().await
}

/// Bytes of all files below `dir`.
fn disk_use(dir: &Path) -> Result<u64> {
    let mut sum = 0;
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let about = entry.metadata()?;
        sum += if about.is_dir() { disk_use(&entry.path())? } else { about.len() };
    }
    Ok(sum)
}
