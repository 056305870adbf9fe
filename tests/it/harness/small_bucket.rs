//! A bucket in this process that speaks as much of S3 as a lake needs: conditional puts, multipart
//! uploads, listings. It knows which keys sign its requests, and lets them expire.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use airudder_export::parts::Clock;

use super::Exporter;
use super::scripted::{Reply, Request, Scripted};

/// When a key expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keys {
    /// Never.
    Last,
    /// `key3` is refused as expired once there are three commits in the lake, and so on.
    LastForACommit,
}

/// The bucket. It lives as long as the test's process.
pub(crate) struct SmallBucket {
    server: Scripted,
    content: Arc<Mutex<Content>>,
}

struct Content {
    keys: Keys,
    objects: BTreeMap<String, Object>,
    /// The parts of open uploads by their numbers.
    uploads: BTreeMap<String, BTreeMap<u32, Vec<u8>>>,
    versions: u64,
    /// Requests by `key id/region`.
    signed: BTreeMap<String, usize>,
}

struct Object {
    bytes: Vec<u8>,
    tag: String,
}

impl SmallBucket {
    /// An empty one.
    pub(crate) fn start(keys: Keys) -> Self {
        let content = Arc::new(Mutex::new(Content {
            keys,
            objects: BTreeMap::new(),
            uploads: BTreeMap::new(),
            versions: 0,
            signed: BTreeMap::new(),
        }));
        let here = Arc::clone(&content);
        let server = Scripted::start(move |request| {
            let mut content = here.lock().unwrap_or_else(PoisonError::into_inner);
            Some(content.answer(request))
        });
        Self { server, content }
    }

    /// The program with its lake here. It has no credentials.
    pub(crate) fn exporter(&self, exporter: Exporter) -> Exporter {
        exporter
            .set("AIRUDDER_DEST", "s3://small/lake")
            .set("AIRUDDER_STORE_ENDPOINT", self.server.url())
    }

    /// Requests by what signed them, as `key id/region`.
    pub(crate) fn signed(&self) -> BTreeMap<String, usize> {
        let content = self.content.lock().unwrap_or_else(PoisonError::into_inner);
        content.signed.clone()
    }

    /// How many commits are in the lake.
    pub(crate) fn commits(&self) -> usize {
        let content = self.content.lock().unwrap_or_else(PoisonError::into_inner);
        content.commits()
    }

    /// Adds an object.
    pub(crate) fn put(&self, key: &str, bytes: &[u8]) {
        let mut content = self.content.lock().unwrap_or_else(PoisonError::into_inner);
        content.put(key.to_owned(), bytes.to_vec());
    }
}

impl Content {
    fn commits(&self) -> usize {
        let keys = self.objects.keys();
        keys.filter(|key| key.contains("_export/commits/")).count()
    }

    fn put(&mut self, key: String, bytes: Vec<u8>) -> String {
        self.versions += 1;
        let tag = format!("\"{}\"", self.versions);
        let object = Object {
            bytes,
            tag: tag.clone(),
        };
        self.objects.insert(key, object);
        tag
    }

    fn answer(&mut self, request: &Request) -> Reply {
        if let Some(refusal) = self.refusal(request) {
            return refusal;
        }
        // /bucket/key
        let path = plain(request.path.trim_start_matches('/'));
        let key = path.split_once('/').map_or("", |(_, key)| key).to_owned();
        let query: BTreeMap<_, _> = url::form_urlencoded::parse(request.query.as_bytes())
            .into_owned()
            .collect();
        let upload = query.get("uploadId");
        match (request.method.as_str(), upload) {
            ("GET", None) if query.contains_key("list-type") => Reply::ok(self.listing(&query)),
            ("GET" | "HEAD", None) => self.read(&key, request),
            ("PUT", None) => self.write(key, request),
            ("DELETE", None) => {
                self.objects.remove(&key);
                Reply::status(204, "")
            }
            ("POST", None) => {
                self.versions += 1;
                let id = format!("upload-{}", self.versions);
                self.uploads.insert(id.clone(), BTreeMap::new());
                let id = format!("<UploadId>{id}</UploadId>");
                let xml =
                    format!("<InitiateMultipartUploadResult>{id}</InitiateMultipartUploadResult>");
                Reply::ok(xml)
            }
            ("PUT", Some(id)) => {
                let number = query["partNumber"].parse().expect("a number");
                let Some(parts) = self.uploads.get_mut(id) else {
                    return refused(404, "NoSuchUpload");
                };
                parts.insert(number, request.bytes.clone());
                tagged(&format!("\"part-{number}\""), Reply::ok(""))
            }
            ("POST", Some(id)) => {
                let Some(parts) = self.uploads.remove(id) else {
                    return refused(404, "NoSuchUpload");
                };
                let bytes = parts.into_values().flatten().collect();
                let tag = self.put(key, bytes);
                let tag = format!("<ETag>{tag}</ETag>");
                Reply::ok(format!(
                    "<CompleteMultipartUploadResult>{tag}</CompleteMultipartUploadResult>"
                ))
            }
            ("DELETE", Some(id)) => match self.uploads.remove(id) {
                Some(_) => Reply::status(204, ""),
                None => refused(404, "NoSuchUpload"),
            },
            _ => refused(405, "MethodNotAllowed"),
        }
    }

    /// The answer to a request whose key is not valid.
    fn refusal(&mut self, request: &Request) -> Option<Reply> {
        let header = header(request, "authorization")?;
        let (_, scope) = header.split_once("Credential=")?;
        let mut scope = scope.split('/');
        let (key, region) = (scope.next()?, scope.nth(1)?);
        *self.signed.entry(format!("{key}/{region}")).or_default() += 1;
        let number = key.trim_start_matches("key").parse().unwrap_or(usize::MAX);
        let is_expired = self.keys == Keys::LastForACommit && self.commits() >= number;
        is_expired.then(|| {
            if request.method == "HEAD" {
                Reply::status(400, "")
            } else {
                refused(400, "ExpiredToken")
            }
        })
    }

    fn read(&self, key: &str, request: &Request) -> Reply {
        let Some(object) = self.objects.get(key) else {
            return refused(404, "NoSuchKey");
        };
        let whole = object.bytes.len();
        let range = header(request, "range").and_then(|range| {
            let (from, to) = range.strip_prefix("bytes=")?.split_once('-')?;
            let to = to.parse().map_or(whole, |to: usize| whole.min(to + 1));
            Some(from.parse().ok()?..to)
        });
        let mut reply = match range {
            Some(range) if range.start < whole => {
                let place = format!("bytes {}-{}/{whole}", range.start, range.end - 1);
                let mut reply = Reply::status(206, &object.bytes[range]);
                reply.headers.push(format!("content-range: {place}"));
                reply
            }
            Some(_) => return refused(416, "InvalidRange"),
            None => Reply::ok(object.bytes.clone()),
        };
        let now = Clock::system().now();
        let modified = now.format("last-modified: %a, %d %b %Y %H:%M:%S GMT");
        reply.headers.push(modified.to_string());
        tagged(&object.tag, reply)
    }

    fn write(&mut self, key: String, request: &Request) -> Reply {
        let found = self.objects.get(&key);
        let is_taken = header(request, "if-none-match").is_some() && found.is_some();
        let is_other = header(request, "if-match")
            .is_some_and(|tag| found.is_none_or(|object| object.tag != tag));
        if is_taken || is_other {
            return refused(412, "PreconditionFailed");
        }
        let tag = self.put(key, request.bytes.clone());
        tagged(&tag, Reply::ok(""))
    }

    fn listing(&self, query: &BTreeMap<String, String>) -> String {
        let text = |name: &str| query.get(name).map_or("", String::as_str);
        let (prefix, after) = (text("prefix"), text("start-after"));
        let now = Clock::system().now().format("%Y-%m-%dT%H:%M:%S.000Z");
        let mut xml = "<ListBucketResult><IsTruncated>false</IsTruncated>".to_owned();
        let mut folders = Vec::new();
        for (key, object) in &self.objects {
            let Some(rest) = key.strip_prefix(prefix).filter(|_| key.as_str() > after) else {
                continue;
            };
            if let (Some(at), "/") = (rest.find('/'), text("delimiter")) {
                folders.push(format!("{prefix}{}", &rest[..=at]));
                continue;
            }
            let Object { bytes, tag } = object;
            write!(
                xml,
                "<Contents><Key>{key}</Key><LastModified>{now}</LastModified>\
                 <ETag>{tag}</ETag><Size>{}</Size></Contents>",
                bytes.len()
            )
            .expect("a String takes all");
        }
        folders.dedup();
        for folder in folders {
            let folder = format!("<Prefix>{folder}</Prefix>");
            write!(xml, "<CommonPrefixes>{folder}</CommonPrefixes>").expect("a String takes all");
        }
        xml + "</ListBucketResult>"
    }
}

fn header<'a>(request: &'a Request, wanted: &str) -> Option<&'a str> {
    let mut lines = request
        .headers
        .iter()
        .filter_map(|line| line.split_once(':'));
    let found = lines.find(|(name, _)| name.eq_ignore_ascii_case(wanted));
    found.map(|(_, value)| value.trim())
}

fn tagged(tag: &str, mut reply: Reply) -> Reply {
    reply.headers.push(format!("etag: {tag}"));
    reply
}

fn refused(status: u16, code: &str) -> Reply {
    Reply::status(status, format!("<Error><Code>{code}</Code></Error>"))
}

/// A path without percent signs.
fn plain(path: &str) -> String {
    let query = format!("path={}", path.replace('+', "%2B"));
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    pairs
        .next()
        .map_or_else(String::new, |(_, path)| path.into_owned())
}
