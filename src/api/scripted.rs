//! For tests: a loopback server that responds by script, down to the bytes, and options of an
//! account for it.
//!
//! It uses sockets and not hyper, which cannot send what is tested here: bodies that end early, heads
//! that are not HTTP, and connections that close or stay silent at a given byte.

use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::event::{Event, Events, Listen};
use crate::job::{ApiOptions, ApiProfile, Credentials, PageLimits, Rate, RetryOptions, Secret};

/// A request as received by the server.
#[derive(Clone, Debug)]
pub(crate) struct SeenRequest {
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) token: Option<String>,
    pub(crate) accept_encoding: Option<String>,
    pub(crate) body: Value,
    /// The body as text.
    pub(crate) text: String,
}

pub(crate) enum Reply {
    /// Status, header lines, body.
    Full(u16, Vec<String>, Vec<u8>),
    /// Like `Full` with 200, but the connection closes in the middle of the body.
    CutOff(Vec<u8>),
    /// The connection closes without a response.
    HangUp,
    /// The head and the beginning of the body, then no more data.
    Stall(Vec<u8>),
    /// No response, on a connection that stays open.
    Never,
    /// These bytes, unchanged.
    Raw(Vec<u8>),
}

impl Reply {
    pub(crate) fn json(body: &Value) -> Self {
        Self::Full(200, Vec::new(), body.to_string().into_bytes())
    }

    pub(crate) fn data(data: &Value) -> Self {
        Self::json(&json!({"data": data, "status": "OK", "code": 200}))
    }

    pub(crate) fn status(status: u16) -> Self {
        Self::Full(status, Vec::new(), Vec::new())
    }
}

pub(crate) struct Server {
    pub(crate) base: String,
    seen: Arc<Mutex<Vec<SeenRequest>>>,
    accepting: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Server {
    /// Answers every request by the script, which receives the number of earlier requests to the
    /// path.
    pub(crate) async fn start(
        script: impl Fn(&SeenRequest, usize) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let base = format!("http://{}", listener.local_addr().expect("bound"));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let script = Arc::new(script);
        let log = Arc::clone(&seen);
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (script, log) = (Arc::clone(&script), Arc::clone(&log));
                tokio::spawn(async move { serve(stream, &*script, &log).await });
            }
        });
        Self {
            base,
            seen,
            accepting,
        }
    }

    /// Signs in every request with `T1`, `T2`, …; the script handles the rest.
    pub(crate) async fn with_auth(
        script: impl Fn(&SeenRequest, usize) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::start(move |seen, n| match seen.path.as_str() {
            "/service/cloud/auth" => Reply::data(&json!({"token": format!("T{}", n + 1)})),
            _ => script(seen, n),
        })
        .await
    }

    pub(crate) fn seen(&self) -> Vec<SeenRequest> {
        self.seen.lock().expect("not poisoned").clone()
    }

    /// Number of requests whose path ends with this.
    pub(crate) fn count(&self, path: &str) -> usize {
        self.seen()
            .iter()
            .filter(|seen| seen.path.ends_with(path))
            .count()
    }
}

async fn serve(
    mut stream: TcpStream,
    script: &(impl Fn(&SeenRequest, usize) -> Reply + Send + Sync),
    log: &Mutex<Vec<SeenRequest>>,
) {
    let Some(seen) = read(&mut stream).await else {
        return;
    };
    let before = {
        let mut log = log.lock().expect("not poisoned");
        let before = log.iter().filter(|other| other.path == seen.path).count();
        log.push(seen.clone());
        before
    };
    let head = |status: u16, headers: &[String], length: usize| {
        let headers = headers
            .iter()
            .fold(String::new(), |all, line| all + line + "\r\n");
        format!(
            "HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n"
        )
    };
    let bytes = match script(&seen, before) {
        Reply::Full(status, headers, body) => {
            [head(status, &headers, body.len()).as_bytes(), &body].concat()
        }
        Reply::CutOff(body) | Reply::Stall(body) if body.is_empty() => return,
        Reply::CutOff(body) => [head(200, &[], body.len() + 10).as_bytes(), &body].concat(),
        Reply::Stall(body) => {
            let bytes = [head(200, &[], body.len() + 10).as_bytes(), &body].concat();
            let _ = stream.write_all(&bytes).await;
            return std::future::pending().await;
        }
        Reply::HangUp => return,
        Reply::Never => return std::future::pending().await,
        Reply::Raw(bytes) => bytes,
    };
    // The client may have closed the connection.
    let _ = stream.write_all(&bytes).await;
    let _ = stream.shutdown().await;
}

async fn read(stream: &mut TcpStream) -> Option<SeenRequest> {
    let mut bytes = Vec::new();
    let (head, body) = loop {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = header(head, "content-length").map_or(0, |text| text.parse().expect("valid"));
        if body.len() >= length {
            break (head.to_owned(), body.to_owned());
        }
    };
    let target = head.split(' ').nth(1)?;
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    Some(SeenRequest {
        path: path.to_owned(),
        query: query.to_owned(),
        token: header(&head, "authorization"),
        accept_encoding: header(&head, "accept-encoding"),
        body: serde_json::from_str(&body).unwrap_or_default(),
        text: body,
    })
}

fn header(head: &str, name: &str) -> Option<String> {
    head.lines().skip(1).find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name)
            .then(|| value.trim().to_owned())
    })
}

/// Options for a test server: short times and recognizable credentials.
pub(crate) fn options(base: &str) -> ApiOptions {
    ApiOptions {
        base_url: base.parse().expect("valid"),
        credentials: Some(Credentials {
            app_key: Secret::new("MARKED-KEY".to_owned()),
            app_secret: Secret::new("MARKED-SECRET".to_owned()),
        }),
        profile: ApiProfile::default(),
        rate: Rate {
            per_second: 10_000.0,
        },
        burst: NonZeroU32::new(1000).expect("not zero"),
        shared: None,
        concurrency: NonZeroUsize::new(32).expect("not zero"),
        page_size: NonZeroU32::new(2).expect("not zero"),
        connect_timeout: Duration::from_secs(10),
        read_timeout: Duration::from_secs(10),
        max_answer_time: Duration::from_hours(1),
        max_answer_bytes: NonZeroU64::new(1 << 30).expect("not zero"),
        page_limits: PageLimits {
            bytes: NonZeroUsize::new(1 << 20).expect("not zero"),
            items: NonZeroUsize::new(1_000).expect("not zero"),
        },
        retry: RetryOptions {
            base_backoff: Duration::from_millis(2),
            max_backoff: Duration::from_millis(10),
            ..RetryOptions::default()
        },
        allow_insecure: false,
        source_timezone: None,
    }
}

#[derive(Default)]
pub(crate) struct Log(Mutex<Vec<Event>>);

impl Listen for Log {
    fn on(&self, event: &Event) {
        self.0.lock().expect("not poisoned").push(event.clone());
    }
}

impl Log {
    pub(crate) fn events() -> (Arc<Self>, Events) {
        let log = Arc::new(Self::default());
        let events = Events::new(vec![Arc::clone(&log) as Arc<dyn Listen>]);
        (log, events)
    }

    pub(crate) fn all(&self) -> Vec<Event> {
        self.0.lock().expect("not poisoned").clone()
    }

    /// The outcomes of all requests except sign-ins, in order.
    pub(crate) fn outcomes(&self) -> Vec<String> {
        let outcome = |event: Event| match event {
            Event::Request {
                endpoint: crate::event::Endpoint::Auth,
                ..
            } => None,
            Event::Request { outcome, .. } => Some(outcome),
            _ => None,
        };
        self.all().into_iter().filter_map(outcome).collect()
    }
}
