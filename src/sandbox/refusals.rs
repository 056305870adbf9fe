//! What is answered in place of the right thing: refusals and injected faults.
//!
//! The service says one thing in several ways; where the contract knows more than one, they come
//! by turns.

use std::time::Duration;

use chrono::TimeDelta;
use hyper::StatusCode;
use hyper::header::RETRY_AFTER;

use super::faults::{Fault, FaultKind};
use super::reply::{Reply, http_date};
use super::vendor::Vendor;

/// "Number of queries exceeds the limit", as a sister API says it.
const SLOW_DOWN: u16 = 10705;

impl Vendor {
    /// What is answered in place of the right thing.
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
                    _ => http_date(self.now() + TimeDelta::seconds(1)),
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
            FaultKind::Reset
            | FaultKind::Truncated
            | FaultKind::TruncatedComplete
            | FaultKind::SlowBody
            | FaultKind::ShiftedPages
            | FaultKind::RepeatedPage => return None,
        };
        Some(reply)
    }

    /// Refused by the rate limit, in each way the contract knows by turns.
    pub(super) fn too_many(&self, wait: Duration) -> Reply {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        let turn = self.state().tally.turn("too many") % 4;
        match turn {
            0 => self.slow_down().with(RETRY_AFTER, &seconds.to_string()),
            1 => {
                let wait = TimeDelta::from_std(wait).unwrap_or_default() + TimeDelta::seconds(1);
                let date = http_date(self.now() + wait);
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

    /// HTTP 401 and body code 401 by turns.
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

    /// The text sits in `status` or in `message`, by turns.
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
