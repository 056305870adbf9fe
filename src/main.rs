//! The binary: arguments, runtime, signals, error chain, exit code.

use std::ffi::OsString;
use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, PanicHookInfo};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

#[cfg(any(debug_assertions, feature = "failpoints"))]
use airudder_export::program::FAILPOINT;
use airudder_export::program::{
    self, Cli, Context, Environment, Error, ExitCode as Code, FEW_THREADS, Stop, StopSwitch,
    TerminalSafe, dispatch, end_line, guess_last_line, is_last_line_json, last_line, printable,
};
use tokio::signal::unix::{SignalKind, signal};

fn main() -> ExitCode {
    program::harden();
    program::prepare_allocator();
    std::panic::set_hook(Box::new(admit));
    let (arguments, env) = (std::env::args_os(), Environment::capture());
    let arguments: Vec<OsString> = arguments.collect();
    guess_last_line(&arguments, &env);
    let cli = match Cli::read(arguments) {
        Ok(cli) => {
            program::set_command(cli.command.name());
            cli
        }
        Err(error) => return misunderstood(&error).number().into(),
    };
    let code = match guarded(|| run(cli, env)) {
        None => Code::Bug,
        Some(Ok(code)) => code,
        Some(Err(error)) if is_broken_pipe(&error) => Code::Done,
        Some(Err(error)) => complain(&error),
    };
    // Code that runs out of threads or files may panic; the panic hook has already reported the
    // cause.
    let code = if code == Code::Bug && LIMITED.load(Ordering::Relaxed) {
        Code::Settings
    } else {
        code
    };
    conclude(None, code);
    code.number().into()
}

/// Reports a usage error, or prints the requested help.
fn misunderstood(error: &clap::Error) -> Code {
    let code = program::exit_code(error);
    if code == Code::Done || !is_last_line_json() {
        // A closed standard output is not an error for help.
        let _ = error.print();
        return code;
    }
    let text = error.render().to_string();
    let what = text.split("\n\n").next().unwrap_or_default();
    let what = what.strip_prefix("error: ").unwrap_or(what);
    say(&last_line("usage_error", &what.replace('\n', " "), code));
    code
}

/// Whether the system ran out of threads or open files.
static LIMITED: AtomicBool = AtomicBool::new(false);

/// Messages that mean there are no more open files.
const NO_FILES: [&str; 2] = ["Too many open files", "code: 24,"];

/// Messages of the runtime and the standard library that mean there are no more threads.
const NO_THREADS: [&str; 3] = [
    "OS can't spawn",
    "failed to spawn thread",
    "unable to spawn",
];

/// The result of `work`, or `None` if it panicked.
fn guarded<T>(work: impl FnOnce() -> T) -> Option<T> {
    // The state it touched is not used afterwards.
    std::panic::catch_unwind(AssertUnwindSafe(work)).ok()
}

/// Reports a bug and its location. Prints only messages that are literals of the program: a message
/// formatted at run time may contain call data.
fn admit(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string);
    let place = place.unwrap_or_else(|| "an unknown place".to_owned());
    let made = panic.payload().downcast_ref::<String>();
    let says =
        |words: &[&str]| made.is_some_and(|made| words.iter().any(|word| made.contains(word)));
    if says(&NO_FILES) {
        LIMITED.store(true, Ordering::Relaxed);
        let message = "failed to start: too many open files; raise the limit (ulimit -n)";
        say(&last_line("limit_reached", message, Code::Settings));
        return;
    }
    if says(&NO_THREADS) {
        LIMITED.store(true, Ordering::Relaxed);
        say(&last_line(
            "limit_reached",
            &format!("failed to start a thread: {FEW_THREADS}"),
            Code::Settings,
        ));
        return;
    }
    let what = panic.payload().downcast_ref::<&'static str>();
    let what = what.map(|what| format!(" ({what})")).unwrap_or_default();
    let message = format!(
        "stopped by a bug at {place}{what}; what was committed is safe, the next run continues from \
         there; please report it"
    );
    say(&last_line("bug", &message, Code::Bug));
}

/// Writes a line to standard error. A closed pipe does not change the exit code.
fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{}", printable(line));
}

fn run(cli: Cli, env: Environment) -> Result<Code, Error> {
    check_threads(io_threads() + SPARE_THREADS)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(io_threads())
        .enable_all()
        .build()
        .map_err(Error::Start)?;
    let mut out = results(&cli);
    let stop = StopSwitch::default();
    #[cfg(any(debug_assertions, feature = "failpoints"))]
    if let Some(point) = env.get(FAILPOINT).ok().flatten() {
        program::arm(point).map_err(Error::Usage)?;
    }
    let mut context = Context {
        flags: cli.settings(),
        env,
        out: &mut out,
        stop: stop.clone(),
    };
    let ended = runtime.block_on(async {
        let signals = tokio::spawn(watch(stop));
        let ended = Box::pin(dispatch(cli, &mut context)).await;
        signals.abort();
        ended
    });
    let flushed = match out.flush() {
        // The reader closed the pipe early. The exit code stays the same.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        flushed => flushed.map_err(Error::Output),
    };
    ended.and_then(|code| flushed.map(|()| code))
}

/// Standard output. Control characters are escaped, except in path lists for programs, which need
/// them unchanged.
fn results(cli: &Cli) -> Box<dyn Write + Send> {
    let out = BufWriter::new(io::stdout());
    if cli.command.is_for_programs() && !io::stdout().is_terminal() {
        Box::new(out)
    } else {
        Box::new(TerminalSafe::new(out))
    }
}

/// Threads that any command needs beside the runtime's: for files, host names and decoding.
const SPARE_THREADS: usize = 6;

/// Fails if the system provides too few threads, before any code waits for a missing one.
fn check_threads(count: usize) -> Result<(), Error> {
    let mut held = Vec::new();
    for _ in 0..count {
        let (release, wait) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::Builder::new().stack_size(64 << 10);
        // The thread ends when the sender is dropped.
        let started = thread.spawn(move || wait.recv().is_err());
        let started = started.map_err(|source| Error::Threads { count, source })?;
        held.push((release, started));
    }
    for (release, started) in held {
        drop(release);
        let _ = started.join();
    }
    Ok(())
}

/// Threads that receive, decompress and split responses: half the number of cores, since decoding
/// has its own pool. More threads only cause needless wake-ups.
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
    reason = "a second signal asks to end without waiting; the next start recovers"
)]
fn end_at_once(why: &Stop) {
    let code = if *why == Stop::Interrupted {
        Code::Interrupted
    } else {
        Code::Terminated
    };
    if is_last_line_json() {
        conclude(Some("stopped at once by a second signal"), code);
    }
    std::process::exit(code.number().into());
}

fn is_broken_pipe(error: &Error) -> bool {
    matches!(error, Error::Output(source) if source.kind() == io::ErrorKind::BrokenPipe)
}

/// Prints the error and returns its exit code.
fn complain(error: &Error) -> Code {
    let code = error.exit_code();
    conclude(Some(&error.line()), code);
    code
}

/// Writes the line with which the command ends, if it is not written yet.
fn conclude(error: Option<&str>, code: Code) {
    if let Some(line) = end_line(error, code) {
        say(&line);
    }
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
