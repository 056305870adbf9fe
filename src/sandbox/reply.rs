//! A response before it is sent: status, headers, and the source of its body.

use chrono::{DateTime, Utc};
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, DATE, HeaderName, HeaderValue, SERVER};
use hyper::{Response, StatusCode};
use serde::Serialize;

use super::answer::{Answer, Source};

/// A response to send.
#[derive(Debug)]
pub(super) struct Reply {
    http: StatusCode,
    content_type: &'static str,
    headers: Vec<(HeaderName, String)>,
    source: Source,
    failure: bool,
}

pub(super) const JSON: &str = "application/json; charset=utf-8";
pub(super) const HTML: &str = "text/html";

impl Reply {
    /// HTTP 200 with JSON from a source.
    pub(super) fn ok(source: Source) -> Self {
        Self {
            http: StatusCode::OK,
            content_type: JSON,
            headers: Vec::new(),
            source,
            failure: false,
        }
    }

    /// HTTP 200 with this JSON text.
    pub(super) fn json(text: impl Into<Bytes>) -> Self {
        Self::ok(Source::Whole(text.into()))
    }

    /// An error envelope.
    pub(super) fn failure(http: StatusCode, text: String) -> Self {
        Self {
            http,
            failure: true,
            ..Self::json(text)
        }
    }

    /// A response of the sandbox's own paths, outside the vendor's API.
    pub(super) fn own(value: &impl Serialize) -> Self {
        let mut text = serde_json::to_vec_pretty(value).expect("maps with text keys are JSON");
        text.push(b'\n');
        Self::json(text)
    }

    /// A web page, as a proxy sends it in place of a response.
    pub(super) fn page(http: StatusCode) -> Self {
        let title = match http {
            StatusCode::OK => "Scheduled maintenance".to_owned(),
            other => other.to_string(),
        };
        let html = format!(
            "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1>\
             </center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
        );
        Self::foreign(http, HTML, html)
    }

    /// Text of another content type, as sent by an intermediary.
    pub(super) fn foreign(
        http: StatusCode,
        content_type: &'static str,
        text: impl Into<Bytes>,
    ) -> Self {
        Self {
            http,
            content_type,
            failure: true,
            ..Self::json(text)
        }
    }

    pub(super) fn with(mut self, name: HeaderName, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// Replaces the source of the body.
    pub(super) fn map_source(self, change: impl FnOnce(Source) -> Source) -> Self {
        Self {
            source: change(self.source),
            ..self
        }
    }

    pub(super) fn is_failure(&self) -> bool {
        self.failure
    }

    /// The `Date` is the simulated time, consistent with a `Retry-After` date.
    pub(super) fn into_response(
        self,
        date: DateTime<Utc>,
        body: impl FnOnce(Source) -> Answer,
    ) -> Response<Answer> {
        let mut response = Response::new(body(self.source));
        *response.status_mut() = self.http;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        headers.insert(SERVER, HeaderValue::from_static("airudder-sandbox"));
        let date = (DATE, http_date(date));
        for (name, text) in std::iter::once(date).chain(self.headers) {
            let value = HeaderValue::from_str(&text).expect("dates and numbers are plain text");
            headers.insert(name, value);
        }
        response
    }
}

/// The preferred HTTP format: `Mon, 11 Mar 2024 08:41:26 GMT`.
pub(super) fn http_date(time: DateTime<Utc>) -> String {
    time.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// The obsolete format of RFC 850, which recipients must accept: `Monday, 11-Mar-24 08:41:26 GMT`.
pub(super) fn rfc850_date(time: DateTime<Utc>) -> String {
    time.format("%A, %d-%b-%y %H:%M:%S GMT").to_string()
}

/// The obsolete format of C's `asctime`: `Mon Mar 11 08:41:26 2024`.
pub(super) fn asctime_date(time: DateTime<Utc>) -> String {
    time.format("%a %b %e %H:%M:%S %Y").to_string()
}
