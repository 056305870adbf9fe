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
    header: Option<(HeaderName, String)>,
    source: Source,
    failure: bool,
}

const JSON: &str = "application/json; charset=utf-8";

impl Reply {
    /// HTTP 200 with JSON from anywhere.
    pub(super) fn ok(source: Source) -> Self {
        Self {
            http: StatusCode::OK,
            content_type: JSON,
            header: None,
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
        Self::json(serde_json::to_vec(value).expect("maps with text keys are JSON"))
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
        Self {
            http,
            content_type: "text/html",
            failure: true,
            ..Self::json(html)
        }
    }

    pub(super) fn with(self, name: HeaderName, value: &str) -> Self {
        Self {
            header: Some((name, value.to_owned())),
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
        for (name, text) in std::iter::once(date).chain(self.header) {
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
