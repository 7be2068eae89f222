//! A bucket brought from another gateway.

use std::io::{IsTerminal, stderr};
use std::time::Duration;

use anyhow::ensure;
use carob_http::api::{Pull, PullProgress, Pulled};
use carob_http::client::Client;
use carob_identity::Did;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::cli::{Gateway, Size, Source};
use crate::connect::{self, Credentials};
use crate::output::bytes;

pub(crate) async fn run(
    client: &Client,
    gateway: &Gateway,
    source: Source,
    name: Option<String>,
    history: bool,
    space: Option<Did>,
    max_bytes: Option<Size>,
) -> anyhow::Result<Pulled> {
    ensure!(!client.is_remote(), "a pull is asked of one's own gateway: without --endpoint");
    let Credentials { id, secret, region } = connect::credentials()?;
    let roots = match source.endpoint.starts_with("https:") {
        true => Some(String::from_utf8_lossy(&connect::roots(gateway.ca())?).into_owned()),
        false => None,
    };
    let name = name.unwrap_or_else(|| source.bucket.clone());
    let pull = Pull {
        endpoint: source.endpoint,
        bucket: source.bucket,
        access_key: id,
        secret_key: secret,
        region,
        roots,
        space: space.map(|space| space.to_string()),
        history,
        max_bytes: max_bytes.map(|Size(bytes)| bytes),
    };
    let bar = bar();
    let pulled = client.pull(&name, &pull, |progress| show(&bar, progress)).await;
    bar.finish_and_clear();
    Ok(pulled?)
}

/// A bar where somebody sees it: how many of the blocks that are known of are here.
fn bar() -> ProgressBar {
    if !stderr().is_terminal() {
        return ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
    }
    let bar = ProgressBar::new(0);
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} blocks, {msg} {elapsed}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

fn show(bar: &ProgressBar, PullProgress { fetched, bytes: count, skipped, left }: PullProgress) {
    bar.set_length(fetched + skipped + left);
    bar.set_position(fetched + skipped);
    bar.set_message(if left > 0 { bytes(count) } else { format!("{}, checking", bytes(count)) });
}

pub(crate) fn fields(pulled: &Pulled) -> Vec<(&'static str, String)> {
    let PullProgress { fetched, bytes: count, skipped, .. } = pulled.blocks;
    let verdict = match pulled.commits {
        0 => "nothing new".to_owned(),
        1 => "1 commit".to_owned(),
        many => format!("{many} commits"),
    };
    vec![
        ("pulled", format!("{verdict}, {fetched} blocks fetched, {skipped} here already, {}", bytes(count))),
        ("bucket", pulled.name.clone()),
        ("objects", pulled.objects.to_string()),
        ("space", pulled.space.clone()),
        ("from", pulled.from.clone()),
        ("commit", pulled.commit.clone()),
    ]
}
