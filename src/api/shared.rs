//! The pace of one account shared through Redis by processes on any number of machines.
//!
//! One Lua script holds the whole policy, a generic cell rate algorithm on Redis' own clock: each
//! request reserves the next free moment and learns how long it is until then. It uses no jitter
//! and no lock, and the machines' clocks do not matter. A slow-down in one process holds all of
//! them.
//!
//! If Redis does not respond, the process continues with its own share of the pace, reports it
//! once, and retries Redis every [`RECONNECT_INTERVAL`]. For [`SETTLE`] after Redis has lost its data, it
//! grants only one process's share, since other processes may still run on their own.
//!
//! Values from Redis are bounded, so that no writer to that Redis, malicious or mistaken, can stop
//! a run. A moment farther away than `api.max_hold`, or than a queue of [`MAX_AHEAD`] requests at
//! the process's own share if that is longer, counts as no response.
//!
//! Redis stores one key per account, named by a hash. The address with its password is never
//! printed.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, ErrorKind, RedisError};
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use crate::event::{Event, Events};
use crate::job::{ApiOptions, SharedRate};

/// Timeout of a Redis call, which normally takes a fraction of a millisecond.
const ANSWER_TIME: Duration = Duration::from_millis(500);
const CONNECT_TIME: Duration = Duration::from_secs(1);
/// How often a process that runs on its own retries Redis.
const RECONNECT_INTERVAL: Duration = Duration::from_secs(2);
/// Time until every process has retried Redis.
const SETTLE: Duration = Duration::from_secs(4);
/// Upper bound of the requests queued ahead of one.
const MAX_AHEAD: f64 = 64.0;
/// Expiry of an unused key.
const KEY_TTL: Duration = Duration::from_hours(1);

/// Reserves the next moment. KEYS: the account. ARGV, all in microseconds: the interval between two
/// requests, the burst tolerance, the interval for one process's share, how long that applies after
/// a start without data, the key's expiry. Returns the time until then and whether it was reserved;
/// if not, all requests are held for that long.
const RESERVE: &str = r"
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local known = redis.call('HMGET', KEYS[1], 'next', 'since', 'held')
local ahead = tonumber(ARGV[2])
local held = tonumber(known[3]) or 0
if held > now then
  return {held - now, 0}
end
local since = tonumber(known[2]) or now
local next = tonumber(known[1]) or (now + ahead)
if next < now then
  next = now
end
local period = tonumber(ARGV[1])
if now - since < tonumber(ARGV[4]) then
  period = tonumber(ARGV[3])
end
local function text(number)
  return string.format('%.0f', number)
end
redis.call('HSET', KEYS[1], 'next', text(next + period), 'since', text(since))
redis.call('PEXPIRE', KEYS[1], text(math.ceil((next - now + tonumber(ARGV[5])) / 1000)))
local wait = next - ahead - now
if wait < 0 then
  wait = 0
end
return {wait, 1}
";

/// Holds all requests. ARGV, in microseconds: the length of the hold, the key's expiry after it.
const HOLD: &str = r"
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local until_then = now + tonumber(ARGV[1])
local held = tonumber(redis.call('HGET', KEYS[1], 'held')) or 0
if until_then > held then
  redis.call('HSET', KEYS[1], 'held', string.format('%.0f', until_then))
  local keep = (until_then - now + tonumber(ARGV[2])) / 1000
  redis.call('PEXPIRE', KEYS[1], string.format('%.0f', math.ceil(keep)))
end
return {0, 1}
";

/// The reply of Redis to a request that wants to leave.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Turn {
    /// The request may leave after this long.
    Reserved(Duration),
    /// All requests are held for this long; ask again then.
    Held(Duration),
    /// No response: the process runs on its own.
    Alone,
}

/// One account's pace in Redis.
pub(super) struct SharedPace {
    client: Client,
    /// The address without user and password.
    shown: String,
    key: String,
    arguments: [u64; 5],
    alone_per_second: f64,
    /// Upper bound of a wait that Redis asks for.
    most_wait: Duration,
    events: Events,
    link: Mutex<RedisLink>,
}

/// Why there is no usable reply.
enum NoTurn {
    Failed(RedisError),
    TooFar(Duration),
}

impl From<RedisError> for NoTurn {
    fn from(error: RedisError) -> Self {
        Self::Failed(error)
    }
}

enum RedisLink {
    /// No request was made yet.
    New,
    Up(MultiplexedConnection),
    Down {
        look_again: Instant,
    },
}

impl SharedPace {
    /// The shared pace of these settings, if they configure one. Does not connect.
    pub(super) fn new(options: &ApiOptions, share: f64, events: Events) -> Option<Self> {
        let SharedRate {
            address,
            shown,
            rate,
            burst,
            processes,
        } = options.shared.as_ref()?;
        let client = Client::open(address.expose()).ok()?;
        let period = 1e6 / (rate.per_second * share);
        // Half of a burst is slack for late arrivals, as in the pacer.
        let ahead = period * f64::from(burst.get() - 1) / 2.0;
        let arguments = [
            micros(period),
            micros(ahead),
            micros(period * f64::from(processes.get())),
            micros(SETTLE.as_secs_f64() * 1e6),
            micros(KEY_TTL.as_secs_f64() * 1e6),
        ];
        let queue =
            Duration::try_from_secs_f64(MAX_AHEAD * f64::from(processes.get()) * period / 1e6);
        let most_wait = options.retry.max_hold.max(queue.unwrap_or(Duration::ZERO));
        Some(Self {
            client,
            shown: shown.clone(),
            key: key_of(options),
            arguments,
            alone_per_second: options.rate.per_second,
            most_wait,
            events,
            link: Mutex::new(RedisLink::New),
        })
    }

    /// Reserves the next moment.
    pub(super) async fn reserve(&self) -> Turn {
        match self.ask(RESERVE, &self.arguments).await {
            Some((wait, 1)) => Turn::Reserved(Duration::from_micros(wait)),
            Some((wait, _)) => Turn::Held(Duration::from_micros(wait)),
            None => Turn::Alone,
        }
    }

    /// Holds the requests of all processes for this long.
    pub(super) async fn hold(&self, time: Duration) {
        let time = micros(time.as_secs_f64() * 1e6);
        let _ = self.ask(HOLD, &[time, self.arguments[4]]).await;
    }

    /// Runs a script; `None` if Redis is unavailable, or was a moment ago.
    async fn ask(&self, script: &str, arguments: &[u64]) -> Option<(u64, u64)> {
        let connection = match &*self.link() {
            RedisLink::Down { look_again } if Instant::now() < *look_again => return None,
            RedisLink::Up(connection) => Some(connection.clone()),
            RedisLink::New | RedisLink::Down { .. } => None,
        };
        let asked = async {
            let mut connection = match connection {
                Some(connection) => connection,
                None => self.connect().await?,
            };
            let mut command = redis::cmd("EVAL");
            command.arg(script).arg(1).arg(&self.key).arg(arguments);
            let answer: (u64, u64) = command.query_async(&mut connection).await?;
            let wait = Duration::from_micros(answer.0);
            if wait > self.most_wait {
                return Err(NoTurn::TooFar(wait));
            }
            Ok::<_, NoTurn>((connection, answer))
        };
        match asked.await {
            Ok((connection, answer)) => {
                let before = std::mem::replace(&mut *self.link(), RedisLink::Up(connection));
                if matches!(before, RedisLink::Down { .. }) {
                    let text = format!("the shared pace at {} is back", self.shown);
                    self.events.emit(&Event::Warning { text });
                }
                Some(answer)
            }
            Err(no_turn) => {
                let look_again = Instant::now() + RECONNECT_INTERVAL;
                let before = std::mem::replace(&mut *self.link(), RedisLink::Down { look_again });
                if !matches!(before, RedisLink::Down { .. }) {
                    let shown = &self.shown;
                    let why = match no_turn {
                        NoTurn::Failed(error) => {
                            format!("cannot be asked ({})", in_words(&error))
                        }
                        NoTurn::TooFar(wait) => format!(
                            "asks to wait {} s, more than `max_hold` allows: its key there is wrong, \
                             delete {}",
                            wait.as_secs(),
                            self.key
                        ),
                    };
                    let text = format!(
                        "the shared pace at {shown} {why}: going on alone with this process's \
                         share, {:.3}/s",
                        self.alone_per_second
                    );
                    self.events.emit(&Event::Warning { text });
                }
                None
            }
        }
    }

    async fn connect(&self) -> Result<MultiplexedConnection, RedisError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_TIME))
            .set_response_timeout(Some(ANSWER_TIME));
        self.client
            .get_multiplexed_async_connection_with_config(&config)
            .await
    }

    fn link(&self) -> MutexGuard<'_, RedisLink> {
        self.link.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The library's message may repeat its input.
fn in_words(error: &RedisError) -> &'static str {
    if error.is_timeout() {
        "it does not answer in time"
    } else if error.is_connection_refusal() {
        "connection refused"
    } else if error.kind() == ErrorKind::AuthenticationFailed {
        "it refuses user or password"
    } else if error.is_io_error() {
        "the connection broke"
    } else {
        "it answers with an error"
    }
}

/// The key of an account, the same in all its processes; reveals neither address nor API key.
fn key_of(options: &ApiOptions) -> String {
    let mut hash = Sha256::new();
    hash.update(options.base_url.as_str());
    if let Some(credentials) = &options.credentials {
        hash.update([0]);
        hash.update(credentials.app_key.expose());
    }
    let hash = hash.finalize();
    let high = hash
        .iter()
        .take(8)
        .fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    format!("airudder-export:pace:{high:016x}")
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "paces are positive, and a cast from a float saturates"
)]
fn micros(time: f64) -> u64 {
    time.round() as u64
}
