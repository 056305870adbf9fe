//! A bucket with saved answers that speaks as much of S3 as reading takes: listing, head, and ranged
//! get. It cuts the first answer to each request for an object.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::{BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use super::Exporter;
use super::scripted::head;

/// The bucket. Its threads end with the test process.
pub(crate) struct SavedBucket {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

struct Content {
    objects: BTreeMap<String, Vec<u8>>,
    /// The requests of which one was cut.
    cut: Mutex<BTreeSet<String>>,
}

impl SavedBucket {
    /// One with these objects, by their keys.
    pub(crate) fn with(objects: &[(&str, Vec<u8>)]) -> Self {
        let objects = objects
            .iter()
            .map(|(key, bytes)| ((*key).to_owned(), bytes.clone()));
        let content = Arc::new(Content {
            objects: objects.collect(),
            cut: Mutex::default(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let address = listener.local_addr().expect("it listens");
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (content, log) = (Arc::clone(&content), Arc::clone(&log));
                // A client that hangs up is no matter of ours.
                thread::spawn(move || drop(content.serve(&client, &log)));
            }
        });
        Self { address, asked }
    }

    /// The program that finds it under any bucket's name.
    pub(crate) fn found_by(&self, exporter: Exporter) -> Exporter {
        exporter
            .set(
                "AIRUDDER_STORE_ENDPOINT",
                &format!("http://{}", self.address),
            )
            .set("AWS_ACCESS_KEY_ID", "key")
            .set("AWS_SECRET_ACCESS_KEY", "MARK-SECRET")
    }

    /// The requests so far, as `GET key`.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Content {
    fn serve(&self, client: &TcpStream, log: &Mutex<Vec<String>>) -> std::io::Result<()> {
        let mut reader = BufReader::new(client.try_clone()?);
        let Some(head) = head(&mut reader)? else {
            return Ok(());
        };
        let mut words = head
            .first()
            .map(String::as_str)
            .unwrap_or_default()
            .split(' ');
        let (method, target) = (
            words.next().unwrap_or_default(),
            words.next().unwrap_or_default(),
        );
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        // /bucket/key
        let key = path
            .trim_start_matches('/')
            .split_once('/')
            .map_or("", |(_, key)| key);
        let asked = format!("{method} {key}");
        log.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(asked.clone());
        let mut answer = if query.contains("list-type=2") {
            let prefix = query
                .split('&')
                .find_map(|part| part.strip_prefix("prefix="));
            ok(
                self.listing(&prefix.unwrap_or_default().replace("%2F", "/"))
                    .as_bytes(),
                "",
            )
        } else if let Some(bytes) = self.objects.get(key) {
            let tag =
                format!("etag: \"{key}\"\r\nlast-modified: Mon, 11 Mar 2024 00:00:00 GMT\r\n");
            match range(&head) {
                Some((from, to)) if from < bytes.len() => {
                    let to = to.min(bytes.len() - 1);
                    let range = format!("content-range: bytes {from}-{to}/{}\r\n", bytes.len());
                    let mut whole = ok(&bytes[from..=to], &(tag + &range));
                    whole.splice(9..12, *b"206");
                    whole
                }
                Some(_) => failure("416 Range"),
                None => ok(bytes, &tag),
            }
        } else {
            failure("404 Not Found")
        };
        let body = answer
            .windows(4)
            .position(|four| four == b"\r\n\r\n")
            .unwrap_or(0)
            + 4;
        if method == "HEAD" {
            answer.truncate(body);
        } else if self
            .cut
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(asked)
        {
            answer.truncate(body + (answer.len() - body) / 2);
        }
        (&mut &*client).write_all(&answer)
    }

    fn listing(&self, prefix: &str) -> String {
        let mut text = "<ListBucketResult><IsTruncated>false</IsTruncated>".to_owned();
        for (key, bytes) in self
            .objects
            .iter()
            .filter(|(key, _)| key.starts_with(prefix))
        {
            let size = bytes.len();
            write!(
                text,
                "<Contents><Key>{key}</Key><LastModified>2024-03-11T00:00:00.000Z</LastModified>\
                 <ETag>\"{key}\"</ETag><Size>{size}</Size></Contents>"
            )
            .expect("a String takes all");
        }
        text + "</ListBucketResult>"
    }
}

fn range(head: &[String]) -> Option<(usize, usize)> {
    let lower = head.iter().map(|line| line.to_ascii_lowercase());
    let range = lower
        .into_iter()
        .find_map(|line| Some(line.strip_prefix("range: bytes=")?.to_owned()))?;
    let (from, to) = range.split_once('-')?;
    Some((from.parse().ok()?, to.parse().ok()?))
}

fn ok(body: &[u8], headers: &str) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n"
    );
    [head.as_bytes(), body].concat()
}

fn failure(status: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n").into_bytes()
}
