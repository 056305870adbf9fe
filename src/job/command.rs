//! Runs the command that prints the account's secret: `api.app_secret_command`.
//!
//! No shell is involved. What the command prints on standard output is the secret and is never
//! shown; what it prints on standard error is shown when it fails, without the secret and without
//! control characters. It never waits longer than `api.app_secret_command_timeout`.

use std::io::{self, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use super::words;
use crate::privacy::{is_unprintable, looks_like_data};

/// A longer output is no secret.
pub(super) const MAX_SECRET_BYTES: usize = 16 * 1024;
/// As much of its standard error is read.
const MAX_COMPLAINT_BYTES: usize = 64 * 1024;
/// As much of its standard error is shown.
const SHOWN_COMPLAINT_CHARS: usize = 300;
/// How often a running command is looked after.
const LOOK: Duration = Duration::from_millis(10);
/// How long output may take to arrive after its end, if a process that it started holds the pipes.
const AFTER_END: Duration = Duration::from_secs(1);

/// What the command prints on standard output, without the white space around it.
///
/// # Errors
/// What went wrong; never with anything from its standard output.
pub(super) fn output(words: &[String], limit: Duration) -> Result<Zeroizing<String>, String> {
    let [program, arguments @ ..] = words else {
        return Err("it names no program".to_owned());
    };
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| start_problem(program, &error))?;
    let stdout = read(child.stdout.take(), MAX_SECRET_BYTES + 1);
    let stderr = read(child.stderr.take(), MAX_COMPLAINT_BYTES);
    let ended = wait(&mut child, limit);
    let (stdout, stderr) = match ended {
        Ok(Some(_)) => (taken(&stdout), taken(&stderr)),
        // A process that it started may hold the pipes for ever.
        Ok(None) | Err(_) => (Zeroizing::default(), Zeroizing::default()),
    };
    let secret = Zeroizing::new(String::from_utf8_lossy(&stdout).trim().to_owned());
    match ended.map_err(|error| format!("it cannot be waited for: {error}"))? {
        None => Err(format!(
            "it did not end within {}; `api.app_secret_command_timeout` sets how long it may take",
            seconds(limit)
        )),
        Some(status) if !status.success() => Err(format!(
            "{}{}",
            how(status),
            complaint(&String::from_utf8_lossy(&stderr), &secret)
        )),
        Some(_) if stdout.len() > MAX_SECRET_BYTES => Err(format!(
            "it printed more than {} KiB on standard output, which is no secret",
            MAX_SECRET_BYTES / 1024
        )),
        Some(_) if std::str::from_utf8(&stdout).is_err() => {
            Err("what it printed on standard output is not Unicode".to_owned())
        }
        Some(_) if secret.is_empty() => Err(format!(
            "it printed nothing on standard output{}",
            complaint(&String::from_utf8_lossy(&stderr), "")
        )),
        Some(_) => Ok(secret),
    }
}

fn start_problem(program: &str, error: &io::Error) -> String {
    let shown = if looks_like_data(program) {
        "the program".to_owned()
    } else {
        format!("`{program}`")
    };
    let hint = words::hint(program, error);
    format!("{shown} cannot be started: {error}{hint}")
}

/// Reads a pipe on a thread of its own, so that a full one never holds up the command. The thread
/// ends with the pipe; the receiver may stop waiting earlier.
fn read(pipe: Option<impl Read + Send + 'static>, most: usize) -> Receiver<Zeroizing<Vec<u8>>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let Some(mut pipe) = pipe else { return };
        // Allocated at once: a growing buffer would leave copies of the secret in memory.
        let mut bytes = Zeroizing::new(Vec::with_capacity(most));
        let kept = pipe.by_ref().take(most as u64).read_to_end(&mut bytes);
        let _ = sender.send(bytes);
        if kept.is_ok() {
            let _ = io::copy(&mut pipe, &mut io::sink());
        }
    });
    receiver
}

fn taken(receiver: &Receiver<Zeroizing<Vec<u8>>>) -> Zeroizing<Vec<u8>> {
    receiver.recv_timeout(AFTER_END).unwrap_or_default()
}

/// How it ended, or nothing if it was ended because it took too long.
fn wait(child: &mut Child, limit: Duration) -> io::Result<Option<ExitStatus>> {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if started.elapsed() >= limit {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(LOOK);
    }
}

fn how(status: ExitStatus) -> String {
    match status.code() {
        Some(code) => format!("it ended with exit code {code}"),
        None => "it was ended by a signal".to_owned(),
    }
}

/// Its standard error as one line, without the secret.
fn complaint(stderr: &str, secret: &str) -> String {
    let mut text = stderr.to_owned();
    // A shorter one may be part of any word.
    for word in secret.split_whitespace().filter(|word| word.len() >= 4) {
        text = text.replace(word, "[secret]");
    }
    let line: String = text
        .split(|c: char| c.is_whitespace() || is_unprintable(c))
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ");
    if line.is_empty() {
        return ", and said nothing on standard error".to_owned();
    }
    let shown: String = line.chars().take(SHOWN_COMPLAINT_CHARS).collect();
    let more = if shown.len() < line.len() { "…" } else { "" };
    format!("; it said: {shown}{more}")
}

fn seconds(limit: Duration) -> String {
    format!("{} s", limit.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[cfg(unix)]
    fn shell(script: &str, limit: Duration) -> Result<String, String> {
        let words = ["sh", "-c", script].map(str::to_owned);
        output(&words, limit).map(|secret| secret.to_string())
    }

    #[cfg(unix)]
    #[rstest]
    #[case("printf 'marked-secret\\n'", "marked-secret")]
    #[case("printf 'marked-secret\\r\\n\\n'", "marked-secret")]
    #[case("echo careful >&2; echo two words", "two words")]
    // More on standard error than a pipe takes.
    #[case("head -c 1000000 /dev/zero >&2; echo s", "s")]
    fn its_standard_output_is_the_secret(#[case] script: &str, #[case] secret: &str) {
        assert_eq!(shell(script, Duration::from_mins(1)).as_deref(), Ok(secret));
    }

    #[cfg(unix)]
    #[rstest]
    #[case(
        "echo marked-secret; echo 'no marked-secret here' >&2; exit 3",
        "exit code 3; it said: no [secret] here"
    )]
    #[case("printf 'a\\033[31m\\nb' >&2; exit 1", "it said: a [31m b")]
    #[case("exit 1", "said nothing")]
    #[case("kill -9 $$", "by a signal")]
    #[case("echo why >&2", "printed nothing on standard output; it said: why")]
    #[case("head -c 20000 /dev/zero | tr '\\0' m", "more than 16 KiB")]
    #[case("printf '\\377'", "not Unicode")]
    fn what_fails_is_told_without_the_secret(#[case] script: &str, #[case] part: &str) {
        let error = shell(script, Duration::from_mins(1)).expect_err("no secret");
        assert!(error.contains(part), "{error}");
        assert!(!error.contains("marked-secret"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn one_that_never_ends_is_ended() {
        let error = shell("exec sleep 1000", Duration::from_millis(50)).expect_err("ended");
        assert!(
            error.contains("`api.app_secret_command_timeout`"),
            "{error}"
        );
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let words = ["not-there-at-all show"].map(str::to_owned);
        let error = output(&words, Duration::from_secs(1)).expect_err("not there");
        assert!(
            error.contains("`not-there-at-all show` cannot be started")
                && error.contains("a text of its own"),
            "{error}"
        );
        assert!(output(&[], Duration::from_secs(1)).is_err());
    }
}
