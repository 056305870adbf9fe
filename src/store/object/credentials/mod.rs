//! Credentials for S3 that a command prints, renewed while a command of ours lasts.
//!
//! The command runs on a thread that may block, one at a time in a process, when a request first needs
//! credentials and some time before they expire; until they do, a failure is a warning and the old
//! ones are used. It also runs when the store says that they have expired, unless it says so of
//! credentials that it never accepted. Nothing that it prints on standard output is ever shown.

mod parse;
#[cfg(test)]
mod tests;
mod used;
mod watched;

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use chrono::{DateTime, TimeDelta, Utc};
use object_store::CredentialProvider;
use object_store::aws::AwsCredential;
use tokio::sync::Mutex as Turns;

use self::parse::{Printed, parse};
use self::used::Used;
pub(super) use self::watched::Watched;
use crate::clock::Clock;
use crate::job::CredentialCommand;
use crate::sync::{blocking, lock};

/// Credentials are renewed this long before they expire.
const EARLY: TimeDelta = TimeDelta::minutes(5);
/// Or, if they live shorter, after this part of their life.
const SHORT_LIFE_PARTS: i32 = 8;
/// A command that failed is not run again before.
const PAUSE: TimeDelta = TimeDelta::seconds(30);

/// Why there are no credentials: the end of a request, and never retried.
#[derive(Clone, Debug, thiserror::Error)]
#[error("no credentials from {from}: {problem}")]
pub(super) struct NoCredentials {
    from: String,
    problem: String,
    /// Whether there never were any in this process: nothing has been done yet.
    pub(super) is_first: bool,
}

/// Gives credentials to the client of a store.
#[derive(Clone, Debug)]
pub(super) struct Credentials(Arc<Shared>);

struct Shared {
    command: CredentialCommand,
    clock: Clock,
    /// Held while the command runs.
    turn: Arc<Turns<()>>,
    state: Mutex<State>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "credentials from {}", self.command)
    }
}

#[derive(Default)]
struct State {
    held: Option<Held>,
    /// Whether the command has ever printed some.
    had_any: bool,
    failed: Option<Failed>,
}

struct Held {
    credential: Arc<AwsCredential>,
    expires: Option<Expiry>,
    /// Whether the store took a request that was signed with them.
    is_accepted: bool,
}

impl Held {
    fn is_current(&self, now: DateTime<Utc>) -> bool {
        self.expires.is_none_or(|expiry| now < expiry.end)
    }
}

#[derive(Clone, Copy)]
struct Expiry {
    renew: DateTime<Utc>,
    end: DateTime<Utc>,
}

struct Failed {
    at: DateTime<Utc>,
    problem: NoCredentials,
}

/// What to do for a request.
enum Next {
    Use(Arc<AwsCredential>),
    /// The command may run; if it is running already, these will do.
    Renew(Arc<AwsCredential>),
    Get,
    Fail(NoCredentials),
}

impl State {
    fn next(&self, now: DateTime<Utc>) -> Next {
        // A clock that was set back ends the pause, too.
        let failed = self.failed.as_ref();
        let failed = failed.filter(|failed| (failed.at..failed.at + PAUSE).contains(&now));
        match (&self.held, failed) {
            (Some(held), failed) if held.is_current(now) => {
                let is_due = held.expires.is_some_and(|expiry| now >= expiry.renew);
                if is_due && failed.is_none() {
                    Next::Renew(Arc::clone(&held.credential))
                } else {
                    Next::Use(Arc::clone(&held.credential))
                }
            }
            (_, Some(failed)) => Next::Fail(failed.problem.clone()),
            (_, None) => Next::Get,
        }
    }

    fn keep(&mut self, printed: Printed, now: DateTime<Utc>) -> Arc<AwsCredential> {
        let expires = printed.expires.map(|end| {
            let early = end - EARLY;
            let part = now + (end - now) / SHORT_LIFE_PARTS;
            let renew = early.max(part);
            Expiry { renew, end }
        });
        let credential = Arc::new(printed.credential);
        self.held = Some(Held {
            credential: Arc::clone(&credential),
            expires,
            is_accepted: false,
        });
        self.had_any = true;
        self.failed = None;
        credential
    }
}

impl Credentials {
    /// Those of this command. All clients of a process share them, the lake's and an archive's: the
    /// command runs once for both.
    pub(super) fn of(command: &CredentialCommand) -> Self {
        static ALL: Mutex<Vec<Credentials>> = Mutex::new(Vec::new());
        let mut all = lock(&ALL);
        let found = all.iter().find(|one| one.0.command == *command);
        if let Some(found) = found {
            return found.clone();
        }
        let new = Self::new(command, Clock::system());
        all.push(new.clone());
        new
    }

    fn new(command: &CredentialCommand, clock: Clock) -> Self {
        Self(Arc::new(Shared {
            command: command.clone(),
            clock,
            turn: Arc::default(),
            state: Mutex::default(),
        }))
    }

    async fn get(&self) -> Result<Arc<AwsCredential>, NoCredentials> {
        let turn = Arc::clone(&self.0.turn);
        let turn = match self.next() {
            Next::Use(credential) => return Ok(credential),
            Next::Fail(problem) => return Err(problem),
            Next::Renew(credential) => match turn.try_lock_owned() {
                Ok(turn) => turn,
                Err(_) => return Ok(credential),
            },
            Next::Get => turn.lock_owned().await,
        };
        // Another request may have run it meanwhile.
        match self.next() {
            Next::Use(credential) => return Ok(credential),
            Next::Fail(problem) => return Err(problem),
            Next::Renew(_) | Next::Get => {}
        }
        let shared = Arc::clone(&self.0);
        // The turn ends with the command, even if the request was given up meanwhile.
        let work = move || {
            let _turn = turn;
            shared.renew()
        };
        let ended = blocking(work).await;
        ended.unwrap_or_else(|error| Err(self.0.problem(error.to_string())))
    }

    fn next(&self) -> Next {
        lock(&self.0.state).next(self.0.clock.now())
    }

    /// The store took a request with these credentials.
    fn accepted(&self, used: &Used) {
        let mut state = lock(&self.0.state);
        if let Some(held) = state.held.as_mut().filter(|held| used.is(&held.credential)) {
            held.is_accepted = true;
        }
    }

    /// The store says that these credentials have expired. Whether others may be had: not if it never
    /// accepted them, since then the command has no better ones.
    fn expired(&self, used: &Used) -> bool {
        let mut state = lock(&self.0.state);
        match &state.held {
            Some(held) if used.is(&held.credential) => {
                if !held.is_accepted {
                    return false;
                }
                state.held = None;
                true
            }
            _ => true,
        }
    }
}

impl Shared {
    /// Runs the command. Blocks.
    fn renew(&self) -> Result<Arc<AwsCredential>, NoCredentials> {
        let printed = self.command.output().and_then(|text| parse(&text));
        // After the command: it may have taken long.
        let now = self.clock.now();
        let printed = printed.and_then(|printed| match printed.expires {
            Some(end) if end <= now => Err(format!(
                "what it printed expired at {}, and it is {} by the clock of this machine",
                end.format("%Y-%m-%dT%H:%M:%SZ"),
                now.format("%Y-%m-%dT%H:%M:%SZ"),
            )),
            _ => Ok(printed),
        });
        let problem = match printed {
            Ok(printed) => return Ok(lock(&self.state).keep(printed, now)),
            Err(problem) => self.problem(problem),
        };
        let mut state = lock(&self.state);
        state.failed = Some(Failed {
            at: now,
            problem: problem.clone(),
        });
        match state.held.as_ref().filter(|held| held.is_current(now)) {
            Some(held) => {
                tracing::warn!(
                    name: "credentials_not_renewed",
                    problem = %problem,
                    "the store's credentials were not renewed; the old ones are used until they expire"
                );
                Ok(Arc::clone(&held.credential))
            }
            None => Err(problem),
        }
    }

    fn problem(&self, problem: String) -> NoCredentials {
        NoCredentials {
            from: self.command.to_string(),
            problem,
            is_first: !lock(&self.state).had_any,
        }
    }
}

impl CredentialProvider for Credentials {
    type Credential = AwsCredential;

    fn get_credential<'a, 'b>(
        &'a self,
    ) -> Pin<Box<dyn Future<Output = object_store::Result<Arc<AwsCredential>>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(async move {
            self.get()
                .await
                .map_err(|problem| object_store::Error::Generic {
                    store: "S3",
                    source: Box::new(problem),
                })
        })
    }
}
