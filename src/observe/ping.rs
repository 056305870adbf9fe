//! `hooks.ping`: a dead man's switch, which reports a run that does not come.

use reqwest::Method;

use super::delivery::warn;
use super::http::{Message, send};
use crate::exit_code::ExitCode;
use crate::job::{Address, append_path};

/// Says that a run begins.
pub(super) async fn start(address: &Address) {
    get(address, Some("start")).await;
}

/// Says how it ended.
pub(super) async fn end(address: &Address, code: ExitCode) {
    get(address, (code != ExitCode::Done).then_some("fail")).await;
}

async fn get(address: &Address, word: Option<&str>) {
    let to = address.with(|url| {
        if let Some(word) = word {
            append_path(url, word);
        }
    });
    if let Err(problem) = send(Method::GET, &to, Message::default()).await {
        let text = format!("`hooks.ping` ({}) failed: {problem}", address.shown);
        warn("not_told", &text);
    }
}
