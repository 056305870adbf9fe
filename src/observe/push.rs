//! `metrics.push`: the figures for a Prometheus pushgateway.

use reqwest::Method;

use super::delivery::warn;
use super::exposition::Exposition;
use super::http::{Message, send};
use crate::job::{Address, append_path};

/// The group of an address without a path.
const GROUP: &str = "metrics/job/airudder_export";

/// Pushes the figures of a command to its group. Figures that are not pushed this time, such as the
/// last success of a lake that can't be read, keep their value (`POST`).
pub(super) async fn push(address: &Address, figures: &Exposition, command: &str) {
    let message = Message {
        content_type: Some("text/plain; version=0.0.4; charset=utf-8"),
        body: figures.text().into_bytes(),
        ..Message::default()
    };
    let to = of_command(address, command);
    if let Err(problem) = send(Method::POST, &to, message).await {
        let text = format!("`metrics.push` ({}) failed: {problem}", address.shown);
        warn("not_told", &text);
    }
}

/// The address of the group. Each command has its own, or it would replace the figures of others.
fn of_command(address: &Address, command: &str) -> Address {
    address.with(|url| {
        if !url.path().contains("/metrics/job") {
            append_path(url, GROUP);
        }
        if !url.path().contains("/command/") {
            append_path(url, &format!("command/{command}"));
        }
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("http://host:9091", "/metrics/job/airudder_export/command/run")]
    #[case("http://host/base/", "/base/metrics/job/airudder_export/command/run")]
    #[case(
        "http://host/metrics/job/x/site/y/",
        "/metrics/job/x/site/y/command/run"
    )]
    #[case("http://host/metrics/job/x/command/all", "/metrics/job/x/command/all")]
    fn each_command_has_its_group(#[case] address: &str, #[case] path: &str) {
        let address = Address::read(address).expect("valid");
        assert_eq!(of_command(&address, "run").url().path(), path);
    }
}
