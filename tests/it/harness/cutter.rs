//! A proxy before an object store that cuts answers: that to the first request of each kind, in one way.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// How an answer is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// The request takes effect, and the connection is closed instead of an answer.
    Closed,
    /// The same, by a reset.
    Reset,
    /// The connection is reset before the store hears of the request.
    Refused,
    /// In the midst of the answer's head.
    InHead,
    /// In the midst of its body, or at the end of its head if it has none.
    InBody,
    /// The same, by a reset.
    ResetInBody,
    /// The head is whole, and says that there is no body.
    Empty,
    /// 503 `SlowDown`; no effect.
    SlowDown,
    /// 500 `InternalError`; no effect.
    InternalError,
    /// The request takes effect, and the answer is 500.
    ErrorAfter,
    /// The request takes effect, and nothing is answered for long.
    Silence,
}

/// What S3 is asked, as far as an answer may be cut.
pub(crate) const KINDS: [&str; 12] = [
    "abort", "complete", "create", "delete", "get", "head", "list", "missing", "open", "part",
    "put", "update",
];

/// The proxy. Its threads end with the test process.
#[derive(Clone, Debug)]
pub(crate) struct Cutter {
    store: SocketAddr,
    cut: Cut,
    /// The kinds of which one was cut.
    met: Arc<Mutex<BTreeSet<&'static str>>>,
    address: SocketAddr,
}

impl Cutter {
    /// One that cuts in this way.
    pub(crate) fn new(store: SocketAddr, cut: Cut) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let cutter = Self {
            store,
            cut,
            met: Arc::default(),
            address: listener.local_addr().expect("it listens"),
        };
        let proxy = cutter.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let proxy = proxy.clone();
                // A client that went away is none of ours.
                thread::spawn(move || drop(proxy.serve(client)));
            }
        });
        cutter
    }

    /// Where it listens.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The kinds of which one was cut.
    pub(crate) fn met(&self) -> MutexGuard<'_, BTreeSet<&'static str>> {
        self.met.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, mut client: TcpStream) -> std::io::Result<()> {
        let request = read_request(&mut client)?;
        let head =
            String::from_utf8_lossy(&request[..head_of(&request).unwrap_or(0)]).to_lowercase();
        let mut kind = kind_of(&head);
        // A copy that is not forwarded can't tell whether the object is there.
        let refuses = matches!(self.cut, Cut::Refused | Cut::SlowDown | Cut::InternalError);
        let is_first = |kind: &'static str| self.met().insert(kind);
        if refuses && kind != "get" && is_first(kind) {
            return self.refuse(client);
        }
        let answer = self.forward(&request)?;
        if kind == "get" && answer.starts_with(b"HTTP/1.1 404") {
            kind = "missing";
        }
        if refuses {
            if (kind == "get" || kind == "missing") && is_first(kind) {
                return self.refuse(client);
            }
        } else if is_first(kind) {
            return self.spoil(client, kind, &answer);
        }
        client.write_all(&answer)?;
        end(client)
    }

    fn forward(&self, request: &[u8]) -> std::io::Result<Vec<u8>> {
        let mut store = TcpStream::connect(self.store)?;
        let line = request.iter().position(|byte| *byte == b'\n').unwrap_or(0) + 1;
        store.write_all(&request[..line])?;
        store.write_all(b"Connection: close\r\n")?;
        store.write_all(&request[line..])?;
        let mut answer = Vec::new();
        store.read_to_end(&mut answer)?;
        Ok(answer)
    }

    fn refuse(&self, mut client: TcpStream) -> std::io::Result<()> {
        let (status, code) = match self.cut {
            Cut::SlowDown => ("503 Slow Down", "SlowDown"),
            Cut::InternalError => ("500 Internal Server Error", "InternalError"),
            // What was not read is answered with a reset.
            _ => return Ok(()),
        };
        client.write_all(&failure(status, code))?;
        end(client)
    }

    fn spoil(&self, mut client: TcpStream, kind: &str, answer: &[u8]) -> std::io::Result<()> {
        let head = head_of(answer).unwrap_or(answer.len());
        match self.cut {
            Cut::Reset => return Ok(()),
            Cut::InHead => client.write_all(&answer[..head / 2])?,
            Cut::InBody => client.write_all(&answer[..head + (answer.len() - head) / 2])?,
            Cut::ResetInBody => {
                client.write_all(&answer[..head + (answer.len() - head) / 2])?;
                return Ok(());
            }
            // An answer to these has no body, whatever its head says.
            Cut::Empty if kind == "head" => client.write_all(answer)?,
            Cut::Empty => client.write_all(&emptied(&answer[..head]))?,
            Cut::ErrorAfter => {
                client.write_all(&failure("500 Internal Server Error", "InternalError"))?;
            }
            Cut::Silence => {
                client.set_read_timeout(Some(Duration::from_secs(20)))?;
                // Until the client has enough of it.
                while client.read(&mut [0; 64])? > 0 {}
            }
            Cut::Closed | Cut::Refused | Cut::SlowDown | Cut::InternalError => {}
        }
        end(client)
    }
}

/// Reads a request but for its last byte, which is only looked at: closing the connection resets it
/// then.
fn read_request(client: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut peeked = vec![0; 64 << 10];
    let (length, head) = loop {
        let seen = client.peek(&mut peeked)?;
        if seen == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(head) = head_of(&peeked[..seen]) {
            let text = String::from_utf8_lossy(&peeked[..head]).to_lowercase();
            let mut lines = text.lines();
            let body =
                lines.find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
            break (head + body.unwrap_or(0), head);
        }
        thread::yield_now();
    };
    assert!(length >= head && head > 1);
    let mut request = vec![0; length - 1];
    client.read_exact(&mut request)?;
    let mut last = [0];
    client.peek(&mut last)?;
    request.push(last[0]);
    Ok(request)
}

/// Closes without a reset.
fn end(mut client: TcpStream) -> std::io::Result<()> {
    client.set_read_timeout(Some(Duration::from_secs(5)))?;
    client.read_exact(&mut [0])?;
    client.shutdown(Shutdown::Write)
}

/// Where the body begins.
fn head_of(message: &[u8]) -> Option<usize> {
    let end = message.windows(4).position(|four| four == b"\r\n\r\n")?;
    Some(end + 4)
}

fn kind_of(head: &str) -> &'static str {
    let line = head.lines().next().unwrap_or_default();
    let method = line.split(' ').next().unwrap_or_default();
    let has = |name: &str| head.lines().any(|line| line.starts_with(name));
    match method {
        "head" => "head",
        "get" if line.contains("list-type=2") => "list",
        "get" => "get",
        "post" if line.contains("uploadid=") => "complete",
        "post" => "open",
        "delete" if line.contains("uploadid=") => "abort",
        "delete" => "delete",
        _ if line.contains("partnumber=") => "part",
        _ if has("if-none-match:") => "create",
        _ if has("if-match:") => "update",
        _ => "put",
    }
}

fn failure(status: &str, code: &str) -> Vec<u8> {
    let body = format!("<Error><Code>{code}</Code><Message>as told</Message></Error>");
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/xml\r\nContent-Length: {length}\r\nConnection: \
         close\r\n\r\n"
    );
    (head + &body).into_bytes()
}

fn emptied(head: &[u8]) -> Vec<u8> {
    let head = String::from_utf8_lossy(head).into_owned();
    let mut lines = String::new();
    for line in head.trim_end().split("\r\n") {
        let lower = line.to_lowercase();
        if !lower.starts_with("content-length:") && !lower.starts_with("transfer-encoding:") {
            lines.push_str(line);
            lines.push_str("\r\n");
        }
    }
    lines.push_str("Content-Length: 0\r\n\r\n");
    lines.into_bytes()
}
