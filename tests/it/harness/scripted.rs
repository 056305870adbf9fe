//! An HTTP server on loopback whose answers are written by hand, down to the bytes.
//!
//! It uses sockets and not hyper, so that a test says each header line as it goes out, valid or not,
//! and when the next byte follows.

use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// `GET`, `POST`, ….
    pub(crate) method: String,
    /// Without the query.
    pub(crate) path: String,
    /// What follows the `?`.
    pub(crate) query: String,
    /// Header lines, as sent.
    pub(crate) headers: Vec<String>,
    /// The body, if it is JSON.
    pub(crate) body: Value,
    /// The body as it arrived.
    pub(crate) bytes: Vec<u8>,
}

impl Request {
    /// Whether it carries a token.
    pub(crate) fn has_token(&self) -> bool {
        let lower = |line: &String| line.to_ascii_lowercase();
        self.headers
            .iter()
            .map(lower)
            .any(|line| line.starts_with("authorization:"))
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    /// HTTP status.
    pub(crate) status: u16,
    /// Header lines.
    pub(crate) headers: Vec<String>,
    /// Body.
    pub(crate) body: Vec<u8>,
}

impl Reply {
    /// HTTP 200 with this body.
    pub(crate) fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self::status(200, body)
    }

    /// This status with this body.
    pub(crate) fn status(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: body.into(),
        }
    }

    /// The envelope of success around this.
    pub(crate) fn data(data: &Value) -> Self {
        Self::ok(json!({"data": data, "status": "OK", "code": 200}).to_string())
    }
}

/// A header that makes the body flow a byte at a time, twenty a second.
pub(crate) const DRIP: &str = "x-drip: 1";

type Script = dyn Fn(&Request) -> Option<Reply> + Send + Sync;

/// The server. It lives as long as the test's process.
pub(crate) struct Scripted {
    url: String,
    seen: Arc<Mutex<Vec<Request>>>,
}

/// The token a scripted account gives.
pub(crate) const TOKEN: &str = "scripted+token/MARK-TOKEN";

impl Scripted {
    /// A server that answers by this script; no answer hangs up.
    pub(crate) fn start(
        script: impl Fn(&Request) -> Option<Reply> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port can be had");
        let url = format!("http://{}", listener.local_addr().expect("it listens"));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (log, script): (_, Arc<Script>) = (Arc::clone(&seen), Arc::new(script));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (log, script) = (Arc::clone(&log), Arc::clone(&script));
                // A client that hangs up is no matter of ours.
                thread::spawn(move || drop(serve(&stream, &log, &*script)));
            }
        });
        Self { url, seen }
    }

    /// An account with one workflow, and what its tasks' details are answered with.
    pub(crate) fn account(details: Vec<(&str, Reply)>) -> Self {
        let details: Vec<(String, Reply)> = details
            .into_iter()
            .map(|(task, reply)| (task.to_owned(), reply))
            .collect();
        Self::start(move |request| Some(account(&details, request)))
    }

    /// The base URL.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// All requests so far.
    pub(crate) fn seen(&self) -> Vec<Request> {
        self.seen.lock().expect("no test panics in it").clone()
    }
}

/// How an account answers that has these tasks in one workflow, all finished.
pub(crate) fn account(details: &[(String, Reply)], request: &Request) -> Reply {
    match request.path.rsplit('/').next().unwrap_or_default() {
        "auth" => Reply::data(&json!({ "token": TOKEN })),
        "list" => Reply::data(&json!({"list": [{
            "workflow_id": "w1", "workflow_name": "w", "status": "finished",
            "create_time": "2024-03-11T00:00:00Z",
        }], "total": 1})),
        "tasklist" => {
            let tasks: Vec<Value> = details
                .iter()
                .map(|(id, _)| {
                    json!({
                        "task_id": id, "task_name": "t", "status": "finished",
                        "schedule_start_time": "2024-03-11T08:00:00Z",
                        "schedule_end_time": "2024-03-11T09:00:00Z",
                    })
                })
                .collect();
            Reply::data(&json!({"list": tasks, "total": tasks.len()}))
        }
        "taskdetail" => {
            let id = request.body["task_id"].as_str().unwrap_or_default();
            let found = details.iter().find(|(task, _)| task == id);
            found.map_or_else(|| Reply::status(404, ""), |(_, reply)| reply.clone())
        }
        _ => Reply::status(404, ""),
    }
}

/// A finished task's answer with this detail, as text.
pub(crate) fn answer(task: &str, detail: &str) -> String {
    format!(
        r#"{{"data":{{"TaskID":"{task}","Status":"finished","ScheduleStartTime":"2024-03-11T08:00:00Z","ScheduleEndTime":"2024-03-11T09:00:00Z","detail":{detail}}},"status":"OK","code":200}}"#
    )
}

/// The lines of a request's head; nothing if the client has hung up.
pub(crate) fn head(reader: &mut impl BufRead) -> std::io::Result<Option<Vec<String>>> {
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        match line.trim_end() {
            "" => return Ok(Some(head)),
            line => head.push(line.to_owned()),
        }
    }
}

fn serve(stream: &TcpStream, log: &Mutex<Vec<Request>>, script: &Script) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut writer = stream.try_clone()?;
    loop {
        let Some(mut head) = head(&mut reader)? else {
            return Ok(());
        };
        let target = head
            .first()
            .and_then(|line| line.split(' ').nth(1))
            .unwrap_or_default();
        let length = head.iter().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length")
                .then(|| value.trim().parse().ok())?
        });
        let mut body = vec![0; length.unwrap_or(0)];
        reader.read_exact(&mut body)?;
        let request = Request {
            method: head
                .first()
                .and_then(|line| line.split(' ').next())
                .unwrap_or_default()
                .to_owned(),
            path: target.split('?').next().unwrap_or_default().to_owned(),
            query: target.split('?').nth(1).unwrap_or_default().to_owned(),
            body: serde_json::from_slice(&body).unwrap_or_default(),
            bytes: body,
            headers: head.split_off(1),
        };
        let reply = script(&request);
        let is_head = request.method == "HEAD";
        log.lock().expect("no test panics in it").push(request);
        let Some(reply) = reply else { return Ok(()) };
        let Reply {
            status,
            headers,
            body,
        } = reply;
        let mut text = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n", body.len());
        let drips = headers.iter().any(|header| header == DRIP);
        for header in headers {
            text.push_str(&header);
            text.push_str("\r\n");
        }
        text.push_str("\r\n");
        writer.write_all(text.as_bytes())?;
        if is_head {
            continue;
        }
        for piece in body.chunks(if drips { 1 } else { body.len().max(1) }) {
            writer.write_all(piece)?;
            if drips {
                thread::sleep(Duration::from_millis(50));
            }
        }
    }
}
