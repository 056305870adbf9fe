//! An answer before it is sent: status, headers, and where its bytes come from.

use chrono::{DateTime, Utc};
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, DATE, HeaderName, HeaderValue, SERVER};
use hyper::{Response, StatusCode};
use serde::Serialize;

use super::answer::{Answer, Source};

/// What is to be answered.
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
    /// HTTP 200 with JSON from anywhere.
    pub(super) fn ok(source: Source) -> Self {
        Self {
            http: StatusCode::OK,
            content_type: JSON,
            headers: Vec::new(),
            source,
            failure: false,
        }
    }

    /// HTTP 200 with this JSON.
    pub(super) fn json(text: impl Into<Bytes>) -> Self {
        Self::ok(Source::Whole(text.into()))
    }

    /// The envelope of something that went wrong.
    pub(super) fn failure(http: StatusCode, text: String) -> Self {
        Self {
            http,
            failure: true,
            ..Self::json(text)
        }
    }

    /// An answer of the sandbox itself, outside the vendor's API.
    pub(super) fn own(value: &impl Serialize) -> Self {
        let mut text = serde_json::to_vec_pretty(value).expect("maps with text keys are JSON");
        text.push(b'\n');
        Self::json(text)
    }

    /// A web page, as proxies put in place of an answer.
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

    /// This text of another kind, as something between client and vendor answers.
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

    /// The same with other bytes.
    pub(super) fn map_source(self, change: impl FnOnce(Source) -> Source) -> Self {
        Self {
            source: change(self.source),
            ..self
        }
    }

    pub(super) fn is_failure(&self) -> bool {
        self.failure
    }

    /// The date is the simulated one: it and a `Retry-After` date tell the same time.
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

/// As HTTP headers have it: `Mon, 11 Mar 2024 08:41:26 GMT`.
pub(super) fn http_date(time: DateTime<Utc>) -> String {
    time.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// As they had it before, which is still to be understood: `Monday, 11-Mar-24 08:41:26 GMT`.
pub(super) fn rfc850_date(time: DateTime<Utc>) -> String {
    time.format("%A, %d-%b-%y %H:%M:%S GMT").to_string()
}

/// As C's `asctime` has it: `Mon Mar 11 08:41:26 2024`.
pub(super) fn asctime_date(time: DateTime<Utc>) -> String {
    time.format("%a %b %e %H:%M:%S %Y").to_string()
}
