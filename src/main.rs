//! The thin binary around the library: arguments, runtime, signals, error chain, exit code.

use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, PanicHookInfo};
use std::process::ExitCode;

use airudder_export::cli::context::Context;
use airudder_export::cli::dispatch::dispatch;
use airudder_export::cli::{self, Cli};
use airudder_export::error::Error;
use airudder_export::exit_code::ExitCode as Code;
use airudder_export::job::Environment;
#[cfg(any(debug_assertions, feature = "failpoints"))]
use airudder_export::job::environment::FAILPOINT;
use airudder_export::pipeline::{Stop, StopSwitch};
use airudder_export::privacy::{TerminalSafe, printable};
use tokio::signal::unix::{SignalKind, signal};

fn main() -> ExitCode {
    airudder_export::hardening::prepare();
    airudder_export::allocator::prepare();
    let cli = match Cli::read(std::env::args_os()) {
        Ok(cli) => cli,
        Err(error) => {
            // A closed standard output is no reason to complain about help.
            let _ = error.print();
            return cli::exit_code(&error).number().into();
        }
    };
    std::panic::set_hook(Box::new(admit));
    let code = match guarded(|| run(cli)) {
        None => Code::Bug,
        Some(Ok(code)) => code,
        Some(Err(error)) if is_broken_pipe(&error) => Code::Done,
        Some(Err(error)) => {
            complain(&error);
            error.exit_code()
        }
    };
    code.number().into()
}

/// What the work gives, or nothing if a bug stopped it.
fn guarded<T>(work: impl FnOnce() -> T) -> Option<T> {
    // Nothing it touched is used afterwards.
    std::panic::catch_unwind(AssertUnwindSafe(work)).ok()
}

/// Says that there is a bug, and where. Of its message only what stands in the program itself: a
/// text made at run time may hold what calls say.
fn admit(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string);
    let place = place.unwrap_or_else(|| "an unknown place".to_owned());
    let what = panic.payload().downcast_ref::<&'static str>();
    let what = what.map(|what| format!(" ({what})")).unwrap_or_default();
    say(&format!(
        "airudder-export: stopped by a bug at {place}{what}; what was committed is safe, the next \
         run goes on from there; please report it"
    ));
}

/// Writes a line to standard error, if anybody reads it: a closed pipe changes nothing of how the
/// command ended.
fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{}", printable(line));
}

fn run(cli: Cli) -> Result<Code, Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(io_threads())
        .enable_all()
        .build()
        .map_err(Error::Start)?;
    let mut out = results(&cli);
    let stop = StopSwitch::default();
    let env = Environment::capture();
    #[cfg(any(debug_assertions, feature = "failpoints"))]
    if let Some(point) = env.get(FAILPOINT).ok().flatten() {
        airudder_export::lake::arm(point).map_err(Error::Usage)?;
    }
    let mut context = Context {
        flags: cli.settings(),
        env,
        out: &mut out,
        stop: stop.clone(),
    };
    let ended = runtime.block_on(async {
        let signals = tokio::spawn(watch(stop));
        let ended = dispatch(cli, &mut context).await;
        signals.abort();
        ended
    });
    let flushed = match out.flush() {
        // Whoever read the result had enough of it. How the command ended stays true.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        flushed => flushed.map_err(Error::Output),
    };
    ended.and_then(|code| flushed.map(|()| code))
}

/// Standard output. What a terminal would obey is spelled out, except in lists of paths for
/// programs, which take them as they are.
fn results(cli: &Cli) -> Box<dyn Write + Send> {
    let out = BufWriter::new(io::stdout());
    if cli.command.lists_paths() && !io::stdout().is_terminal() {
        Box::new(out)
    } else {
        Box::new(TerminalSafe::new(out))
    }
}

/// Threads that receive, unpack and split answers: half as many as there are cores, since decoding has its
/// own. More of them wake each other up for nothing.
fn io_threads() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    cores.div_ceil(2)
}

/// The first signal stops the run, the second one ends the process at once.
async fn watch(stop: StopSwitch) -> io::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    loop {
        let why = tokio::select! {
            _ = interrupt.recv() => Stop::Interrupted,
            _ = terminate.recv() => Stop::Terminated,
        };
        if stop.is_stopped() {
            end_at_once(&why);
        }
        stop.stop(why);
    }
}

#[expect(
    clippy::exit,
    reason = "whoever asks twice does not want to wait; the next start recovers"
)]
fn end_at_once(why: &Stop) {
    let code = if *why == Stop::Interrupted {
        Code::Interrupted
    } else {
        Code::Terminated
    };
    std::process::exit(code.number().into());
}

fn is_broken_pipe(error: &Error) -> bool {
    matches!(error, Error::Output(source) if source.kind() == io::ErrorKind::BrokenPipe)
}

fn complain(error: &Error) {
    let lead = if error.is_sentence() {
        ""
    } else {
        "failed to "
    };
    let mut line = format!("airudder-export: {lead}{error}");
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        line.push_str(": ");
        line.push_str(&cause.to_string());
        source = cause.source();
    }
    say(&line);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_anywhere_below_is_a_bug_and_no_crash() {
        assert_eq!(guarded(|| 1), Some(1));
        assert_eq!(guarded(|| -> u8 { panic!("as told") }), None);
    }
}
