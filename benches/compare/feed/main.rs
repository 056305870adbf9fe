//! The comparison's data and the server that hands it out: `feed generate` and `feed serve`.
//!
//! The server costs as little as can be had: answers lie ready in one file and go out with
//! sendfile, listings are made from an index in memory, a thread serves each connection.

#[allow(dead_code, reason = "whole answers are for the micro benches")]
#[path = "../answers.rs"]
mod answers;
mod generate;
mod serve;

use std::io;
use std::path::PathBuf;

use answers::Shape;

fn main() -> io::Result<()> {
    let mut args = std::env::args().skip(1);
    let command = args.next().unwrap_or_default();
    let mut options = std::collections::HashMap::new();
    while let Some(name) = args.next() {
        options.insert(name, args.next().unwrap_or_default());
    }
    let number = |name: &str, default: u64| {
        options
            .get(name)
            .and_then(|text| text.parse().ok())
            .unwrap_or(default)
    };
    let data = PathBuf::from(options.get("--data").cloned().unwrap_or_default());
    match command.as_str() {
        "generate" => generate::generate(
            &data,
            Shape {
                tasks: number("--tasks", 1000),
                calls: number("--calls", 200),
                tasks_per_workflow: number("--tasks-per-workflow", 50),
                days: number("--days", 30),
                call_days: number("--call-days", 1),
            },
        ),
        "serve" => serve::serve(&data, number("--latency-ms", 0), number("--times", 1)),
        // `cargo bench` starts every bench.
        _ => Ok(()),
    }
}
