//! The names of everything that can go wrong, by family.
//!
//! A kind without a colon, and the kinds of `gateway`, `retry_after` and `header`, happen to single
//! requests and pass. All others are *quirks*: a property of the vendor, a listing, an item or a
//! task that stays as it is however often it is asked for.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! kinds {
    ($($family:ident { $($(#[doc = $doc:literal])+ $kind:ident = $name:literal,)* })*) => {
        /// One way for a request, a listing, an item or an answer to be other than expected.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum FaultKind {
            $($($(#[doc = $doc])+ #[serde(rename = $name)] $kind,)*)*
        }

        impl FaultKind {
            /// Every kind, family by family.
            pub const ALL: &'static [Self] = &[$($(Self::$kind),*),*];

            /// The name in `--faults` and in the statistics.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $($(Self::$kind => $name,)*)*
                }
            }

            /// What it is one way of.
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
        /// HTTP 429 that doesn't say for how long.
        RateLimited = "rate_limited",
        /// HTTP 429 with `Retry-After`, in seconds (0 or 1) or as a date.
        RateLimitedRetryAfter = "rate_limited_retry_after",
        /// The connection is reset, before the answer or within it.
        Reset = "reset",
        /// The connection is closed before the answer is complete.
        Truncated = "truncated",
        /// The answer is complete for HTTP, but its JSON ends early.
        TruncatedComplete = "truncated_complete",
        /// The first part of the answer dribbles in, for a second at most.
        SlowBody = "slow_body",
        /// HTTP 200 with a web page.
        Html = "html",
        /// `"data": null` with code 200.
        DataNull = "data_null",
        /// HTTP 200 with body code 500.
        BodyCode500 = "body_code_500",
        /// HTTP 200 with body code 10705.
        SlowDownCode = "slow_down_code",
        /// The token is no longer valid, for any request: HTTP 401 or body code 401 by turns.
        ExpiredToken = "expired_token",
        /// A listing moved by one: one item twice, one not at all, another total.
        ShiftedPages = "shifted_pages",
        /// A listing answers with the page before.
        RepeatedPage = "repeated_page",
        /// A listed task is answered with body code 404, this time.
        VanishedTask = "vanished_task",
    }
    Page {
        /// One item of the page is left out, this time; the total counts it.
        PageShort = "page:short",
    }
    Gateway {
        /// HTTP 302 to a login page.
        Gateway302 = "gateway:302",
        /// HTTP 401 of a portal, with its page.
        Gateway401 = "gateway:401",
        /// HTTP 403 with a firewall's page.
        Gateway403 = "gateway:403",
        /// HTTP 404 with a gateway's page.
        Gateway404 = "gateway:404",
        /// HTTP 404 with JSON that is not the vendor's envelope.
        Gateway404Json = "gateway:404_json",
        /// HTTP 407 with a proxy's page.
        Gateway407 = "gateway:407",
        /// HTTP 200 with nothing in it.
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
        /// A header line with a space before its colon. The rest of the answer is right.
        HeaderSpace = "header:space",
    }
    Date {
        /// The `Date` of every answer is some hours behind (`=N`, default 6; negative: ahead).
        DateBehind = "date:behind",
    }
    Gzip {
        /// Compressed in several members.
        GzipMembers = "gzip:members",
        /// `Content-Encoding: GZIP`.
        GzipUpper = "gzip:upper",
        /// `Content-Encoding: x-gzip`.
        GzipX = "gzip:x",
    }
    Json {
        /// A byte order mark before the JSON.
        JsonBom = "json:bom",
        /// Every key is spelled with an escape.
        JsonEscapedKeys = "json:escaped_keys",
        /// A number that no double holds: `1e400`.
        JsonHugeNumber = "json:huge_number",
        /// Half a surrogate pair in a name.
        JsonHalfSurrogate = "json:half_surrogate",
        /// A bare `NaN`, in an answer in place of an amount.
        JsonNan = "json:nan",
        /// The total, or an answer's status, twice with the same value.
        JsonTwinEqual = "json:twin_equal",
        /// The total twice, with two values.
        JsonTwinTotal = "json:twin_total",
        /// A status twice, with two values.
        JsonTwinStatus = "json:twin_status",
        /// An id twice, with two values.
        JsonTwinId = "json:twin_id",
        /// The envelope's code twice, with two values.
        JsonTwinCode = "json:twin_code",
    }
    Total {
        /// The items of this page.
        TotalPage = "total:page",
        /// On the first page only.
        TotalFirstPage = "total:first_page",
        /// No more than so many (`=N`, default 10,000).
        TotalCapped = "total:capped",
        /// Always -1.
        TotalMinusOne = "total:minus_one",
        /// Always 0.
        TotalZero = "total:zero",
        /// As a float: `250.0`.
        TotalFloat = "total:float",
        /// As a text: `"250"`.
        TotalText = "total:text",
        /// As a word: `"many"`.
        TotalWord = "total:word",
        /// Null.
        TotalNull = "total:null",
        /// Not there.
        TotalMissing = "total:missing",
        /// Wrong by so many (`=N`, default 1; negative: too few).
        TotalOff = "total:off",
    }
    PageCap {
        /// No page has more items than this, whatever is asked for (`=N`, default 3).
        PageCap = "page:cap",
    }
    Cursor {
        /// Paged by a cursor in `/data/next` that is to come back as `cursor`: a text.
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
        /// Without its id.
        ItemNoId = "item:no_id",
        /// Its id is null.
        ItemNullId = "item:null_id",
        /// Its id is an empty text.
        ItemEmptyId = "item:empty_id",
        /// Its id is white space.
        ItemBlankId = "item:blank_id",
        /// Its id has 2,000 letters.
        ItemLongId = "item:long_id",
        /// Its id is a number of 20 digits, beyond 64 bits.
        ItemNumberId = "item:number_id",
        /// Its id is a number of 30 digits.
        ItemLongNumberId = "item:long_number_id",
        /// Null, `true` or a list, and no object.
        ItemNoObject = "item:no_object",
        /// It is listed twice, and counted twice.
        ItemTwice = "item:twice",
    }
    Status {
        /// A word nobody knows: `completed` for a final task.
        StatusCompleted = "status:completed",
        /// A word nobody knows: `stopped` for a final task.
        StatusStopped = "status:stopped",
        /// Not there.
        StatusMissing = "status:missing",
        /// Null.
        StatusNull = "status:null",
        /// An empty text.
        StatusEmpty = "status:empty",
        /// A number.
        StatusNumber = "status:number",
    }
    Start {
        /// The scheduled start is a word.
        StartWord = "start:word",
        /// … seconds since 1970.
        StartEpoch = "start:epoch",
        /// … a time of the source zone that doesn't name it.
        StartNoZone = "start:no_zone",
        /// … with the offset of the source zone, and a space in place of the `T`.
        StartOffset = "start:offset",
        /// … an empty text.
        StartEmpty = "start:empty",
        /// … null.
        StartNull = "start:null",
        /// … not there.
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
        /// … a time of the source zone that doesn't name it.
        EndNoZone = "end:no_zone",
        /// … with the offset of the source zone, and a space in place of the `T`.
        EndOffset = "end:offset",
        /// … an empty text.
        EndEmpty = "end:empty",
        /// … null.
        EndNull = "end:null",
        /// … not there.
        EndMissing = "end:missing",
        /// … the zero time of year 1.
        EndZero = "end:zero",
        /// … at the end of year 9999.
        EndFar = "end:far",
    }
    Workflow {
        /// It is listed, and the list of its tasks is body code 404.
        WorkflowGone = "workflow:gone",
        /// The list of its tasks is always body code 500.
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
        /// `detail` is an object of calls by their number.
        AnswerDetailObject = "answer:detail_object",
        /// The task has no calls, and `"detail": null`.
        AnswerDetailNull = "answer:detail_null",
        /// 20 hours after its end the task calls again, for 2 hours, and has more calls then.
        AnswerReopened = "answer:reopened",
        /// After its first complete answer half of its calls are gone.
        AnswerPurged = "answer:purged",
        /// Its scheduled end is in the year 2099, in the listing and in the answer.
        AnswerEndFar = "answer:end_far",
    }
}

/// Kinds that exclude one another, and share one chance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FaultFamily {
    /// A request fails, and passes when it is repeated: what `all` stands for.
    Request,
    /// A page of a listing is wrong, and right when it is repeated.
    Page,
    /// A gateway, a proxy or a portal answers in place of the vendor.
    Gateway,
    /// How long to wait, said in less common forms.
    RetryAfter,
    /// A header line that breaks the rules.
    Header,
    /// The vendor's clock.
    Date,
    /// How answers are compressed, for clients that accept it.
    Gzip,
    /// JSON that a strict or a careless reader gets wrong.
    Json,
    /// What stands for the total of a listing.
    Total,
    /// The size of pages.
    PageCap,
    /// Listings paged by a cursor.
    Cursor,
    /// What a page without items looks like.
    Empty,
    /// Items of a listing.
    Item,
    /// A task's status, as listed.
    Status,
    /// A task's scheduled start, as listed.
    Start,
    /// A task's scheduled end, as listed.
    End,
    /// Workflows whose tasks can't be listed.
    Workflow,
    /// The answer of a task.
    Answer,
}

impl FaultFamily {
    /// Every family.
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

    /// Its kinds.
    pub fn kinds(self) -> impl Iterator<Item = FaultKind> {
        FaultKind::ALL
            .iter()
            .copied()
            .filter(move |kind| kind.family() == self)
    }

    /// The name before the colon, which stands for all of its kinds; `all` for those without one.
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

    /// Whether its kinds happen to requests, and pass.
    #[must_use]
    pub fn passes(self) -> bool {
        matches!(
            self,
            Self::Request | Self::Page | Self::Gateway | Self::RetryAfter | Self::Header
        )
    }

    /// What a share is a share of.
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

    /// The share of what it concerns when none is given: what belongs to a whole listing or to the
    /// vendor is always so.
    #[must_use]
    pub fn default_share(self) -> f64 {
        match self {
            Self::Total | Self::PageCap | Self::Cursor | Self::Empty | Self::Date => 1.0,
            _ => super::Faults::DEFAULT_RATE,
        }
    }
}

impl FaultKind {
    /// The number that belongs to it (`total:off=2`) when none is given; none: it takes no number.
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

    /// The numbers it takes.
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
