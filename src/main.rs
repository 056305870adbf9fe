//! The thin binary around the library: arguments, runtime, signals, error chain, exit code.

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
    TerminalSafe, dispatch, guess_last_line, is_last_line_json, last_line, printable,
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
        Ok(cli) => cli,
        Err(error) => return misunderstood(&error).number().into(),
    };
    let code = match guarded(|| run(cli, env)) {
        None => Code::Bug,
        Some(Ok(code)) => {
            if code != Code::Done && is_last_line_json() {
                say(&last_line("ended without doing all of it", code));
            }
            code
        }
        Some(Err(error)) if is_broken_pipe(&error) => Code::Done,
        Some(Err(error)) => complain(&error),
    };
    // A thread or a file that the system did not give ends as a panic somewhere; the hook has said what it is.
    let code = if code == Code::Bug && LIMITED.load(Ordering::Relaxed) {
        Code::Settings
    } else {
        code
    };
    code.number().into()
}

/// Says why there is no command, or prints the help that was asked for.
fn misunderstood(error: &clap::Error) -> Code {
    let code = program::exit_code(error);
    if code == Code::Done || !is_last_line_json() {
        // A closed standard output is no reason to complain about help.
        let _ = error.print();
        return code;
    }
    let text = error.render().to_string();
    let what = text.split("\n\n").next().unwrap_or_default();
    let what = what.strip_prefix("error: ").unwrap_or(what);
    say(&last_line(&what.replace('\n', " "), code));
    code
}

/// The system gave no more threads, or open files.
static LIMITED: AtomicBool = AtomicBool::new(false);

/// The same of open files.
const NO_FILES: [&str; 2] = ["Too many open files", "code: 24,"];

/// How the runtime and the standard library say so.
const NO_THREADS: [&str; 3] = [
    "OS can't spawn",
    "failed to spawn thread",
    "unable to spawn",
];

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
    let made = panic.payload().downcast_ref::<String>();
    let says =
        |words: &[&str]| made.is_some_and(|made| words.iter().any(|word| made.contains(word)));
    if says(&NO_FILES) {
        LIMITED.store(true, Ordering::Relaxed);
        let message = "failed to start: too many open files; raise the limit (ulimit -n)";
        say(&last_line(message, Code::Settings));
        return;
    }
    if says(&NO_THREADS) {
        LIMITED.store(true, Ordering::Relaxed);
        say(&last_line(
            &format!("failed to start a thread: {FEW_THREADS}"),
            Code::Settings,
        ));
        return;
    }
    let what = panic.payload().downcast_ref::<&'static str>();
    let what = what.map(|what| format!(" ({what})")).unwrap_or_default();
    let message = format!(
        "stopped by a bug at {place}{what}; what was committed is safe, the next run goes on from \
         there; please report it"
    );
    say(&last_line(&message, Code::Bug));
}

/// Writes a line to standard error, if anybody reads it: a closed pipe changes nothing of how the
/// command ended.
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

/// Threads beside those of the runtime that any command needs to get through: for files, names of
/// hosts and decoding.
const SPARE_THREADS: usize = 6;

/// Fails where the system gives too few threads, before anything waits for one that never comes.
fn check_threads(count: usize) -> Result<(), Error> {
    let mut held = Vec::new();
    for _ in 0..count {
        let (release, wait) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::Builder::new().stack_size(64 << 10);
        // It ends when it hears that nobody will say anything.
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
    if is_last_line_json() {
        say(&last_line("stopped at once by a second signal", code));
    }
    std::process::exit(code.number().into());
}

fn is_broken_pipe(error: &Error) -> bool {
    matches!(error, Error::Output(source) if source.kind() == io::ErrorKind::BrokenPipe)
}

/// Says how it failed, and gives the exit code.
fn complain(error: &Error) -> Code {
    let code = error.exit_code();
    let lead = if error.is_sentence() {
        ""
    } else {
        "failed to "
    };
    let mut line = format!("{lead}{error}");
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        line.push_str(": ");
        line.push_str(&cause.to_string());
        source = cause.source();
    }
    // Wherever the system said so, settings and reports among them.
    if line.contains("(os error 24)") && !line.contains("ulimit -n") {
        line.push_str("; raise the limit (ulimit -n)");
    }
    say(&last_line(&line, code));
    code
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
