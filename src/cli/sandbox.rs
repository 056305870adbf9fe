//! The `sandbox` command: simulates the vendor's API.

use std::time::Duration;

use clap::Args;

use super::context::Context;
use super::error::Error;
use super::settings::{Rehearse, Settings};
use crate::exit_code::ExitCode;
use crate::job::quantity;
use crate::sandbox::{
    FaultFamily, FaultKind, Faults, RateLimit, SANDBOX_KEY, SANDBOX_SECRET, Sandbox, SandboxOptions,
};

/// Arguments of `sandbox`: its port, its content and its faults.
#[derive(Args, Clone, Debug, PartialEq)]
pub struct SandboxArgs {
    /// Port on 127.0.0.1; 0 takes a free one and prints it
    #[arg(long, value_name = "N", default_value_t = 8787)]
    pub port: u16,
    /// Determines all content: same seed, same days, same bytes
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Days with tasks, the last one yesterday
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=3660))]
    pub days: u32,
    /// Tasks scheduled on one day
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub tasks: u32,
    /// Calls of one task, on average
    ///
    /// Responses are streamed: 300000 makes responses of several hundred megabytes without holding
    /// them in memory.
    #[arg(long, value_name = "N", default_value_t = 40)]
    pub calls_per_task: u32,
    /// Latency added to each response, varied by up to a fifth
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = quantity::duration)]
    pub latency: Duration,
    /// Requests beyond this pace are refused with 429 and counted (`50/s`, or `50/s:10` with a burst)
    ///
    /// Without it, no request is refused.
    #[arg(long, value_name = "PACE")]
    pub rate_limit: Option<RateLimit>,
    /// What goes wrong, and how often: `all:0.2`, or names such as `http_503,total:page`
    #[arg(long, value_name = "KINDS[:SHARE]", default_value = "none", long_help = faults_help())]
    pub faults: Faults,
    /// Settings that `sandbox` takes as flags.
    #[command(flatten)]
    pub settings: Settings<Rehearse>,
}

/// The help of `--faults`: every kind, by family, in lines of at most 80 columns.
fn faults_help() -> String {
    /// 80 columns minus the help's own indent.
    const WIDTH: usize = 70;
    let mut text = "What goes wrong, and how often: `all:0.2`, `http_503,reset:0.05`, or \
        `all:0.05,total:page,item:no_id:0.1`\n\n\
        A name stands alone or with a share from 0 to 1. The share counts for the names of the \
        same family before it, too, together. A family's name (`total`) stands for all of its \
        kinds, and `all` for those of the first list. Some take a number: `total:off=-2`.\n\n\
        Requests fail and pass when they are repeated. Everything else is decided by the seed, \
        and stays.\n"
        .to_owned();
    for family in FaultFamily::ALL {
        let title = match family {
            FaultFamily::Request => "Requests that fail",
            FaultFamily::Gateway => "Something else answers in place of the vendor",
            FaultFamily::RetryAfter => "429 with less common forms of Retry-After",
            FaultFamily::Header => "Headers that break the rules",
            FaultFamily::Page => "Pages that are wrong, this time",
            FaultFamily::Total => "The total of a listing",
            FaultFamily::PageCap => "The size of its pages",
            FaultFamily::Cursor => "Paged by a cursor: parameter `cursor`, next one at /data/next",
            FaultFamily::Empty => "A page without items",
            FaultFamily::Workflow => "Workflows whose tasks can't be listed",
            FaultFamily::Item => "Items of both listings",
            FaultFamily::Status => "A task's status, as listed",
            FaultFamily::Start => "Its scheduled start, as listed",
            FaultFamily::End => "Its scheduled end, as listed",
            FaultFamily::Answer => "Its answer",
            FaultFamily::Json => "The JSON of a listing or an answer",
            FaultFamily::Gzip => "How it is compressed",
            FaultFamily::Date => "The clock in its headers",
        };
        let of = family.share_of();
        let share = match family.default_share() {
            share if share < 1.0 => format!("{share} of {of}"),
            _ => format!("all {of}"),
        };
        text.extend(["\n", title, " (", &share, " unless given):\n"]);
        let mut line = String::new();
        let mut kinds = family.kinds().map(shown).peekable();
        while let Some(kind) = kinds.next() {
            if !line.is_empty() && line.len() + kind.len() + 2 > WIDTH {
                text.extend([" ", &line, "\n"]);
                line.clear();
            }
            let comma = if kinds.peek().is_some() { "," } else { "" };
            line.extend([" ", &kind, comma]);
        }
        text.extend([" ", &line, "\n"]);
    }
    text
}

/// A name, with its default number.
fn shown(kind: FaultKind) -> String {
    match kind.default_number() {
        Some(number) => format!("{kind}={number}"),
        None => kind.to_string(),
    }
}

/// Listens until stopped.
///
/// # Errors
///
/// When a setting is invalid or the port is in use.
pub async fn run(args: &SandboxArgs, context: &mut Context<'_>) -> Result<ExitCode, Error> {
    let clock = context.clock()?;
    let options = SandboxOptions {
        port: args.port,
        seed: args.seed,
        tasks_per_day: args.tasks,
        calls_per_task: args.calls_per_task,
        latency: args.latency,
        rate_limit: args.rate_limit,
        faults: args.faults.clone(),
        ..SandboxOptions::days_before(clock, args.days)
    };
    let sandbox = Sandbox::start(options)
        .await
        .map_err(|source| Error::Sandbox {
            port: args.port,
            source,
        })?;
    let url = sandbox.url();
    let url = url.as_str().trim_end_matches('/');
    let hello = format!(
        "the sandbox listens on {url}\n\n\
         export AIRUDDER_BASE_URL={url}\n\
         export AIRUDDER_APP_KEY={SANDBOX_KEY}\n\
         export AIRUDDER_APP_SECRET={SANDBOX_SECRET}\n\n\
         redial times are in Asia/Jakarta; what it saw: {url}/_sandbox/stats;\n\
         what there is: {url}/_sandbox/truth; stop it with Ctrl-C\n"
    );
    context
        .out
        .write_all(hello.as_bytes())
        .map_err(Error::Output)?;
    context.out.flush().map_err(Error::Output)?;
    context.stop.token().cancelled().await;
    sandbox.stop().await;
    Ok(ExitCode::Done)
}
