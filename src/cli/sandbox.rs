//! `sandbox`: the vendor's API, simulated.

use std::time::Duration;

use clap::Args;

use super::context::Context;
use super::settings::{Rehearse, Settings};
use crate::error::Error;
use crate::exit_code::ExitCode;
use crate::job::quantity;
use crate::sandbox::{Faults, RateLimit, SANDBOX_KEY, SANDBOX_SECRET, Sandbox, SandboxOptions};

/// Arguments of `sandbox`.
#[derive(Args, Clone, Debug, PartialEq)]
pub struct SandboxArgs {
    /// Port on 127.0.0.1; 0 takes a free one and prints it
    #[arg(long, value_name = "N", default_value_t = 8787)]
    pub port: u16,
    /// Decides all content: same seed, same days, same bytes
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
    /// Answers are produced as a stream: 300000 makes answers of several hundred megabytes without
    /// holding them.
    #[arg(long, value_name = "N", default_value_t = 40)]
    pub calls_per_task: u32,
    /// Added to each answer's time, give or take a fifth
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = quantity::duration)]
    pub latency: Duration,
    /// Requests beyond this pace are refused with 429 and counted (`50/s`, or `50/s:10` with a burst)
    ///
    /// Without it everything is taken.
    #[arg(long, value_name = "PACE")]
    pub rate_limit: Option<RateLimit>,
    /// What goes wrong, and how often: `all:0.2`, or names such as `http_503,truncated:0.05`
    ///
    /// The number is the share of requests with a fault. The names are printed when one is unknown.
    #[arg(long, value_name = "KINDS[:SHARE]", default_value = "none")]
    pub faults: Faults,
    /// Settings.
    #[command(flatten)]
    pub settings: Settings<Rehearse>,
}

/// Listens until it is told to stop.
///
/// # Errors
/// When a setting is wrong or the port is taken.
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
         redial times are in Asia/Jakarta; what it saw: {url}/_sandbox/stats; stop it with Ctrl-C\n"
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
