//! A crash run must notice a disk that lies about flushing, or it proves nothing.

use std::sync::Arc;

use super::plan::Plan;
use super::{power_cut, run};
use crate::unflushed::Unflushed;

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_lies_about_flushing_is_caught() {
    let mut machine = power_cut::Machine::on(1, |disk| Arc::new(Unflushed(Arc::new(disk))));
    let ran = run::run(&Plan::new(1), 0..5, None, &mut machine).await;
    assert!(ran.is_err(), "five power cuts over an unflushed disk lost nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_honest_disk_loses_nothing() {
    let mut machine = power_cut::Machine::on(1, |disk| Arc::new(disk));
    run::run(&Plan::new(1), 0..2, None, &mut machine).await.unwrap();
}
