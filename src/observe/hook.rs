//! `hooks.on_success` and `hooks.on_failure`: a command of the user's, after a run.
//!
//! It is started without a shell, gets the facts of the run in its environment and nothing on its
//! standard input, and is killed with all it started when it takes too long. What it prints goes to
//! standard error, unless that holds JSON lines.

use std::io;
use std::process::Stdio;

use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::delivery::warn;
use super::outcome::RunOutcome;
use crate::exit_code::ExitCode;
use crate::job::environment::{HOOK_FACTS, HOOK_PREFIX, SECRETS};
use crate::job::{Job, LogFormat, words};

/// Starts the command for this outcome, if there is one, and waits for its end.
pub(super) async fn run(job: &Job, outcome: &RunOutcome) {
    let hooks = &job.observe.hooks;
    let (setting, command) = match outcome.code {
        ExitCode::Done => ("hooks.on_success", &hooks.on_success),
        _ => ("hooks.on_failure", &hooks.on_failure),
    };
    let Some((program, arguments)) = command.split_first() else {
        return;
    };
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    #[cfg(unix)]
    command.process_group(0);
    for name in SECRETS {
        command.env_remove(name);
    }
    for (fact, value) in HOOK_FACTS.iter().zip(facts(outcome)) {
        command.env(format!("{HOOK_PREFIX}{fact}"), value);
    }
    let ended = match printing_to(job.output.log_format, &mut command) {
        Ok(()) => command.spawn(),
        Err(error) => Err(error),
    };
    let mut child = match ended {
        Ok(child) => child,
        Err(error) => {
            let hint = words::hint(program, &error);
            let text = format!("`{setting}` could not be started: {error}{hint}");
            return warn("hook_failed", &text);
        }
    };
    let problem = match timeout(hooks.timeout, child.wait()).await {
        Ok(Ok(status)) if status.success() => return,
        Ok(Ok(status)) => format!("`{setting}` ended with {status}"),
        Ok(Err(error)) => format!("`{setting}` was lost: {error}"),
        Err(_) => {
            kill(&mut child).await;
            format!(
                "`{setting}` took longer than `hooks.timeout` ({} s) and was killed",
                hooks.timeout.as_secs_f64()
            )
        }
    };
    warn("hook_failed", &problem);
}

/// Kills the command and what it started.
async fn kill(child: &mut Child) {
    #[cfg(unix)]
    if let Some(id) = child.id().and_then(|id| i32::try_from(id).ok())
        && let Some(group) = rustix::process::Pid::from_raw(id)
    {
        // It may have ended just now.
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    // As above.
    let _ = child.kill().await;
}

fn printing_to(form: LogFormat, command: &mut Command) -> io::Result<()> {
    match form {
        LogFormat::Json => command.stdout(Stdio::null()).stderr(Stdio::null()),
        LogFormat::Text => {
            use std::os::fd::AsFd as _;
            let stderr = io::stderr().as_fd().try_clone_to_owned()?;
            command.stdout(Stdio::from(stderr)).stderr(Stdio::inherit())
        }
    };
    Ok(())
}

/// The facts, in the order of [`HOOK_FACTS`].
fn facts(outcome: &RunOutcome) -> [String; HOOK_FACTS.len()] {
    let time = |time: chrono::DateTime<chrono::Utc>| {
        time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
    };
    let count = |pointer: &str| {
        outcome
            .of_report(pointer)
            .as_u64()
            .unwrap_or_default()
            .to_string()
    };
    [
        outcome.run_id.to_string(),
        outcome.command.to_owned(),
        outcome.code.number().to_string(),
        outcome.word().to_owned(),
        // The environment can't hold a zero byte.
        outcome.reason().replace('\0', " "),
        outcome.code.advice().to_owned(),
        outcome.dest.replace('\0', " "),
        time(outcome.started_at),
        time(outcome.ended_at),
        outcome.seconds().to_string(),
        outcome.rows().to_string(),
        count("/tasks/failed"),
        count("/rejects"),
    ]
}
