//! What holds of each reader of bytes from outside, whatever the bytes: for the fuzz targets, and for
//! the tests that try changed inputs of the same kind on every run of `cargo test`.
//!
//! A check panics when something that should hold does not. It never touches the disk or the network,
//! and takes no more memory than a small multiple of what it is given. What an answer's reader must do
//! with rows is checked from outside, beside the fuzz target `answer`.
//!
//! ```
//! use airudder_export::fuzzing::Reader;
//!
//! Reader::RetryAfter.check(b"Fri, 31 Dec 9999 23:59:59 GMT");
//! ```

use crate::{api, decode, job, lake};

/// A reader of bytes that somebody else may have written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// A page of a listing.
    Listing,
    /// The answer to a sign-in.
    SignIn,
    /// A commit record.
    Record,
    /// A checkpoint of the commit log, and the ledger in it.
    Checkpoint,
    /// The marker that says how far commits are published.
    Marker,
    /// A day file.
    DayFile,
    /// A job file.
    JobFile,
    /// The value of a header `Retry-After`.
    RetryAfter,
    /// The text of a time, a date or a duration in an answer.
    LocalTime,
}

impl Reader {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Listing,
        Self::SignIn,
        Self::Record,
        Self::Checkpoint,
        Self::Marker,
        Self::DayFile,
        Self::JobFile,
        Self::RetryAfter,
        Self::LocalTime,
    ];

    /// The name of its fuzz target, of its corpus and of its dictionary.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Listing => "listing",
            Self::SignIn => "sign_in",
            Self::Record => "record",
            Self::Checkpoint => "checkpoint",
            Self::Marker => "marker",
            Self::DayFile => "day_file",
            Self::JobFile => "job_file",
            Self::RetryAfter => "retry_after",
            Self::LocalTime => "local_time",
        }
    }

    /// Reads the bytes, and holds what came of them against what must hold.
    ///
    /// # Panics
    /// When it does not.
    pub fn check(self, bytes: &[u8]) {
        match self {
            Self::Listing => api::outside::listing(bytes),
            Self::SignIn => api::outside::sign_in(bytes),
            Self::Record => lake::outside::record(bytes),
            Self::Checkpoint => lake::outside::checkpoint(bytes),
            Self::Marker => lake::outside::marker(bytes),
            Self::DayFile => lake::outside::day_file(bytes),
            Self::JobFile => job::outside::job_file(bytes),
            Self::RetryAfter => api::outside::retry_after(bytes),
            Self::LocalTime => decode::outside::local_time(bytes),
        }
    }
}
