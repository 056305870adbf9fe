//! Invariants of each parser of outside bytes, for the fuzz targets and for the tests that mutate
//! inputs of the same kind on every `cargo test`.
//!
//! A check panics if an invariant fails. It never touches the disk or the network, and its memory
//! is a small multiple of its input. The invariants of decoded rows are checked beside the fuzz
//! target `answer`.
//!
//! ```
//! use airudder_export::fuzzing::Reader;
//!
//! Reader::RetryAfter.check(b"Fri, 31 Dec 9999 23:59:59 GMT");
//! ```

use crate::{api, decode, job, lake};

/// A parser of untrusted bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// A page of a listing.
    Listing,
    /// The response to a sign-in.
    SignIn,
    /// A commit record.
    Record,
    /// A checkpoint of the commit log, and the ledger in it.
    Checkpoint,
    /// The marker of the last published commit.
    Marker,
    /// A day file.
    DayFile,
    /// A job file.
    JobFile,
    /// The value of a `Retry-After` header.
    RetryAfter,
    /// The text of a time, a date or a duration in a response.
    LocalTime,
}

impl Reader {
    /// All parsers, in the order of the variants.
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

    /// The name of its fuzz target, corpus and dictionary.
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

    /// Parses the bytes and checks the invariants of the result.
    ///
    /// # Panics
    /// If an invariant fails.
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
