//! Tests of the whole request path against a scripted server.

mod holds;
mod listings;
mod pages;
mod redirects;
mod retries;
mod secrets;
mod signing_in;
mod transport;
mod waits;

use std::io::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use chrono::TimeDelta;
use futures_util::future::FutureExt as _;
use rstest::rstest;
use serde_json::{Value, json};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::listed::ListedWorkflow;
use super::listing::Listing;
use super::scripted::{Log, Reply, SeenRequest, Server, options};
use super::*;
use crate::clock::Clock;
use crate::event::{Event, Events};
use crate::job::{ApiOptions, PagingStyle};
use crate::task::{TaskId, WorkflowId};

/// Collects whole responses and the calls it received.
#[derive(Default)]
struct Whole {
    body: Vec<u8>,
    attempts: Vec<Attempt>,
    abandoned: usize,
    broken: bool,
}

impl AnswerSink for Whole {
    type Output = Value;
    type Error = io::Error;

    async fn begin(&mut self, attempt: Attempt) -> Result<(), AnswerFault<io::Error>> {
        self.body.clear();
        self.attempts.push(attempt);
        Ok(())
    }

    async fn chunk(&mut self, bytes: Bytes) -> Result<(), AnswerFault<io::Error>> {
        if self.broken {
            return Err(AnswerFault::Fatal(io::Error::other("disk full")));
        }
        self.body.extend_from_slice(&bytes);
        Ok(())
    }

    async fn finish(&mut self) -> Result<Verdict<Value>, AnswerFault<io::Error>> {
        let answer: Value =
            serde_json::from_slice(&self.body).map_err(|_| AnswerFault::NotJson {
                reason: "nonsense".to_owned(),
            })?;
        match answer["code"].as_i64() {
            Some(200) if answer["data"].is_null() => Err(AnswerFault::NoData),
            Some(200) => Ok(Verdict::Complete(answer["data"].clone())),
            code => Ok(Verdict::Refused {
                code: code.unwrap_or(-1),
            }),
        }
    }

    async fn abandon(&mut self) {
        self.abandoned += 1;
    }
}

fn client_with(options: ApiOptions, events: Events) -> ApiClient {
    ApiClient::new(options, Clock::system(), events, CancellationToken::new()).expect("valid")
}

fn client(server: &Server) -> (ApiClient, Arc<Log>) {
    let (log, events) = Log::events();
    (client_with(options(&server.base), events), log)
}

fn task() -> TaskId {
    TaskId::new("t1").expect("valid")
}

fn workflow() -> WorkflowId {
    WorkflowId::new("w1").expect("valid")
}

async fn detail(client: &ApiClient) -> Result<Value, DetailError<io::Error>> {
    client.task_detail(&task(), &mut Whole::default()).await
}

/// A gateway's error page.
fn web_page(status: u16) -> Reply {
    Reply::Full(status, Vec::new(), b"<html>MARKED</html>".to_vec())
}

fn fine() -> Reply {
    Reply::data(&json!({"TaskID": "t1"}))
}

/// Sends the first responses as given, then good ones.
async fn server_that(first: impl Fn(usize) -> Option<Reply> + Send + Sync + 'static) -> Server {
    Server::with_auth(move |_, n| first(n).unwrap_or_else(fine)).await
}
