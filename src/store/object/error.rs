//! Classifies an object store's refusal: its kind, and a text that is safe to print.
//!
//! Errors of `object_store` contain addresses, which may carry a signature, and complete server
//! answers, which may repeat what was sent. Only the status, the server's own error code and the
//! innermost cause are kept.

use std::error::Error as StdError;

use object_store::Error;
use object_store::client::HttpError;

use super::credentials::NoCredentials;
use super::error_code::{OF_EXPIRY, OF_THE_CLOCK, code};
use crate::store::fault::{Fault, FaultKind};

/// Prefix of `object_store`'s text for a status; its types are not public.
const STATUS: &str = "status code: ";

impl Fault {
    pub(super) fn of(error: &Error) -> Self {
        if let Some(problem) = no_credentials(error) {
            let kind = if problem.is_first {
                FaultKind::NoCredentials
            } else {
                FaultKind::LostCredentials
            };
            return Self::new(kind, problem.to_string());
        }
        let mut kind = match error {
            Error::NotFound { .. } => FaultKind::Missing,
            Error::AlreadyExists { .. } | Error::Precondition { .. } => FaultKind::Conflict,
            Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => FaultKind::Refused,
            Error::NotSupported { .. } | Error::NotImplemented { .. } => FaultKind::Unsupported,
            _ => FaultKind::Other,
        };
        let told = innermost(error);
        let what = if let Some(status) = status(&told) {
            kind = match status {
                401 | 403 => FaultKind::Refused,
                404 => FaultKind::Missing,
                405 | 501 => FaultKind::Unsupported,
                429 | 500.. => FaultKind::Unreachable,
                _ => kind,
            };
            if code(&told).is_some_and(|code| OF_THE_CLOCK.contains(&code)) {
                kind = FaultKind::Clock;
            }
            if code(&told).is_some_and(|code| OF_EXPIRY.contains(&code)) {
                kind = FaultKind::Expired;
            }
            match code(&told) {
                Some(code) => format!("the store answered {status} ({code})"),
                None => format!("the store answered {status}"),
            }
        } else if lacks_credentials(error) {
            kind = FaultKind::Refused;
            "no credentials were found, and this machine offers none of its own".to_owned()
        } else {
            if causes(error).any(<dyn StdError>::is::<HttpError>) {
                kind = FaultKind::Unreachable;
            }
            told
        };
        Self::new(kind, what)
    }

    /// Whether the store reported an unknown upload.
    pub(super) fn is_gone(error: &Error) -> bool {
        // Azure has no upload ids, and reports an invalid block list.
        let words = ["NoSuchUpload", "InvalidBlockList"];
        if cfg!(test) && innermost(error).starts_with("MultipartUpload not found") {
            return true;
        }
        matches!(error, Error::NotFound { .. })
            || code(&innermost(error)).is_some_and(|code| words.contains(&code))
    }

    /// Whether a retry may succeed: the connection broke, the response was truncated or malformed,
    /// or the store had a temporary failure. Not errors about the request itself.
    pub(super) fn is_passing(error: &Error) -> bool {
        if Self::is_gone(error) {
            return false;
        }
        let told = innermost(error);
        match (error, status(&told)) {
            (_, Some(status)) => matches!(status, 200..300 | 408 | 429 | 500 | 502..),
            (Error::Generic { .. }, None) => {
                !lacks_credentials(error) && no_credentials(error).is_none()
            }
            _ => false,
        }
    }
}

/// Whether the client found no credentials, not even those of its machine.
fn lacks_credentials(error: &Error) -> bool {
    causes(error).any(|cause| cause.to_string().contains("169.254.169.254"))
}

/// Why the command that prints the credentials printed none.
fn no_credentials(error: &Error) -> Option<&NoCredentials> {
    causes(error).find_map(<dyn StdError>::downcast_ref)
}

fn causes(error: &Error) -> impl Iterator<Item = &(dyn StdError + 'static)> {
    let first: &(dyn StdError + 'static) = error;
    std::iter::successors(Some(first), |cause: &&(dyn StdError + 'static)| {
        (*cause).source()
    })
}

/// The text of the innermost cause.
fn innermost(error: &Error) -> String {
    causes(error)
        .last()
        .map(ToString::to_string)
        .unwrap_or_default()
}

fn status(told: &str) -> Option<u16> {
    let (_, rest) = told.split_once(STATUS)?;
    rest.get(..3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_s_own_word_is_taken_and_nothing_else_of_its_answer() {
        let body = "<Error><Code>NoSuchUpload</Code><StringToSign>secret</StringToSign></Error>";
        assert_eq!(code(body), Some("NoSuchUpload"));
        assert_eq!(code("<Code>a b</Code>"), None);
        assert_eq!(code("oops"), None);
        let told = "Server returned non-2xx status code: 404 Not Found: <Code>NoSuchKey</Code>";
        assert_eq!((status(told), code(told)), (Some(404), Some("NoSuchKey")));
    }

    #[test]
    fn a_clock_that_is_off_is_named() {
        let source = "Server returned non-2xx status code: 403 Forbidden: \
                      <Error><Code>RequestTimeTooSkewed</Code></Error>";
        let error = Error::PermissionDenied {
            path: "x".to_owned(),
            source: source.into(),
        };
        let fault = Fault::of(&error);
        assert_eq!(fault.kind(), FaultKind::Clock);
        assert!(
            fault.to_string().contains("clock of this machine"),
            "{fault}"
        );
        assert!(!Fault::is_passing(&error));
    }

    #[test]
    fn what_a_caller_can_do_follows_from_the_kind() {
        let error = Error::NotFound {
            path: "x".to_owned(),
            source: "no such key".into(),
        };
        let fault = Fault::of(&error);
        assert_eq!(fault.kind(), FaultKind::Missing);
        assert!(
            fault
                .to_string()
                .starts_with("no such key; does the bucket")
        );
    }
}
