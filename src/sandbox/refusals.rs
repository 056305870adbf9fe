//! Responses sent in place of the right one: rejections and injected faults.
//!
//! The service has several forms for the same error; where the contract lists more than one, they
//! alternate.

use std::time::Duration;

use chrono::TimeDelta;
use hyper::StatusCode;
use hyper::header::{LOCATION, PROXY_AUTHENTICATE, RETRY_AFTER, WWW_AUTHENTICATE};

use super::faults::{Fault, FaultFamily, FaultKind};
use super::reply::{HTML, JSON, Reply, asctime_date, http_date, rfc850_date};
use super::vendor::Vendor;

/// "Number of queries exceeds the limit", as documented for a sister API.
const SLOW_DOWN: u16 = 10705;

impl Vendor {
    /// The response that replaces the right one.
    pub(super) fn instead(&self, Fault { kind, roll }: Fault) -> Option<Reply> {
        let reply = match kind {
            FaultKind::Http500 => {
                self.failure(StatusCode::INTERNAL_SERVER_ERROR, 500, "internal error")
            }
            FaultKind::Http502 => Reply::page(StatusCode::BAD_GATEWAY),
            FaultKind::Http503 => Reply::page(StatusCode::SERVICE_UNAVAILABLE),
            FaultKind::Http504 => Reply::page(StatusCode::GATEWAY_TIMEOUT),
            FaultKind::RateLimited => self.slow_down(),
            FaultKind::RateLimitedRetryAfter => {
                let soon = match roll % 3 {
                    0 => "0".to_owned(),
                    1 => "1".to_owned(),
                    _ => http_date(self.wall() + TimeDelta::seconds(1)),
                };
                self.slow_down().with(RETRY_AFTER, &soon)
            }
            FaultKind::Html => Reply::page(StatusCode::OK),
            FaultKind::DataNull => Reply::json(r#"{"data":null,"status":"OK","code":200}"#),
            FaultKind::BodyCode500 => self.failure(StatusCode::OK, 500, "system busy"),
            FaultKind::SlowDownCode => self.too_often(),
            FaultKind::ExpiredToken => {
                self.state().tokens.expire();
                self.unauthorized()
            }
            FaultKind::VanishedTask => self.failure(StatusCode::OK, 404, "task not found"),
            kind => match kind.family() {
                FaultFamily::Gateway => gateway(kind),
                FaultFamily::RetryAfter => {
                    let soon = self.wall() + TimeDelta::seconds(1);
                    let wait = match kind {
                        FaultKind::RetryAfterDecimal if roll.is_multiple_of(2) => "0.5".to_owned(),
                        FaultKind::RetryAfterDecimal => "1.5".to_owned(),
                        FaultKind::RetryAfterRfc850 => rfc850_date(soon),
                        FaultKind::RetryAfterAsctime => asctime_date(soon),
                        _ => http_date(soon),
                    };
                    self.slow_down().with(RETRY_AFTER, &wait)
                }
                // The right response, with another ending or of another page.
                _ => return None,
            },
        };
        Some(reply)
    }

    /// A rate-limit response, alternating between the forms of the contract.
    pub(super) fn too_many(&self, wait: Duration) -> Reply {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        let turn = self.state().tally.turn("too many") % 4;
        match turn {
            0 => self.slow_down().with(RETRY_AFTER, &seconds.to_string()),
            1 => {
                let wait = TimeDelta::from_std(wait).unwrap_or_default() + TimeDelta::seconds(1);
                let date = http_date(self.wall() + wait);
                self.slow_down().with(RETRY_AFTER, &date)
            }
            2 => self.slow_down(),
            _ => self.too_often(),
        }
    }

    pub(super) fn slow_down(&self) -> Reply {
        self.failure(StatusCode::TOO_MANY_REQUESTS, 429, "too many requests")
    }

    pub(super) fn too_often(&self) -> Reply {
        self.failure(
            StatusCode::OK,
            SLOW_DOWN,
            "number of queries exceeds the limit",
        )
    }

    /// HTTP 401 and body code 401 in turn.
    pub(super) fn unauthorized(&self) -> Reply {
        let mut state = self.state();
        state.tally.stats.unauthorized += 1;
        let http = match state.tally.turn("unauthorized") % 2 {
            0 => StatusCode::UNAUTHORIZED,
            _ => StatusCode::OK,
        };
        drop(state);
        self.failure(http, 401, "Unauthorized")
    }

    /// The message is in `status` or in `message`, in turn.
    pub(super) fn failure(&self, http: StatusCode, code: u16, text: &str) -> Reply {
        let turn = self.state().tally.turn("wording");
        Reply::failure(
            http,
            if turn.is_multiple_of(2) {
                format!(r#"{{"data":null,"status":"{text}","code":{code}}}"#)
            } else {
                format!(r#"{{"data":null,"message":"{text}","status":"FAIL","code":{code}}}"#)
            },
        )
    }
}

/// The response of an intermediary, without any part of the vendor's envelope.
fn gateway(kind: FaultKind) -> Reply {
    const LOGIN: &str = "<!DOCTYPE html>\n<html lang=\"en\"><head><title>Sign in</title></head>\n\
        <body><form method=\"post\" action=\"/login\"><input name=\"user\">\
        <input name=\"password\" type=\"password\"><button>Sign in</button></form></body></html>\n";
    match kind {
        FaultKind::Gateway302 => Reply::page(StatusCode::FOUND).with(LOCATION, "/portal/login"),
        FaultKind::Gateway401 => {
            Reply::page(StatusCode::UNAUTHORIZED).with(WWW_AUTHENTICATE, "Basic realm=\"portal\"")
        }
        FaultKind::Gateway403 => Reply::page(StatusCode::FORBIDDEN),
        FaultKind::Gateway404Json => Reply::foreign(
            StatusCode::NOT_FOUND,
            JSON,
            "{\"message\":\"no Route matched with those values\"}",
        ),
        FaultKind::Gateway407 => Reply::page(StatusCode::PROXY_AUTHENTICATION_REQUIRED)
            .with(PROXY_AUTHENTICATE, "Basic realm=\"proxy\""),
        FaultKind::GatewayEmpty => Reply::foreign(StatusCode::OK, HTML, ""),
        FaultKind::GatewayLogin => Reply::foreign(StatusCode::OK, HTML, LOGIN),
        FaultKind::GatewayMaintenance => {
            Reply::page(StatusCode::SERVICE_UNAVAILABLE).with(RETRY_AFTER, "0")
        }
        _ => Reply::page(StatusCode::NOT_FOUND),
    }
}
