//! Runs a command that prints a secret: `api.app_secret_command`, `store.credential_command`.
//!
//! No shell is involved. What the command prints on standard output is the secret and is never
//! shown; what it prints on standard error is shown when it fails, without the secret and without
//! control characters ([`complaint`]). It never waits longer than its setting allows.

use std::io::{self, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use super::complaint::complaint;
use super::words;
use crate::privacy::looks_like_data;

/// A longer output is no secret.
const MAX_SECRET_BYTES: usize = 16 * 1024;
/// As much of its standard error is read.
const MAX_COMPLAINT_BYTES: usize = 64 * 1024;
/// How often a running command is looked after.
const LOOK: Duration = Duration::from_millis(10);
/// How long output may take to arrive after its end, if a process that it started holds the pipes.
const AFTER_END: Duration = Duration::from_secs(1);

/// A command that prints a secret.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SecretCommand<'a> {
    /// A program and its arguments.
    pub(crate) words: &'a [String],
    /// It is ended when it takes longer.
    pub(crate) limit: Duration,
    /// The setting that sets the limit.
    pub(crate) limit_setting: &'static str,
    /// Variables that it does not get.
    pub(crate) without: &'static [&'static str],
}

/// Why a command printed no secret. Shown as a fragment whose subject is the command; never with
/// anything from its standard output.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{what}")]
pub(crate) struct CommandError {
    what: String,
    /// Its exit code, if it ended by itself.
    pub(crate) code: Option<i32>,
    /// Whether the program does not exist.
    pub(crate) is_not_there: bool,
}

impl From<String> for CommandError {
    fn from(what: String) -> Self {
        Self {
            what,
            code: None,
            is_not_there: false,
        }
    }
}

impl SecretCommand<'_> {
    /// What the command prints on standard output, without the white space around it. Blocks until it
    /// has ended.
    ///
    /// # Errors
    /// What went wrong.
    pub(crate) fn output(&self) -> Result<Zeroizing<String>, CommandError> {
        let [program, arguments @ ..] = self.words else {
            return Err("it names no program".to_owned().into());
        };
        let mut command = Command::new(program);
        command.args(arguments);
        for name in self.without {
            command.env_remove(name);
        }
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| CommandError {
                what: start_problem(program, &error),
                code: None,
                is_not_there: error.kind() == io::ErrorKind::NotFound,
            })?;
        let stdout = read(child.stdout.take(), MAX_SECRET_BYTES + 1);
        let stderr = read(child.stderr.take(), MAX_COMPLAINT_BYTES);
        let ended = wait(&mut child, self.limit);
        let (stdout, stderr) = match ended {
            Ok(Some(_)) => (taken(&stdout), taken(&stderr)),
            // A process that it started may hold the pipes for ever.
            Ok(None) | Err(_) => (Zeroizing::default(), Zeroizing::default()),
        };
        let status = ended
            .map_err(|error| format!("it cannot be waited for: {error}"))?
            .ok_or_else(|| {
                format!(
                    "it did not end within {}; `{}` sets how long it may take",
                    seconds(self.limit),
                    self.limit_setting
                )
            })?;
        secret(status, &stdout, &String::from_utf8_lossy(&stderr)).map_err(|what| CommandError {
            code: status.code(),
            ..what.into()
        })
    }
}

/// The secret of a command that ended like this.
fn secret(status: ExitStatus, stdout: &[u8], stderr: &str) -> Result<Zeroizing<String>, String> {
    let secret = Zeroizing::new(String::from_utf8_lossy(stdout).trim().to_owned());
    if !status.success() {
        Err(format!("{}{}", how(status), complaint(stderr, &secret)))
    } else if stdout.len() > MAX_SECRET_BYTES {
        Err(format!(
            "it printed more than {} KiB on standard output, which is no secret",
            MAX_SECRET_BYTES / 1024
        ))
    } else if std::str::from_utf8(stdout).is_err() {
        Err("what it printed on standard output is not Unicode".to_owned())
    } else if secret.is_empty() {
        Err(format!(
            "it printed nothing on standard output{}",
            complaint(stderr, "")
        ))
    } else {
        Ok(secret)
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
        of(&words, limit).map(|secret| secret.to_string())
    }

    fn of(words: &[String], limit: Duration) -> Result<Zeroizing<String>, String> {
        let command = SecretCommand {
            words,
            limit,
            limit_setting: "api.app_secret_command_timeout",
            without: &["HOME"],
        };
        command.output().map_err(|error| error.to_string())
    }

    #[cfg(unix)]
    #[rstest]
    #[case("printf 'marked-secret\\n'", "marked-secret")]
    #[case("printf 'marked-secret\\r\\n\\n'", "marked-secret")]
    #[case("echo careful >&2; echo two words", "two words")]
    // More on standard error than a pipe takes.
    #[case("head -c 1000000 /dev/zero >&2; echo s", "s")]
    #[case("echo home=$HOME", "home=")]
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
        let error = of(&words, Duration::from_secs(1)).expect_err("not there");
        assert!(
            error.contains("`not-there-at-all show` cannot be started")
                && error.contains("a text of its own"),
            "{error}"
        );
        assert!(of(&[], Duration::from_secs(1)).is_err());
    }
}
