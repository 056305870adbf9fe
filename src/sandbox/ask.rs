//! Strict parsing of requests, so that a client's mistake about the API shows up in tests.

use chrono::{DateTime, Utc};
use hyper::header::CONTENT_TYPE;
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use url::form_urlencoded;

use super::endpoint::Endpoint;
use super::faults::Place;

/// A valid request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    SignIn {
        key: String,
        secret: String,
    },
    Workflows {
        from: Option<i64>,
        to: Option<i64>,
        page: PageAsk,
    },
    Tasks {
        workflow: String,
        page: PageAsk,
    },
    Detail {
        task: String,
    },
}

/// The requested page of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PageAsk {
    pub(super) number: usize,
    pub(super) size: usize,
    pub(super) cursor: Option<CursorAsk>,
}

/// A cursor sent by the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum CursorAsk {
    /// In a query, where every value is text.
    Text(String),
    /// In a body: its JSON, digit for digit.
    Json(String),
}

/// An invalid request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BadAsk {
    pub(super) http: StatusCode,
    pub(super) code: u16,
    pub(super) text: String,
}

fn bad(text: &str) -> BadAsk {
    BadAsk {
        http: StatusCode::OK,
        code: 400,
        text: text.to_owned(),
    }
}

impl Ask {
    pub(super) fn read(endpoint: Endpoint, head: &Parts, body: &[u8]) -> Result<Self, BadAsk> {
        let method = match endpoint {
            Endpoint::Unknown => {
                let http = StatusCode::NOT_FOUND;
                return Err(BadAsk {
                    http,
                    code: 404,
                    text: "no such path".to_owned(),
                });
            }
            Endpoint::ListWorkflows => Method::GET,
            _ => Method::POST,
        };
        if head.method != method {
            let text = format!("the method must be {method}");
            return Err(BadAsk {
                http: StatusCode::METHOD_NOT_ALLOWED,
                code: 405,
                text,
            });
        }
        if endpoint == Endpoint::ListWorkflows {
            return Self::read_query(head.uri.query().unwrap_or_default());
        }
        let json = head.headers.get(CONTENT_TYPE).is_some_and(|value| {
            value
                .as_bytes()
                .get(..16)
                .is_some_and(|v| v.eq_ignore_ascii_case(b"application/json"))
        });
        if !json {
            return Err(bad("Content-Type must be application/json"));
        }
        let Ok(Value::Object(fields)) = serde_json::from_slice(body) else {
            return Err(bad("the body is not a JSON object"));
        };
        match endpoint {
            Endpoint::Auth => Ok(Self::SignIn {
                key: text(&fields, "APPKey")?,
                secret: text(&fields, "APPSecret")?,
            }),
            Endpoint::ListTasks => Ok(Self::Tasks {
                workflow: text(&fields, "workflow_id")?,
                page: PageAsk {
                    number: number(&fields, "page", 1)?,
                    size: number(&fields, "page_size", 100)?,
                    cursor: cursor(body),
                },
            }),
            _ => Ok(Self::Detail {
                task: text(&fields, "task_id")?,
            }),
        }
    }

    fn read_query(query: &str) -> Result<Self, BadAsk> {
        let mut fields = Map::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            fields.insert(name.into_owned(), Value::String(value.into_owned()));
        }
        let page = PageAsk {
            number: number(&fields, "page", 1)?,
            size: number(&fields, "page_size", 100)?,
            cursor: fields
                .get("cursor")
                .and_then(Value::as_str)
                .map(|text| CursorAsk::Text(text.to_owned())),
        };
        Ok(Self::Workflows {
            from: time(&fields, "start_time")?,
            to: time(&fields, "end_time")?,
            page,
        })
    }

    /// The endpoint and subject, by which faults are selected.
    pub(super) fn subject(&self) -> (Place, String) {
        let place = |endpoint, page| Place { endpoint, page };
        match self {
            Self::SignIn { .. } => (place(Endpoint::Auth, 0), String::new()),
            Self::Workflows { from, to, page } => (
                place(Endpoint::ListWorkflows, page.number),
                format!("{from:?} {to:?} {}", page.subject()),
            ),
            Self::Tasks { workflow, page } => (
                place(Endpoint::ListTasks, page.number),
                format!("{workflow} {}", page.subject()),
            ),
            Self::Detail { task } => (place(Endpoint::TaskDetail, 0), task.clone()),
        }
    }
}

impl PageAsk {
    fn subject(&self) -> String {
        match &self.cursor {
            None => self.number.to_string(),
            Some(CursorAsk::Text(text) | CursorAsk::Json(text)) => text.clone(),
        }
    }
}

/// Keeps the digits of numbers beyond 64 bits.
fn cursor(body: &[u8]) -> Option<CursorAsk> {
    #[derive(Deserialize)]
    struct CursorBody<'a> {
        #[serde(borrow, default)]
        cursor: Option<&'a RawValue>,
    }
    let body: CursorBody<'_> = serde_json::from_slice(body).ok()?;
    let cursor = body.cursor?.get();
    (cursor != "null").then(|| CursorAsk::Json(cursor.to_owned()))
}

fn text(fields: &Map<String, Value>, name: &str) -> Result<String, BadAsk> {
    match fields.get(name) {
        Some(Value::String(text)) if !text.is_empty() => Ok(text.clone()),
        _ => Err(bad(&format!("{name} is missing or not a text"))),
    }
}

fn number(fields: &Map<String, Value>, name: &str, default: usize) -> Result<usize, BadAsk> {
    let number = match fields.get(name) {
        None | Some(Value::Null) => Some(default),
        Some(Value::String(text)) => text.parse().ok(),
        Some(value) => value
            .as_u64()
            .and_then(|number| usize::try_from(number).ok()),
    };
    number
        .filter(|number| *number > 0)
        .ok_or_else(|| bad(&format!("{name} is not a whole number above zero")))
}

fn time(fields: &Map<String, Value>, name: &str) -> Result<Option<i64>, BadAsk> {
    match fields.get(name) {
        None => Ok(None),
        Some(value) => match value
            .as_str()
            .and_then(|text| text.parse::<DateTime<Utc>>().ok())
        {
            Some(time) => Ok(Some(time.timestamp_micros())),
            None => Err(bad(&format!("{name} is not a time as in RFC 3339"))),
        },
    }
}
