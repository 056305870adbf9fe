//! Invariants for input from the network, whether the vendor or an intermediary sent it. See
//! [`crate::fuzzing`].

use std::num::NonZeroUsize;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use reqwest::header::{HeaderMap, HeaderValue, RETRY_AFTER};

use super::answer::{AnswerFault, AnswerSink, Attempt, Verdict};
use super::listed;
use super::paging::Page;
use super::retry_after::retry_after as wait_of;
use super::sign_in::SignIn;
use crate::decode::json::Json;
use crate::job::{ApiProfile, PagingStyle};
use crate::task::WorkflowId;

/// Whitespace does not change how a page is read; whatever a strict parser accepts is accepted
/// here; no item is lost: each entry is an item or is counted as one without a usable id.
pub(crate) fn listing(bytes: &[u8]) {
    let strict = serde_json::from_slice::<serde_json::Value>(bytes);
    let Ok(answer) = Json::parse(bytes) else {
        assert!(strict.is_err(), "a strict parser takes it");
        return;
    };
    let facts = facts(answer);
    if let Ok(strict) = strict {
        let spaced = serde_json::to_vec_pretty(&strict).expect("it was JSON");
        let spaced = Json::parse(&spaced).expect("it was JSON");
        // The strict parser keeps one of two equal keys, and rewrites some numbers and strings.
        if without_space(bytes) == strict.to_string().as_bytes() {
            assert_eq!(facts, self::facts(spaced), "white space means nothing");
        }
    }
}

/// For each paging style: entries, tasks and workflows read, and total and cursor in words.
fn facts(answer: Json<'_>) -> Vec<(usize, usize, usize, String)> {
    let profile = ApiProfile::default();
    let workflow = WorkflowId::new("w").expect("a short name");
    let mut by_cursor = profile.list_tasks.paging.clone();
    by_cursor.style = PagingStyle::Cursor {
        param: "cursor".to_owned(),
        next: "/data/next".to_owned(),
    };
    [&profile.list_tasks.paging, &by_cursor]
        .into_iter()
        .filter_map(|paging| Page::read(answer, paging).ok())
        .map(|page| {
            let entries = page.items().count();
            let tasks = page.items().filter(|item| {
                let task = listed::task(*item, &workflow, &profile.list_tasks, None);
                task.is_ok_and(|task| !task.id.as_str().is_empty())
            });
            let workflows = page.items().filter(|item| {
                let workflow = listed::workflow(*item, &profile.list_workflows);
                workflow.is_ok_and(|workflow| !workflow.id.as_str().is_empty())
            });
            let said = format!("{:?} {:?}", page.total, page.cursor);
            (entries, tasks.count(), workflows.count(), said)
        })
        .collect()
}

/// JSON without insignificant whitespace.
fn without_space(bytes: &[u8]) -> Vec<u8> {
    let (mut in_text, mut escaped) = (false, false);
    let is_kept = |byte: &u8| {
        let is_kept = in_text || !byte.is_ascii_whitespace();
        in_text ^= *byte == b'"' && !escaped;
        escaped = in_text && *byte == b'\\' && !escaped;
        is_kept
    };
    bytes.iter().copied().filter(is_kept).collect()
}

/// A sign-in gives the same result in whatever pieces it arrives; a token is a valid header value
/// and is not shown.
pub(crate) fn sign_in(bytes: &[u8]) {
    let whole = signed_in(bytes, bytes.len().max(1));
    for piece in [1, 7] {
        assert_eq!(whole, signed_in(bytes, piece), "in pieces of {piece}");
    }
    let header = whole.ok().flatten();
    if let Some(header) = header {
        assert!(header.is_sensitive(), "a token is not shown");
        assert!(
            header
                .as_bytes()
                .iter()
                .all(|byte| (b' '..=b'~').contains(byte))
        );
    }
}

fn signed_in(bytes: &[u8], piece: usize) -> Result<Option<HeaderValue>, String> {
    let profile = ApiProfile::default();
    let mut sink = SignIn::new(&profile, NonZeroUsize::MAX);
    let attempt = Attempt {
        number: 1,
        is_last: true,
        received_at: DateTime::<Utc>::UNIX_EPOCH,
    };
    let verdict = async {
        sink.begin(attempt).await?;
        for piece in bytes.chunks(piece) {
            sink.chunk(Bytes::copy_from_slice(piece)).await?;
        }
        sink.finish().await
    };
    let verdict: Result<_, AnswerFault> = verdict.now_or_never().expect("it waits for nothing");
    match verdict {
        Ok(Verdict::Complete(header)) => Ok(Some(header)),
        Ok(Verdict::Refused { .. }) => Ok(None),
        Err(fault) => Err(format!("{fault:?}")),
    }
}

/// A wait is a positive number of whole seconds within the limit.
pub(crate) fn retry_after(bytes: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(bytes) else {
        return;
    };
    let headers = HeaderMap::from_iter([(RETRY_AFTER, value)]);
    for now in [DateTime::<Utc>::UNIX_EPOCH, DateTime::<Utc>::MAX_UTC] {
        if let Some(wait) = wait_of(&headers, now) {
            assert!(wait.subsec_nanos() == 0 && wait >= Duration::from_secs(1));
            assert!(wait <= Duration::from_secs(u64::from(u32::MAX)));
        }
    }
}
