//! Memory while large files go up and down in parts, several at a time, as clients do it by default.

use anyhow::Result;

use super::Site;
use crate::cargo;
use crate::gateway::Gateway;

pub(super) async fn run(site: &Site) -> Result<()> {
    println!("== memory: 4 GiB by the AWS CLI and by boto3");
    let data = cargo::temp_dir("memory-")?;
    let gateway = Gateway::start(&site.binary, &data.path().join("data")).await?;
    println!("idle: {} MB", gateway.peak_memory()? / 1_000_000);
    for step in ["make", "aws-up", "aws-down", "boto3-up", "boto3-down"] {
        site.step(&gateway, "large_memory", &[step], data.path()).await?;
    }
    gateway.stop().await
}
