//! The kinds of faults and quirks, by family.
//!
//! Kinds without a colon, and those of `gateway`, `retry_after` and `header`, affect single
//! requests and pass. All others are *quirks*: a permanent property of the vendor, a listing, an
//! item or a task, whatever the number of requests.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! kinds {
    ($($family:ident { $($(#[doc = $doc:literal])+ $kind:ident = $name:literal,)* })*) => {
        /// One deviation of a request, a listing, an item or a response.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum FaultKind {
            $($($(#[doc = $doc])+ #[serde(rename = $name)] $kind,)*)*
        }

        impl FaultKind {
            /// Every kind, by family.
            pub const ALL: &'static [Self] = &[$($(Self::$kind),*),*];

            /// The name in `--faults` and in the statistics.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $($(Self::$kind => $name,)*)*
                }
            }

            /// The family of this kind.
            #[must_use]
            pub fn family(self) -> FaultFamily {
                match self {
                    $($(Self::$kind)|* => FaultFamily::$family,)*
                }
            }
        }
    };
}

kinds! {
    Request {
        /// HTTP 500 with the vendor's envelope.
        Http500 = "http_500",
        /// HTTP 502 with a proxy's page.
        Http502 = "http_502",
        /// HTTP 503 with a proxy's page.
        Http503 = "http_503",
        /// HTTP 504 with a proxy's page.
        Http504 = "http_504",
        /// HTTP 429 without `Retry-After`.
        RateLimited = "rate_limited",
        /// HTTP 429 with `Retry-After`, in seconds (0 or 1) or as a date.
        RateLimitedRetryAfter = "rate_limited_retry_after",
        /// The connection is reset, before or within the response.
        Reset = "reset",
        /// The connection is closed before the response is complete.
        Truncated = "truncated",
        /// The response is complete for HTTP, but its JSON is truncated.
        TruncatedComplete = "truncated_complete",
        /// The first part of the response arrives slowly, within a second.
        SlowBody = "slow_body",
        /// HTTP 200 with a web page.
        Html = "html",
        /// `"data": null` with code 200.
        DataNull = "data_null",
        /// HTTP 200 with body code 500.
        BodyCode500 = "body_code_500",
        /// HTTP 200 with body code 10705.
        SlowDownCode = "slow_down_code",
        /// The token is invalidated for all requests: HTTP 401 or body code 401 in turn.
        ExpiredToken = "expired_token",
        /// A listing shifted by one: one item twice, one missing, another total.
        ShiftedPages = "shifted_pages",
        /// A listing returns the previous page again.
        RepeatedPage = "repeated_page",
        /// Body code 404 for a listed task, this time.
        VanishedTask = "vanished_task",
    }
    Page {
        /// One item of the page is missing, this time; the total counts it.
        PageShort = "page:short",
    }
    Gateway {
        /// HTTP 302 to a login page.
        Gateway302 = "gateway:302",
        /// HTTP 401 with the page of a captive portal.
        Gateway401 = "gateway:401",
        /// HTTP 403 with a firewall's page.
        Gateway403 = "gateway:403",
        /// HTTP 404 with a gateway's page.
        Gateway404 = "gateway:404",
        /// HTTP 404 with JSON that is not the vendor's envelope.
        Gateway404Json = "gateway:404_json",
        /// HTTP 407 with a proxy's page.
        Gateway407 = "gateway:407",
        /// HTTP 200 with an empty body.
        GatewayEmpty = "gateway:empty",
        /// HTTP 200 with a login page.
        GatewayLogin = "gateway:login",
        /// HTTP 503 with a maintenance page and a `Retry-After`.
        GatewayMaintenance = "gateway:maintenance",
    }
    RetryAfter {
        /// HTTP 429 with `Retry-After: 0.5` or `1.5`.
        RetryAfterDecimal = "retry_after:decimal",
        /// … with a date as in `Sun, 06 Nov 1994 08:49:37 GMT`.
        RetryAfterImf = "retry_after:imf",
        /// … with a date as in `Sunday, 06-Nov-94 08:49:37 GMT`.
        RetryAfterRfc850 = "retry_after:rfc850",
        /// … with a date as in `Sun Nov  6 08:49:37 1994`.
        RetryAfterAsctime = "retry_after:asctime",
    }
    Header {
        /// A header line with a space before its colon. The rest of the response is valid.
        HeaderSpace = "header:space",
    }
    Date {
        /// The `Date` of every response is some hours behind (`=N`, default 6; negative: ahead).
        DateBehind = "date:behind",
    }
    Gzip {
        /// Gzip data of several members.
        GzipMembers = "gzip:members",
        /// `Content-Encoding: GZIP`.
        GzipUpper = "gzip:upper",
        /// `Content-Encoding: x-gzip`.
        GzipX = "gzip:x",
    }
    Json {
        /// A byte order mark before the JSON.
        JsonBom = "json:bom",
        /// Every key contains an escape.
        JsonEscapedKeys = "json:escaped_keys",
        /// A number that overflows a double: `1e400`.
        JsonHugeNumber = "json:huge_number",
        /// A lone surrogate in a name.
        JsonHalfSurrogate = "json:half_surrogate",
        /// A bare `NaN`; in a detail response in place of an amount.
        JsonNan = "json:nan",
        /// The total, or a response's status, twice with the same value.
        JsonTwinEqual = "json:twin_equal",
        /// The total twice, with different values.
        JsonTwinTotal = "json:twin_total",
        /// A status twice, with different values.
        JsonTwinStatus = "json:twin_status",
        /// An id twice, with different values.
        JsonTwinId = "json:twin_id",
        /// The envelope's code twice, with different values.
        JsonTwinCode = "json:twin_code",
    }
    Total {
        /// The number of items on the page.
        TotalPage = "total:page",
        /// On the first page only.
        TotalFirstPage = "total:first_page",
        /// Capped (`=N`, default 10,000).
        TotalCapped = "total:capped",
        /// Always -1.
        TotalMinusOne = "total:minus_one",
        /// Always 0.
        TotalZero = "total:zero",
        /// As a float: `250.0`.
        TotalFloat = "total:float",
        /// As a string: `"250"`.
        TotalText = "total:text",
        /// As a word: `"many"`.
        TotalWord = "total:word",
        /// Null.
        TotalNull = "total:null",
        /// Absent.
        TotalMissing = "total:missing",
        /// Off by a number (`=N`, default 1; negative: too few).
        TotalOff = "total:off",
    }
    PageCap {
        /// A page has at most this many items, whatever is requested (`=N`, default 3).
        PageCap = "page:cap",
    }
    Cursor {
        /// Paged by a cursor in `/data/next` that the client sends as `cursor`: a string.
        CursorText = "cursor:text",
        /// … a number of 23 digits.
        CursorNumber = "cursor:number",
        /// … `true`; such a listing has two pages.
        CursorBool = "cursor:bool",
        /// … an object.
        CursorNested = "cursor:nested",
    }
    Empty {
        /// A page without items has `"list": null`.
        EmptyNull = "empty:null",
        /// … `"list": {}`.
        EmptyObject = "empty:object",
        /// … `"list": ""`.
        EmptyText = "empty:text",
        /// … no `list`.
        EmptyMissing = "empty:missing",
        /// … `"data": null`.
        EmptyDataNull = "empty:data_null",
        /// … `"data": {}`.
        EmptyDataObject = "empty:data_object",
    }
    Item {
        /// No id.
        ItemNoId = "item:no_id",
        /// Its id is null.
        ItemNullId = "item:null_id",
        /// Its id is an empty string.
        ItemEmptyId = "item:empty_id",
        /// Its id is whitespace.
        ItemBlankId = "item:blank_id",
        /// Its id has 2,000 letters.
        ItemLongId = "item:long_id",
        /// Its id is a number of 20 digits, beyond 64 bits.
        ItemNumberId = "item:number_id",
        /// Its id is a number of 30 digits.
        ItemLongNumberId = "item:long_number_id",
        /// Null, `true` or a list in place of an object.
        ItemNoObject = "item:no_object",
        /// It is listed twice, and counted twice.
        ItemTwice = "item:twice",
    }
    Status {
        /// An unknown word: `completed` for a final task.
        StatusCompleted = "status:completed",
        /// An unknown word: `stopped` for a final task.
        StatusStopped = "status:stopped",
        /// Absent.
        StatusMissing = "status:missing",
        /// Null.
        StatusNull = "status:null",
        /// An empty string.
        StatusEmpty = "status:empty",
        /// A number.
        StatusNumber = "status:number",
    }
    Start {
        /// The scheduled start is a word.
        StartWord = "start:word",
        /// … seconds since 1970.
        StartEpoch = "start:epoch",
        /// … a time in the source zone without an offset.
        StartNoZone = "start:no_zone",
        /// … with the offset of the source zone, and a space in place of the `T`.
        StartOffset = "start:offset",
        /// … an empty string.
        StartEmpty = "start:empty",
        /// … null.
        StartNull = "start:null",
        /// … absent.
        StartMissing = "start:missing",
        /// … the zero time of year 1.
        StartZero = "start:zero",
        /// … at the end of year 9999.
        StartFar = "start:far",
    }
    End {
        /// The scheduled end is a word.
        EndWord = "end:word",
        /// … seconds since 1970.
        EndEpoch = "end:epoch",
        /// … a time in the source zone without an offset.
        EndNoZone = "end:no_zone",
        /// … with the offset of the source zone, and a space in place of the `T`.
        EndOffset = "end:offset",
        /// … an empty string.
        EndEmpty = "end:empty",
        /// … null.
        EndNull = "end:null",
        /// … absent.
        EndMissing = "end:missing",
        /// … the zero time of year 1.
        EndZero = "end:zero",
        /// … at the end of year 9999.
        EndFar = "end:far",
    }
    Workflow {
        /// It is listed, and its task listing returns body code 404.
        WorkflowGone = "workflow:gone",
        /// Its task listing always returns body code 500.
        WorkflowFails = "workflow:fails",
    }
    Answer {
        /// `STATUS` in place of `Status`.
        AnswerStatusCase = "answer:status_case",
        /// No `Status`.
        AnswerNoStatus = "answer:no_status",
        /// `"Status": "completed"` when it is final.
        AnswerStatusWord = "answer:status_word",
        /// `Details` in place of `detail`.
        AnswerDetailRenamed = "answer:detail_renamed",
        /// `Detail` in place of `detail`.
        AnswerDetailCase = "answer:detail_case",
        /// `detail` is an object of calls by index.
        AnswerDetailObject = "answer:detail_object",
        /// The task has no calls, and `"detail": null`.
        AnswerDetailNull = "answer:detail_null",
        /// 20 hours after its end the task calls again for 2 hours, with additional calls.
        AnswerReopened = "answer:reopened",
        /// Half of its calls are gone after its first complete response.
        AnswerPurged = "answer:purged",
        /// Its scheduled end is in the year 2099, in the listing and in the detail response.
        AnswerEndFar = "answer:end_far",
    }
}

/// The default share of requests.
pub(super) const DEFAULT_RATE: f64 = 0.2;

/// A group of kinds that exclude one another and share one probability.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FaultFamily {
    /// A request fails, and succeeds on a retry: the kinds that `all` stands for.
    Request,
    /// A page of a listing is wrong, and correct on a retry.
    Page,
    /// A gateway, proxy or captive portal responds in place of the vendor.
    Gateway,
    /// Less common forms of `Retry-After`.
    RetryAfter,
    /// A header line that violates HTTP.
    Header,
    /// The vendor's clock.
    Date,
    /// The compression of responses, for clients that accept it.
    Gzip,
    /// JSON that a strict or a careless parser gets wrong.
    Json,
    /// The value in place of a listing's total.
    Total,
    /// The size of pages.
    PageCap,
    /// Listings paged by a cursor.
    Cursor,
    /// The form of an empty page.
    Empty,
    /// Items of a listing.
    Item,
    /// A task's status, as listed.
    Status,
    /// A task's scheduled start, as listed.
    Start,
    /// A task's scheduled end, as listed.
    End,
    /// Workflows whose tasks cannot be listed.
    Workflow,
    /// The detail response of a task.
    Answer,
}

impl FaultFamily {
    /// All families, in the order in which help lists them.
    pub const ALL: [Self; 18] = [
        Self::Request,
        Self::Gateway,
        Self::RetryAfter,
        Self::Header,
        Self::Page,
        Self::Total,
        Self::PageCap,
        Self::Cursor,
        Self::Empty,
        Self::Workflow,
        Self::Item,
        Self::Status,
        Self::Start,
        Self::End,
        Self::Answer,
        Self::Json,
        Self::Gzip,
        Self::Date,
    ];

    /// The kinds of this family.
    pub fn kinds(self) -> impl Iterator<Item = FaultKind> {
        FaultKind::ALL
            .iter()
            .copied()
            .filter(move |kind| kind.family() == self)
    }

    /// The name before the colon, which stands for all kinds of the family; `all` for those without
    /// one.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Request => "all",
            Self::Gateway => "gateway",
            Self::RetryAfter => "retry_after",
            Self::Header => "header",
            Self::Date => "date",
            Self::Gzip => "gzip",
            Self::Json => "json",
            Self::Total => "total",
            Self::Page | Self::PageCap => "page",
            Self::Cursor => "cursor",
            Self::Empty => "empty",
            Self::Item => "item",
            Self::Status => "status",
            Self::Start => "start",
            Self::End => "end",
            Self::Workflow => "workflow",
            Self::Answer => "answer",
        }
    }

    /// Whether its kinds affect single requests and pass.
    #[must_use]
    pub fn passes(self) -> bool {
        matches!(
            self,
            Self::Request | Self::Page | Self::Gateway | Self::RetryAfter | Self::Header
        )
    }

    /// The population of its share.
    #[must_use]
    pub fn share_of(self) -> &'static str {
        match self {
            Self::Request | Self::Page | Self::Gateway | Self::RetryAfter | Self::Header => {
                "requests"
            }
            Self::Total | Self::PageCap | Self::Cursor | Self::Empty => "listings",
            Self::Item => "items",
            Self::Status | Self::Start | Self::End | Self::Answer => "tasks",
            Self::Workflow => "workflows",
            Self::Gzip | Self::Json | Self::Date => "answers",
        }
    }

    /// The default share. Kinds that concern a whole listing or the vendor always apply.
    #[must_use]
    pub fn default_share(self) -> f64 {
        match self {
            Self::Total | Self::PageCap | Self::Cursor | Self::Empty | Self::Date => 1.0,
            _ => DEFAULT_RATE,
        }
    }
}

impl FaultKind {
    /// The default number (as in `total:off=2`); `None` if the kind takes no number.
    #[must_use]
    pub fn default_number(self) -> Option<i64> {
        match self {
            Self::DateBehind => Some(6),
            Self::TotalCapped => Some(10_000),
            Self::TotalOff => Some(1),
            Self::PageCap => Some(3),
            _ => None,
        }
    }

    /// Whether the kind accepts this number.
    pub(super) fn takes(self, number: i64) -> bool {
        match self {
            Self::DateBehind => (-100_000..=100_000).contains(&number),
            Self::TotalCapped => number >= 0,
            Self::TotalOff => number != 0,
            Self::PageCap => number > 0,
            _ => false,
        }
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
