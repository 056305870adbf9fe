//! The state machine of one listing. No I/O: it consumes pages and returns the next request.
//!
//! One *pass* requests page after page until the end is proved. A vendor's list may shift while it
//! is paged, so a pass may see an item twice, miss one, or see the total change. The listing is
//! then repeated, and the union of all passes is kept ([`MergedItems`]).
//!
//! # When a listing is complete
//! A total is a check and never the proof: it may count the page, be capped, or be wrong. Numbered
//! pages end with
//! - an empty page, or
//! - a page smaller than the largest one that this endpoint has returned in this run (so it was not
//!   cut by a cap on pages), if the total agrees with the number of items.
//!
//! Any doubt costs one more request, which returns an empty page. Pages with cursors end where the
//! response names no further cursor.
//!
//! If an item is deleted while the list is paged, the items behind it move forward, and the first
//! item of the next page is skipped. A total of the list shows that. Without one, the first pass
//! rereads each full page: a skipped item is on it now.
//!
//! A listing that repeats a page or a cursor would never end. The pass ends there, unproved unless
//! further page numbers show that the vendor repeats a page past the end.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::decode::json::{Json, Member, Shape};
use crate::job::{PagingProfile, PagingStyle};

/// Depth limit when searching a response without a list for one under another key.
const MAX_DEPTH: usize = 3;

/// The total of a listing, as a page reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Total {
    /// The page has no total.
    Absent,
    /// The number of items.
    Is(u64),
    /// The value is not a count.
    NotUnderstood(&'static str),
}

/// What a page says about the next one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cursor {
    /// The key is absent.
    Missing,
    /// The key is present and empty: there is no next page.
    End,
    /// The next page's cursor, as JSON text.
    Next(String),
    /// The value is not a cursor.
    NotUnderstood(&'static str),
}

/// One page as the vendor sends it.
#[derive(Clone, Debug)]
pub(crate) struct Page<'a> {
    /// The array of items; `None` if the page says that there are none.
    list: Option<Json<'a>>,
    pub(crate) total: Total,
    pub(crate) cursor: Cursor,
}

/// Why a response is not a page, without its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NoPage {
    /// No pointer of the profile leads to a list, and nothing says that there are no items.
    NoList,
    /// A pointer leads to another type.
    NotAList {
        at: String,
        /// The type it leads to.
        shape: &'static str,
    },
}

impl<'a> Page<'a> {
    /// Finds items, total and cursor by the profile.
    pub(crate) fn read(answer: Json<'a>, profile: &PagingProfile) -> Result<Self, NoPage> {
        let total = match &profile.total {
            Some(pointer) => read_total(answer.pointer(pointer)),
            None => Total::Absent,
        };
        let cursor = match &profile.style {
            PagingStyle::Number { .. } => Cursor::Missing,
            PagingStyle::Cursor { next, .. } => read_cursor(answer.pointer(next)),
        };
        let list = find_list(answer, profile, total)?;
        Ok(Self {
            list,
            total,
            cursor,
        })
    }

    pub(crate) fn items(&self) -> impl Iterator<Item = Json<'a>> {
        self.list.into_iter().flat_map(Json::entries)
    }
}

fn read_total(total: Member<'_>) -> Total {
    let value = match total {
        Member::Absent => return Total::Absent,
        Member::Conflict => return Total::NotUnderstood("two values that differ"),
        Member::Value(value) => value,
    };
    match (value.shape(), value.integer()) {
        (Shape::Null | Shape::Blank, _) => Total::Absent,
        (_, Some(number)) => {
            u64::try_from(number).map_or(Total::NotUnderstood("a negative number"), Total::Is)
        }
        (Shape::Number, None) => Total::NotUnderstood("a number that is not whole"),
        (Shape::Text, None) => Total::NotUnderstood("text that is not a whole number"),
        (shape, None) => Total::NotUnderstood(shape.words()),
    }
}

fn read_cursor(cursor: Member<'_>) -> Cursor {
    let value = match cursor {
        Member::Absent => return Cursor::Missing,
        Member::Conflict => return Cursor::NotUnderstood("two values that differ"),
        Member::Value(value) => value,
    };
    match value.shape() {
        Shape::Null | Shape::Blank => Cursor::End,
        Shape::Boolean if value.token() == b"false" => Cursor::End,
        Shape::NonFinite => Cursor::NotUnderstood(Shape::NonFinite.words()),
        Shape::Boolean | Shape::Number | Shape::Text | Shape::Array | Shape::Object => {
            // A cursor that is not UTF-8 cannot be sent back unchanged.
            match std::str::from_utf8(value.token()) {
                Ok(token) => Cursor::Next(token.to_owned()),
                Err(_) => Cursor::NotUnderstood("text that is not UTF-8"),
            }
        }
    }
}

/// The first list that the profile's pointers lead to. Several languages write an empty list as
/// `null`, as `{}`, or not at all: such a page is empty unless there is a list under another key. A
/// total that promises items is compared with the items of all pages.
fn find_list<'a>(
    answer: Json<'a>,
    profile: &PagingProfile,
    total: Total,
) -> Result<Option<Json<'a>>, NoPage> {
    let mut empty = false;
    for at in &profile.items {
        let value = match answer.pointer(at) {
            Member::Absent => continue,
            Member::Conflict => {
                return Err(NoPage::NotAList {
                    at: at.clone(),
                    shape: "two values that differ",
                });
            }
            Member::Value(value) => value,
        };
        match value.shape() {
            Shape::Array => return Ok(Some(value)),
            Shape::Null if at == "/data" && !profile.null_is_empty => {}
            Shape::Null | Shape::Blank => empty = true,
            Shape::Object if value.members().next().is_none() => empty = true,
            // This object holds the list under another pointer, or should.
            Shape::Object if is_prefix_of_another(at, profile) => {}
            shape => {
                return Err(NoPage::NotAList {
                    at: at.clone(),
                    shape: shape.words(),
                });
            }
        }
    }
    // Past the end the total still counts the whole list; whether it agrees is checked there.
    let says_none = empty
        || matches!(total, Total::Is(_))
        || answer.pointer("/data").value().is_some_and(holds_little);
    if says_none && !holds_a_list(answer, 0) {
        Ok(None)
    } else {
        Err(NoPage::NoList)
    }
}

fn is_prefix_of_another(at: &str, profile: &PagingProfile) -> bool {
    profile
        .items
        .iter()
        .any(|other| other.len() > at.len() && other.starts_with(at))
}

/// Whether an object has only scalar values.
fn holds_little(data: Json<'_>) -> bool {
    let plain = |value: Json<'_>| !matches!(value.shape(), Shape::Array | Shape::Object);
    data.shape() == Shape::Object && data.members().all(|(_, value)| plain(value))
}

/// Whether the value contains a non-empty list.
fn holds_a_list(value: Json<'_>, depth: usize) -> bool {
    match value.shape() {
        Shape::Array => value.entries().next().is_some(),
        Shape::Object if depth <= MAX_DEPTH => value
            .members()
            .any(|(_, value)| holds_a_list(value, depth + 1)),
        _ => false,
    }
}

/// The request for a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PageRequest {
    /// A page by number.
    Number {
        number: u64,
        /// Whether the listing seems complete and only the proof is missing. A vendor that refuses
        /// such a page has proved the end.
        is_proof: bool,
    },
    /// The first page of a listing with cursors.
    First,
    /// The page of this cursor, as JSON text.
    Cursor(String),
}

/// Why a pass is unreliable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Instability {
    /// The same item occurred twice.
    Duplicate,
    /// The total changed between two pages.
    TotalChanged,
    /// The number of items differs from the total.
    Count {
        /// Distinct items found.
        found: u64,
        total: u64,
    },
    /// A page or a cursor was repeated.
    RepeatedPage,
    /// Rereading a page found an item that was skipped.
    Moved,
    /// A full page without a next cursor, where no page ever had one.
    NoCursor,
    /// The next cursor is not a cursor.
    OddCursor(&'static str),
    /// The vendor refused a page that was requested only to prove the end.
    Refused,
}

impl fmt::Display for Instability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Duplicate => f.write_str("an item came twice"),
            Self::TotalChanged => f.write_str("the total changed"),
            Self::Count { found, total } => write!(f, "{found} items where the total is {total}"),
            Self::RepeatedPage => f.write_str("a page came twice"),
            Self::Moved => f.write_str("an item moved to an earlier page"),
            Self::NoCursor => f.write_str("a full page names no next cursor"),
            Self::OddCursor(shape) => write!(f, "the next cursor is {shape}"),
            Self::Refused => f.write_str("the page behind the last one was refused"),
        }
    }
}

/// The step after a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Request(PageRequest),
    /// The pass is over.
    End,
    /// More pages than the profile allows.
    TooMany,
}

/// What all listings of an endpoint have shown in this run.
#[derive(Debug, Default)]
pub(crate) struct EndpointMemory {
    /// Items of the largest page.
    largest: AtomicUsize,
    /// A page had a cursor key, even an empty one.
    names_cursors: AtomicBool,
    /// Past the last page, the vendor repeats a page.
    repeats_last: AtomicBool,
    /// Past the last page, the vendor refuses the request.
    refuses_behind: AtomicBool,
    /// Its totals count pages: the total of a single page proves nothing.
    totals_of_pages: AtomicBool,
    /// Items of the largest page that another one followed: the size at which pages are cut. 0 if
    /// there was none.
    cut_at: AtomicUsize,
}

impl EndpointMemory {
    fn largest(&self, items: usize) -> usize {
        self.largest.fetch_max(items, Ordering::Relaxed).max(items)
    }
}

/// The identity of a page: the ids of its items, in order, and the number without one.
type PageKey = (Vec<String>, usize);

/// What the pass learns of a page.
#[derive(Clone, Debug)]
pub(crate) struct PageFacts {
    /// The ids of its items, in order.
    pub(crate) ids: Vec<String>,
    /// Items without a usable id.
    pub(crate) unusable: usize,
    pub(crate) total: Total,
    pub(crate) cursor: Cursor,
}

/// The totals of a pass's pages.
#[derive(Clone, Copy, Debug, Default)]
struct Totals {
    first: Option<u64>,
    changed: bool,
    /// Pages that have items.
    with_items: u32,
    /// Pages with items and a total.
    pages: u32,
    /// Pages whose total is their own number of items.
    of_page: u32,
}

impl Totals {
    fn note(&mut self, total: Total, items: usize) {
        self.with_items += u32::from(items > 0);
        let Total::Is(total) = total else { return };
        // Past the end some vendors report zero.
        if items == 0 {
            if total == 0 && self.with_items > 0 {
                return;
            }
            self.changed |= self.first.is_some_and(|first| first != total);
            self.first = self.first.or(Some(total));
            return;
        }
        self.pages += 1;
        self.of_page += u32::from(total == items as u64);
        match self.first {
            None => self.first = Some(total),
            Some(first) => self.changed |= first != total,
        }
    }

    /// Whether the total counts the page, which says nothing about the list. A single page does not
    /// show it.
    fn are_of_pages(self) -> bool {
        self.pages > 1 && self.of_page == self.pages
    }

    /// The list's total, if there is one.
    fn of_list(self) -> Option<u64> {
        self.first.filter(|_| !self.are_of_pages())
    }
}

/// One pass over a listing.
#[derive(Debug)]
pub(crate) struct ListingPass<'a> {
    profile: &'a PagingProfile,
    memory: &'a EndpointMemory,
    page_size: usize,
    ids: Vec<String>,
    seen: HashSet<String>,
    unusable: usize,
    pages: HashSet<PageKey>,
    cursors: HashSet<String>,
    count: u32,
    totals: Totals,
    /// Items of the last non-empty page.
    last: usize,
    /// A page that was repeated: past the end it is the response to every number.
    came_again: Option<PageKey>,
    look: SecondLook,
    shift: Option<Instability>,
}

/// Rereading the pages of a list without a total.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SecondLook {
    /// Not needed: the list is requested again anyway.
    Needless,
    /// Starts once the end is proved.
    Due,
    /// Pages reread so far.
    Taken(u32),
}

impl<'a> ListingPass<'a> {
    /// Starts a first pass.
    pub(crate) fn new(
        profile: &'a PagingProfile,
        memory: &'a EndpointMemory,
        page_size: usize,
    ) -> Self {
        Self {
            profile,
            memory,
            page_size,
            ids: Vec::new(),
            seen: HashSet::new(),
            unusable: 0,
            pages: HashSet::new(),
            cursors: HashSet::new(),
            count: 0,
            totals: Totals::default(),
            last: 0,
            came_again: None,
            look: SecondLook::Due,
            shift: None,
        }
    }

    /// Marks a repeated pass: what it misses, an earlier one has.
    pub(crate) fn after_another(self) -> Self {
        Self {
            look: SecondLook::Needless,
            ..self
        }
    }

    pub(crate) fn first(&self) -> PageRequest {
        match &self.profile.style {
            PagingStyle::Number { first, .. } => PageRequest::Number {
                number: u64::from(*first),
                is_proof: false,
            },
            PagingStyle::Cursor { .. } => PageRequest::First,
        }
    }

    /// Pages so far, including reread ones.
    pub(crate) fn pages(&self) -> u32 {
        match self.look {
            SecondLook::Taken(pages) => self.count + pages,
            SecondLook::Needless | SecondLook::Due => self.count,
        }
    }

    /// Whether the list's total equals the number of items found.
    fn agrees(&self) -> bool {
        self.totals.of_list() == Some(self.found())
    }

    /// Whether the list has a total that differs from the number of items found.
    fn contradicts(&self) -> bool {
        let found = self.found();
        self.totals.of_list().is_some_and(|total| total != found)
    }

    /// Whether the last page was not cut by a cap on pages: the endpoint has returned larger ones,
    /// or the total agrees. (If totals count pages, the total of a single page always agrees.)
    fn is_uncut(&self) -> bool {
        let largest = self.memory.largest.load(Ordering::Relaxed);
        let of_pages = self.memory.totals_of_pages.load(Ordering::Relaxed);
        self.last < largest || (self.agrees() && !of_pages)
    }

    /// The number of the next page.
    fn number(&self, first: u32) -> u64 {
        u64::from(first) + u64::from(self.count)
    }

    /// Distinct items so far, including those without a usable id.
    fn found(&self) -> u64 {
        (self.seen.len() + self.unusable) as u64
    }

    /// Records a page and returns the next step.
    pub(crate) fn take(&mut self, page: PageFacts) -> Next {
        if let SecondLook::Taken(looked) = self.look {
            return self.look_again(&page, looked);
        }
        let PageFacts {
            ids,
            unusable,
            total,
            cursor,
        } = page;
        self.count += 1;
        let items = ids.len() + unusable;
        if items > 0 && !self.pages.insert((ids.clone(), unusable)) {
            return self.repeated((ids, unusable));
        }
        if self.came_again.is_some() {
            // The page between was neither the last page nor a new one.
            self.shift = Some(Instability::RepeatedPage);
        }
        for id in &ids {
            if !self.seen.insert(id.clone()) {
                self.shift = Some(Instability::Duplicate);
            }
        }
        self.ids.extend(ids);
        self.unusable += unusable;
        self.totals.note(total, items);
        if self.totals.are_of_pages() {
            let known = &self.memory.totals_of_pages;
            known.store(true, Ordering::Relaxed);
        }
        let next = match &self.profile.style {
            PagingStyle::Number { first, .. } => {
                let largest = self.memory.largest(items);
                let is_over = items == 0 || (self.agrees() && items < largest);
                if items > 0 {
                    self.memory.cut_at.fetch_max(self.last, Ordering::Relaxed);
                    self.last = items;
                }
                (!is_over).then(|| PageRequest::Number {
                    number: self.number(*first),
                    is_proof: !self.contradicts() && items < self.page_size,
                })
            }
            PagingStyle::Cursor { .. } => self.next_cursor(cursor, items),
        };
        match next {
            None => self.end(),
            Some(PageRequest::Cursor(cursor)) if !self.cursors.insert(cursor.clone()) => {
                self.shift = Some(Instability::RepeatedPage);
                Next::End
            }
            Some(_) if self.count >= self.profile.max_pages.get() => Next::TooMany,
            Some(ask) => Next::Request(ask),
        }
    }

    /// The vendor refused the page that was requested as a proof. The end is proved if the total
    /// counts more than one page. The total of a single page may count that page only, and without
    /// a total the refusal may be an accident: such a list is requested again, unless the endpoint
    /// is known to refuse pages past the end and the page was not cut.
    pub(crate) fn refused(&mut self) -> Next {
        let known = self.memory.refuses_behind.load(Ordering::Relaxed);
        let counts_pages = self.pages.len() > 1 && self.agrees();
        let is_known_end = known && self.is_uncut();
        if !(counts_pages || is_known_end) {
            self.shift.get_or_insert(Instability::Refused);
        }
        self.end()
    }

    /// A page was repeated. Vendors that clamp the page number to the last page, and those that
    /// ignore it, return a page again for every number past the end. A total that counts several
    /// pages proves the end at once. Otherwise one more number is requested, until the endpoint is
    /// known to clamp: the total of a single page may count that page only, and the repetition may
    /// be an accident. A single page is proved only by a total and only if it holds fewer items
    /// than requested: the vendor may not know the page parameter.
    fn repeated(&mut self, page: PageKey) -> Next {
        let PagingStyle::Number { first, .. } = &self.profile.style else {
            self.shift = Some(Instability::RepeatedPage);
            return self.end();
        };
        let items = page.0.len() + page.1;
        let is_only = self.pages.len() == 1;
        let may_be_the_end = if is_only {
            self.agrees() && items < self.page_size
        } else {
            !self.contradicts()
        };
        if !may_be_the_end {
            self.shift = Some(Instability::RepeatedPage);
        } else if is_only || !self.agrees() {
            let known = &self.memory.repeats_last;
            match &self.came_again {
                None if !(known.load(Ordering::Relaxed) && self.is_uncut()) => {
                    self.came_again = Some(page);
                    return Next::Request(PageRequest::Number {
                        number: self.number(*first),
                        is_proof: false,
                    });
                }
                Some(before) if *before != page => self.shift = Some(Instability::RepeatedPage),
                _ => known.store(true, Ordering::Relaxed),
            }
        }
        self.end()
    }

    /// Rereads a page.
    fn look_again(&mut self, page: &PageFacts, looked: u32) -> Next {
        self.look = SecondLook::Taken(looked + 1);
        if page.ids.iter().any(|id| !self.seen.contains(id)) {
            self.shift = Some(Instability::Moved);
            return Next::End;
        }
        self.next_look(looked + 1)
    }

    /// The next page to reread: every page that another one followed, and the last one if it has
    /// the maximum size, since an item behind it may have moved onto it.
    fn next_look(&self, looked: u32) -> Next {
        let cut_at = self.memory.cut_at.load(Ordering::Relaxed);
        let is_full = self.last >= self.page_size || (cut_at > 0 && self.last >= cut_at);
        let pages = self.totals.with_items;
        let followed = if is_full {
            pages
        } else {
            pages.saturating_sub(1)
        };
        match &self.profile.style {
            PagingStyle::Number { first, .. } if looked < followed => {
                Next::Request(PageRequest::Number {
                    number: u64::from(*first) + u64::from(looked),
                    is_proof: false,
                })
            }
            _ => Next::End,
        }
    }

    fn next_cursor(&mut self, cursor: Cursor, items: usize) -> Option<PageRequest> {
        let named = &self.memory.names_cursors;
        let agrees = self.agrees();
        match cursor {
            Cursor::Next(cursor) => {
                named.store(true, Ordering::Relaxed);
                return Some(PageRequest::Cursor(cursor));
            }
            Cursor::End => named.store(true, Ordering::Relaxed),
            Cursor::Missing if agrees || items < self.page_size => {}
            Cursor::Missing if named.load(Ordering::Relaxed) => {}
            Cursor::Missing => self.shift = Some(Instability::NoCursor),
            // It may mean that there is no next page, if this one is empty.
            Cursor::NotUnderstood(_) if items == 0 => {}
            Cursor::NotUnderstood(shape) => self.shift = Some(Instability::OddCursor(shape)),
        }
        None
    }

    fn end(&mut self) -> Next {
        if self.shift.is_none() {
            let found = self.found();
            self.shift = match self.totals.of_list() {
                _ if self.totals.are_of_pages() => None,
                _ if self.totals.changed => Some(Instability::TotalChanged),
                Some(total) if total != found => Some(Instability::Count { found, total }),
                _ => None,
            };
        }
        let is_due = self.look == SecondLook::Due && self.shift.is_none();
        if is_due && self.totals.of_list().is_none() {
            let next = self.next_look(0);
            if next != Next::End {
                self.look = SecondLook::Taken(0);
            }
            return next;
        }
        Next::End
    }

    /// The list's total, if there is one.
    pub(crate) fn total(&self) -> Option<u64> {
        self.totals.of_list()
    }

    /// Items without a usable id.
    pub(crate) fn unusable(&self) -> u64 {
        self.unusable as u64
    }

    /// Whether the total counts the page.
    pub(crate) fn has_totals_of_pages(&self) -> bool {
        self.totals.are_of_pages()
    }
}

/// The items of all passes, and whether they are complete.
#[derive(Debug)]
pub(crate) struct MergedItems<T> {
    order: Vec<String>,
    items: HashMap<String, T>,
    last: Option<(Vec<String>, Option<u64>)>,
}

/// The result of a finished pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PassResult {
    /// The union is the complete listing.
    Complete,
    /// The listing must be repeated, for this reason.
    Shifted(Instability),
}

impl<T> MergedItems<T> {
    pub(crate) fn new() -> Self {
        Self {
            order: Vec::new(),
            items: HashMap::new(),
            last: None,
        }
    }

    /// Keeps an item; the newest state wins.
    pub(crate) fn keep(&mut self, id: &str, item: T) {
        if self.items.insert(id.to_owned(), item).is_none() {
            self.order.push(id.to_owned());
        }
    }

    /// Evaluates a pass whose items were all kept. It is conclusive if nothing shifted; if it
    /// equals the previous pass item for item, and saw an item twice, or more items than the total,
    /// or was refused the page past the end (the list is then stable, and the oddity is the
    /// vendor's); or if, after another pass, the union is as large as the total.
    pub(crate) fn judge(&mut self, pass: ListingPass<'_>) -> PassResult {
        let Some(shift) = pass.shift else {
            return PassResult::Complete;
        };
        let total = pass.totals.of_list();
        // The total of a single page says nothing about the list.
        let counts_more = pass.totals.of_page < pass.totals.pages;
        let whole = counts_more && total == Some((self.items.len() + pass.unusable) as u64);
        let again = self.last.is_some();
        // A vendor that lists an item twice may also count it twice.
        let listed = (pass.ids.len() + pass.unusable) as u64;
        let short = total.is_some_and(|total| listed < total);
        let this = (pass.ids, total);
        let stands_still = self.last.as_ref() == Some(&this);
        self.last = Some(this);
        let harmless = match shift {
            Instability::Duplicate => !short,
            Instability::Refused => true,
            Instability::Count { found, total } => found > total,
            _ => false,
        };
        if stands_still && shift == Instability::Refused {
            pass.memory.refuses_behind.store(true, Ordering::Relaxed);
        }
        if (stands_still && harmless) || (again && whole && shift != Instability::TotalChanged) {
            PassResult::Complete
        } else {
            PassResult::Shifted(shift)
        }
    }

    /// All items, in the order they were first seen.
    pub(crate) fn into_items(mut self) -> Vec<T> {
        self.order
            .iter()
            .filter_map(|id| self.items.remove(id))
            .collect()
    }

    /// Whether a pass was evaluated.
    pub(crate) fn was_judged(&self) -> bool {
        self.last.is_some()
    }

    /// Number of distinct items.
    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn numbered() -> PagingProfile {
        PagingProfile {
            max_pages: NonZeroU32::new(5).expect("not zero"),
            ..Default::default()
        }
    }

    fn with_cursor() -> PagingProfile {
        let style = PagingStyle::Cursor {
            param: "cursor".to_owned(),
            next: "/data/next".to_owned(),
        };
        PagingProfile {
            style,
            ..numbered()
        }
    }

    fn ids(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    /// A page of these ids.
    fn page(text: &str, total: Option<u64>) -> PageFacts {
        PageFacts {
            ids: ids(text),
            unusable: 0,
            total: total.map_or(Total::Absent, Total::Is),
            cursor: Cursor::Missing,
        }
    }

    fn with(page: PageFacts, cursor: Cursor) -> PageFacts {
        PageFacts { cursor, ..page }
    }

    fn next(cursor: &str) -> Cursor {
        Cursor::Next(format!("{cursor:?}"))
    }

    /// The page number of the next request.
    fn number(next: Next) -> u64 {
        match next {
            Next::Request(PageRequest::Number { number, .. }) => number,
            other => panic!("{other:?}"),
        }
    }

    /// Passes of numbered pages of two items each, without cursor: `"a b|c d|e"`.
    fn judge(passes: &[(&str, Option<u64>)]) -> (PassResult, Vec<String>) {
        let (profile, memory) = (numbered(), EndpointMemory::default());
        let mut union = MergedItems::new();
        let mut sum = None;
        for (pages, total) in passes {
            let mut pass = ListingPass::new(&profile, &memory, 2);
            if union.was_judged() {
                pass = pass.after_another();
            }
            for text in pages.split('|') {
                for id in ids(text) {
                    union.keep(&id, id.clone());
                }
                if pass.take(page(text, *total)) == Next::End {
                    break;
                }
            }
            sum = Some(union.judge(pass));
        }
        (sum.expect("a pass"), union.into_items())
    }

    #[test]
    fn without_a_total_only_an_empty_page_is_the_last() {
        let (profile, memory) = (numbered(), EndpointMemory::default());
        let mut pass = ListingPass::new(&profile, &memory, 2);
        assert_eq!(
            pass.first(),
            PageRequest::Number {
                number: 1,
                is_proof: false
            }
        );
        assert_eq!(number(pass.take(page("a b", None))), 2);
        assert_eq!(number(pass.take(page("c", None))), 3);
        assert_eq!(number(pass.take(page("", None))), 1, "a second look");
        assert_eq!(pass.take(page("b a", None)), Next::End);
        assert_eq!((pass.shift.clone(), pass.pages()), (None, 4));
    }

    /// Between the first request and the second `a` was deleted, so `c` moved to a page that was
    /// already read.
    #[rstest]
    #[case::of_the_page(&[2, 2, 0])]
    #[case::absent(&[])]
    fn what_moved_to_an_earlier_page_is_found_by_a_second_look(#[case] totals: &[u64]) {
        let (profile, memory) = (numbered(), EndpointMemory::default());
        let mut pass = ListingPass::new(&profile, &memory, 2);
        let total = |number: usize| totals.get(number).copied();
        pass.take(page("a b", total(0)));
        pass.take(page("d e", total(1)));
        assert_eq!(number(pass.take(page("", total(2)))), 1);
        assert_eq!(pass.take(page("b c", total(0))), Next::End);
        assert_eq!(pass.shift, Some(Instability::Moved));
    }

    #[test]
    fn a_second_look_goes_over_all_full_pages() {
        let (profile, memory) = (numbered(), EndpointMemory::default());
        let mut pass = ListingPass::new(&profile, &memory, 2);
        for text in ["a b", "c d", "e"] {
            pass.take(page(text, None));
        }
        assert_eq!(number(pass.take(page("", None))), 1);
        assert_eq!(number(pass.take(page("a b", None))), 2);
        assert_eq!(pass.take(page("c d", None)), Next::End);
        assert_eq!(pass.shift, None);
        // If the last page is full, an item behind it may have moved onto it.
        let mut pass = ListingPass::new(&profile, &memory, 100);
        pass.take(page("x y", None));
        assert_eq!(number(pass.take(page("", None))), 1);
        pass.take(page("y z", None));
        assert_eq!(pass.shift, Some(Instability::Moved));
    }

    #[rstest]
    #[case::one_page(&["a", ""], None)]
    #[case::a_total_that_counts(&["a b", "c d", ""], Some(4))]
    fn no_second_look_where_nothing_can_have_moved_unseen(
        #[case] pages: &[&str],
        #[case] total: Option<u64>,
    ) {
        let (profile, memory) = (numbered(), EndpointMemory::default());
        let mut pass = ListingPass::new(&profile, &memory, 2);
        let mut next = None;
        for text in pages {
            next = Some(pass.take(page(text, total)));
        }
        assert_eq!(next, Some(Next::End));
        assert_eq!(pass.shift, None);
    }

    #[test]
    fn what_an_empty_page_counts_says_nothing_of_the_others() {
        let (profile, memory) = (numbered(), EndpointMemory::default());
        let mut pass = ListingPass::new(&profile, &memory, 2);
        pass.take(page("a", None));
        assert_eq!(pass.take(page("", Some(0))), Next::End);
        assert_eq!(pass.shift, None);
    }

    #[test]
    fn without_a_total_a_refusal_is_the_end_once_it_comes_again() {
        let (profile, memory) = (numbered(), EndpointMemory::default());
        let mut union = MergedItems::new();
        let mut sums = Vec::new();
        for _ in 0..2 {
            let mut pass = ListingPass::new(&profile, &memory, 100);
            let next = pass.take(page("a b", None));
            assert!(matches!(
                next,
                Next::Request(PageRequest::Number { is_proof: true, .. })
            ));
            union.keep("a", ());
            pass.refused();
            sums.push(union.judge(pass));
        }
        assert_eq!(
            sums,
            [
                PassResult::Shifted(Instability::Refused),
                PassResult::Complete
            ]
        );
        // From then on a page that was not cut needs no second pass; one that may have been cut
        // does.
        for (text, shift) in [("x", None), ("x y", Some(Instability::Refused))] {
            let mut pass = ListingPass::new(&profile, &memory, 100);
            pass.take(page(text, None));
            pass.refused();
            assert_eq!(pass.shift, shift, "{text}");
        }
    }

    #[test]
    fn where_totals_count_pages_that_of_an_only_page_proves_nothing() {
        let (profile, memory) = (numbered(), EndpointMemory::default());
        let mut pass = ListingPass::new(&profile, &memory, 100);
        for text in ["a b", "a b", "a b"] {
            pass.take(page(text, Some(2)));
        }
        assert_eq!(pass.shift, None, "it repeats its only page");
        let mut pass = ListingPass::new(&profile, &memory, 100);
        pass.take(page("a b", Some(2)));
        pass.take(page("c d", Some(2)));
        let mut pass = ListingPass::new(&profile, &memory, 100);
        pass.take(page("x y", Some(2)));
        assert_eq!(number(pass.take(page("x y", Some(2)))), 3, "by mishap?");
        pass.take(page("z", Some(1)));
        assert_eq!(pass.shift, Some(Instability::RepeatedPage));
    }

    #[test]
    fn a_page_smaller_than_the_largest_is_the_last_if_the_total_agrees() {
        let (profile, memory) = (numbered(), EndpointMemory::default());
        let mut pass = ListingPass::new(&profile, &memory, 100);
        assert_eq!(number(pass.take(page("a b", Some(3)))), 2);
        assert_eq!(pass.take(page("c", Some(3))), Next::End);
        assert_eq!(pass.shift, None);
        // Another listing of the endpoint returned two items on a page, so one item is below the
        // cap.
        let mut pass = ListingPass::new(&profile, &memory, 100);
        assert_eq!(pass.take(page("x", Some(1))), Next::End);
        // A page of the maximum size may be cut, whatever the total says.
        let mut pass = ListingPass::new(&profile, &memory, 100);
        assert_eq!(number(pass.take(page("x y", Some(2)))), 2);
        assert_eq!(pass.take(page("", Some(2))), Next::End);
        assert_eq!(pass.shift, None);
    }

    #[rstest]
    #[case::of_the_page(&[(5, Some(5)), (5, Some(5)), (2, Some(2)), (0, Some(0))], None)]
    #[case::of_full_pages(&[(5, Some(5)), (5, Some(5)), (0, None)], None)]
    #[case::on_the_first_page(&[(5, Some(12)), (5, None), (2, None)], None)]
    #[case::on_the_second_page(&[(5, None), (5, Some(12)), (2, None)], None)]
    #[case::capped(
        &[(5, Some(10)), (5, Some(10)), (2, Some(10)), (0, Some(10))],
        Some(Instability::Count { found: 12, total: 10 })
    )]
    #[case::too_large(
        &[(5, Some(13)), (2, Some(13)), (0, Some(13))],
        Some(Instability::Count { found: 7, total: 13 })
    )]
    #[case::grows(&[(5, Some(12)), (5, Some(13)), (3, Some(13)), (0, Some(13))], Some(Instability::TotalChanged))]
    #[case::behind_the_end(&[(5, Some(5)), (0, Some(0))], None)]
    #[case::changed_behind_the_end(&[(5, Some(5)), (0, Some(6))], Some(Instability::TotalChanged))]
    fn totals_are_a_check(
        #[case] pages: &[(usize, Option<u64>)],
        #[case] shift: Option<Instability>,
    ) {
        let profile = PagingProfile::default();
        let memory = EndpointMemory::default();
        let mut pass = ListingPass::new(&profile, &memory, 100).after_another();
        for (number, (items, total)) in pages.iter().enumerate() {
            let text: Vec<_> = (0..*items).map(|item| format!("{number}-{item}")).collect();
            let is_last = number + 1 == pages.len();
            let next = pass.take(page(&text.join(" "), *total));
            assert_eq!(next == Next::End, is_last, "page {number}");
        }
        assert_eq!(pass.shift, shift);
    }

    #[test]
    fn an_empty_first_page_is_held_against_its_total() {
        let (profile, memory) = (numbered(), EndpointMemory::default());
        let mut pass = ListingPass::new(&profile, &memory, 2);
        assert_eq!(pass.take(page("", Some(3))), Next::End);
        assert_eq!(pass.shift, Some(Instability::Count { found: 0, total: 3 }));
        let mut pass = ListingPass::new(&profile, &memory, 2);
        assert_eq!(pass.take(page("", Some(0))), Next::End);
        assert_eq!(pass.shift, None);
    }

    #[test]
    fn a_refused_page_behind_the_end_is_the_end() {
        let (profile, memory) = (numbered(), EndpointMemory::default());
        let mut pass = ListingPass::new(&profile, &memory, 100);
        let next = pass.take(page("a b", Some(2)));
        assert!(matches!(
            next,
            Next::Request(PageRequest::Number { is_proof: true, .. })
        ));
        pass.refused();
        assert_eq!(
            pass.shift,
            Some(Instability::Refused),
            "it may be its own total"
        );
        let mut pass = ListingPass::new(&profile, &memory, 100);
        pass.take(page("a b", Some(4)));
        let next = pass.take(page("c d", Some(4)));
        assert!(matches!(
            next,
            Next::Request(PageRequest::Number { is_proof: true, .. })
        ));
        pass.refused();
        assert_eq!(pass.shift, None, "the total counts two pages");
        // It proves nothing if the total is larger, or the page has as many items as requested.
        let mut pass = ListingPass::new(&profile, &memory, 100);
        let next = pass.take(page("a b", Some(3)));
        assert!(matches!(
            next,
            Next::Request(PageRequest::Number {
                is_proof: false,
                ..
            })
        ));
        let mut pass = ListingPass::new(&profile, &memory, 2);
        let next = pass.take(page("a b", Some(2)));
        assert!(matches!(
            next,
            Next::Request(PageRequest::Number {
                is_proof: false,
                ..
            })
        ));
    }

    #[test]
    fn the_only_page_again_and_again_is_the_end_if_its_total_agrees() {
        let (profile, memory) = (numbered(), EndpointMemory::default());
        let mut pass = ListingPass::new(&profile, &memory, 100);
        assert_eq!(number(pass.take(page("a b", Some(2)))), 2);
        assert_eq!(number(pass.take(page("a b", Some(2)))), 3);
        assert_eq!(pass.take(page("a b", Some(2))), Next::End);
        assert_eq!(pass.shift, None);
        // Once this is known, it costs one request.
        let mut pass = ListingPass::new(&profile, &memory, 100);
        pass.take(page("x y", Some(2)));
        assert_eq!(pass.take(page("x y", Some(2))), Next::End);
        assert_eq!(pass.shift, None);
    }

    #[rstest]
    #[case::another_page_follows(&["a b", "a b", "c d"], Some(2))]
    #[case::nothing_follows(&["a b", "a b", ""], Some(2))]
    #[case::the_total_says_more(&["a b", "a b"], Some(4))]
    #[case::no_total(&["a b", "a b"], None)]
    #[case::as_many_as_were_asked_for(&["a b c", "a b c"], Some(3))]
    fn a_page_that_comes_again_may_hide_another(
        #[case] pages: &[&str],
        #[case] total: Option<u64>,
    ) {
        let (profile, memory) = (numbered(), EndpointMemory::default());
        let mut pass = ListingPass::new(&profile, &memory, 3);
        for text in pages {
            pass.take(page(text, total));
        }
        assert_eq!(pass.shift, Some(Instability::RepeatedPage));
    }

    #[test]
    fn the_last_of_several_pages_again_is_the_end_if_the_total_agrees() {
        let (profile, memory) = (numbered(), EndpointMemory::default());
        let mut pass = ListingPass::new(&profile, &memory, 100);
        pass.take(page("a b", Some(4)));
        pass.take(page("c d", Some(4)));
        assert_eq!(pass.take(page("c d", Some(4))), Next::End);
        assert_eq!(pass.shift, None);
    }

    #[test]
    fn items_without_an_id_count_in_the_total() {
        let (profile, memory) = (numbered(), EndpointMemory::default());
        let mut pass = ListingPass::new(&profile, &memory, 100);
        pass.take(page("a b c", Some(5)));
        let odd = PageFacts {
            unusable: 1,
            ..page("d", Some(5))
        };
        assert_eq!(pass.take(odd), Next::End);
        assert_eq!((pass.shift.clone(), pass.unusable()), (None, 1));
    }

    #[test]
    fn cursors_lead_to_the_end_over_short_and_empty_pages() {
        let (profile, memory) = (with_cursor(), EndpointMemory::default());
        let mut pass = ListingPass::new(&profile, &memory, 2);
        assert_eq!(pass.first(), PageRequest::First);
        let ask = |cursor: &str| Next::Request(PageRequest::Cursor(format!("{cursor:?}")));
        assert_eq!(pass.take(with(page("a", None), next("1"))), ask("1"));
        assert_eq!(pass.take(with(page("", None), next("2"))), ask("2"));
        assert_eq!(pass.take(with(page("b c", None), Cursor::End)), Next::End);
        assert_eq!(pass.shift, None);
    }

    #[test]
    fn a_full_page_without_the_cursors_key_is_the_end_only_if_pages_name_it() {
        let (profile, memory) = (with_cursor(), EndpointMemory::default());
        let mut pass = ListingPass::new(&profile, &memory, 2);
        pass.take(page("a b", None));
        assert_eq!(pass.shift, Some(Instability::NoCursor));
        for text in ["a", ""] {
            let mut pass = ListingPass::new(&profile, &memory, 2);
            pass.take(page(text, None));
            assert_eq!(pass.shift, None, "not full: {text}");
        }
        let mut pass = ListingPass::new(&profile, &memory, 2);
        pass.take(page("a b", Some(2)));
        assert_eq!(pass.shift, None, "the total agrees");
        let mut pass = ListingPass::new(&profile, &memory, 2);
        pass.take(with(page("a b", None), next("1")));
        pass.take(page("c d", None));
        assert_eq!(pass.shift, None, "the key was there before");
    }

    #[test]
    fn a_cursor_that_is_none_is_said() {
        let (profile, memory) = (with_cursor(), EndpointMemory::default());
        let odd = || Cursor::NotUnderstood("true or false");
        let mut pass = ListingPass::new(&profile, &memory, 2);
        assert_eq!(pass.take(with(page("a", None), odd())), Next::End);
        assert_eq!(pass.shift, Some(Instability::OddCursor("true or false")));
        let mut pass = ListingPass::new(&profile, &memory, 2);
        pass.take(with(page("a", Some(1)), odd()));
        assert!(pass.shift.is_some(), "the total may be that of the page");
    }

    #[test]
    fn a_cursor_that_comes_again_ends_the_pass() {
        let (profile, memory) = (with_cursor(), EndpointMemory::default());
        let mut pass = ListingPass::new(&profile, &memory, 2);
        pass.take(with(page("a b", None), next("1")));
        assert_eq!(pass.take(with(page("c d", None), next("1"))), Next::End);
        assert_eq!(pass.shift, Some(Instability::RepeatedPage));
    }

    #[test]
    fn a_page_that_comes_again_ends_the_pass() {
        let (profile, memory) = (numbered(), EndpointMemory::default());
        let mut pass = ListingPass::new(&profile, &memory, 2);
        pass.take(page("a b", None));
        pass.take(page("c d", None));
        assert_eq!(number(pass.take(page("a b", None))), 4);
        pass.take(page("e", None));
        assert_eq!(pass.shift, Some(Instability::RepeatedPage));
    }

    #[rstest]
    #[case::the_last_one("c d")]
    #[case::the_first_one("a b")]
    fn one_page_for_every_number_behind_several_is_the_end(#[case] behind: &str) {
        let (profile, memory) = (numbered(), EndpointMemory::default());
        let mut pass = ListingPass::new(&profile, &memory, 2).after_another();
        pass.take(page("a b", None));
        pass.take(page("c d", None));
        assert_eq!(number(pass.take(page(behind, None))), 4);
        assert_eq!(pass.take(page(behind, None)), Next::End);
        assert_eq!(pass.shift, None);
    }

    #[test]
    fn the_page_cap_is_said_and_not_a_silent_end() {
        let (profile, memory) = (numbered(), EndpointMemory::default());
        let mut pass = ListingPass::new(&profile, &memory, 1);
        for n in 0..4 {
            assert_eq!(number(pass.take(page(&n.to_string(), None))), n + 2);
        }
        assert_eq!(pass.take(page("last", None)), Next::TooMany);
        let mut pass = ListingPass::new(&profile, &memory, 2).after_another();
        for n in 0..4 {
            pass.take(page(&format!("{n} {n}b"), None));
        }
        let next = pass.take(page("", None));
        assert_eq!(next, Next::End, "five pages are allowed");
    }

    #[rstest]
    #[case::clean(&[("a b|c", Some(3))], PassResult::Complete, "a b c")]
    #[case::duplicate(&[("a b|b c|", None)], PassResult::Shifted(Instability::Duplicate), "a b c")]
    #[case::then_clean(&[("a b|b c|", None), ("a b|c x|", None)], PassResult::Complete, "a b c x")]
    #[case::union_is_whole(
        &[("a b|b c|", Some(4)), ("b a|a d|", Some(4))], PassResult::Complete, "a b c d"
    )]
    #[case::union_is_short(
        &[("a b|b c|", Some(5)), ("b a|a d|", Some(5))], PassResult::Shifted(Instability::Duplicate), "a b c d"
    )]
    #[case::stands_still(&[("a b|b c|", None), ("a b|b c|", None)], PassResult::Complete, "a b c")]
    #[case::counted_twice(
        &[("a b|b c|", Some(4)), ("a b|b c|", Some(4))], PassResult::Complete, "a b c"
    )]
    #[case::total_lies(
        &[("a b|", Some(9)), ("a b|", Some(9))],
        PassResult::Shifted(Instability::Count { found: 2, total: 9 }), "a b"
    )]
    #[case::total_is_capped(
        &[("a b|c d|", Some(3)), ("a b|c d|", Some(3))], PassResult::Complete, "a b c d"
    )]
    #[case::repeated(&[("a b|a b", None)], PassResult::Shifted(Instability::RepeatedPage), "a b")]
    #[case::repeated_and_its_own_total(
        &[("a b|a b", Some(2)), ("a b|a b", Some(2))], PassResult::Shifted(Instability::RepeatedPage), "a b"
    )]
    #[case::repeated_twice(
        &[("a b|a b", None), ("a b|a b", None)], PassResult::Shifted(Instability::RepeatedPage), "a b"
    )]
    #[case::repeated_but_whole(
        &[("a b|b c|a b", Some(6)), ("c d|c d", Some(4))], PassResult::Complete, "a b c d"
    )]
    #[case::repeated_once(&[("a b|a b", None), ("a b|c|", None)], PassResult::Complete, "a b c")]
    fn passes_add_up(
        #[case] passes: &[(&str, Option<u64>)],
        #[case] sum: PassResult,
        #[case] union: &str,
    ) {
        assert_eq!(judge(passes), (sum, ids(union)));
    }

    #[test]
    fn the_newest_state_of_an_item_is_kept() {
        let mut union = MergedItems::new();
        union.keep("a", "pending");
        union.keep("a", "finished");
        assert_eq!(union.into_items(), ["finished"]);
    }

    /// How a vendor reports the total.
    #[derive(Clone, Copy, Debug)]
    enum Form {
        Right,
        OfThePage,
        FirstPageOnly,
        Capped(u64),
        Wrong(i64),
        Missing,
        Odd,
    }

    impl Form {
        fn of(self, page: usize, items: usize, all: usize) -> Total {
            match self {
                Self::Right => Total::Is(all as u64),
                Self::OfThePage => Total::Is(items as u64),
                Self::FirstPageOnly if page == 0 => Total::Is(all as u64),
                Self::Capped(cap) => Total::Is(cap.min(all as u64)),
                Self::Wrong(by) => (all as u64)
                    .checked_add_signed(by)
                    .map_or(Total::Absent, Total::Is),
                Self::FirstPageOnly | Self::Missing => Total::Absent,
                Self::Odd => Total::NotUnderstood("a negative number"),
            }
        }
    }

    fn forms() -> impl Strategy<Value = Form> {
        prop_oneof![
            Just(Form::Right),
            Just(Form::OfThePage),
            Just(Form::FirstPageOnly),
            (1u64..30).prop_map(Form::Capped),
            (-5i64..5).prop_map(Form::Wrong),
            Just(Form::Missing),
            Just(Form::Odd),
        ]
    }

    proptest! {
        /// A listing that counts as complete has every item, whatever the total says and however
        /// small the pages are.
        #[test]
        fn what_counts_as_complete_is_complete(
            all in 0usize..40, cap in 1usize..12, page_size in 1usize..12, form in forms(),
        ) {
            let profile = PagingProfile::default();
            let memory = EndpointMemory::default();
            let size = cap.min(page_size);
            let mut union = MergedItems::new();
            let mut complete = false;
            for _ in 0..4 {
                let mut pass = ListingPass::new(&profile, &memory, page_size);
                let (mut requests, mut number) = (0, 0);
                loop {
                    let ids: Vec<_> = (0..all)
                        .skip(number * size)
                        .take(size)
                        .map(|item| item.to_string())
                        .collect();
                    let total = form.of(number, ids.len(), all);
                    for id in &ids {
                        union.keep(id, ());
                    }
                    let facts = PageFacts { ids, unusable: 0, total, cursor: Cursor::Missing };
                    requests += 1;
                    match pass.take(facts) {
                        Next::Request(PageRequest::Number { number: next, .. }) => {
                            number = usize::try_from(next).expect("small") - 1;
                        }
                        _ => break,
                    }
                }
                // At most one extra request; rereading only where no total counts the list.
                let pages = all.div_ceil(size);
                let looks = if pass.total().is_none() { pages } else { 0 };
                prop_assert!(requests <= pages + 1 + looks, "{requests}");
                if union.judge(pass) == PassResult::Complete {
                    complete = true;
                    break;
                }
            }
            prop_assert_eq!(union.len(), all);
            let is_told_more = matches!(form, Form::Wrong(1..)) && all > 0;
            prop_assert!(complete || is_told_more || matches!(form, Form::Wrong(_)));
        }
    }

    fn read(answer: &str, profile: &PagingProfile) -> Option<(usize, Total)> {
        let answer = Json::parse(answer.as_bytes()).expect("JSON");
        let page = Page::read(answer, profile).ok()?;
        Some((page.items().count(), page.total))
    }

    #[rstest]
    #[case(r#"{"data": {"list": [1, 2], "total": 7}}"#, 2, Total::Is(7))]
    #[case(r#"{"data": {"list": [1, 2], "total": "7"}}"#, 2, Total::Is(7))]
    #[case(r#"{"data": {"list": [1, 2], "total": 250.0}}"#, 2, Total::Is(250))]
    #[case(
        r#"{"data": {"list": [1], "total": -1}}"#,
        1,
        Total::NotUnderstood("a negative number")
    )]
    #[case(
        r#"{"data": {"list": [1], "total": 2.5}}"#,
        1,
        Total::NotUnderstood("a number that is not whole")
    )]
    #[case(
        r#"{"data": {"list": [1], "total": {"value": 7}}}"#,
        1,
        Total::NotUnderstood("an object")
    )]
    #[case(r#"{"data": {"list": [1], "total": null}}"#, 1, Total::Absent)]
    #[case(
        r#"{"data": {"l\u0069st": [1], "total": 7, "t\u006ftal": 7}}"#,
        1,
        Total::Is(7)
    )]
    #[case(
        r#"{"data": {"list": [1], "total": 7, "total": 8}}"#,
        1,
        Total::NotUnderstood("two values that differ")
    )]
    #[case(r#"{"data": [1, 2, 3]}"#, 3, Total::Absent)]
    #[case(r#"{"data": {"list": []}}"#, 0, Total::Absent)]
    #[case(r#"{"data": {"list": null, "total": 0}}"#, 0, Total::Is(0))]
    #[case(r#"{"data": {"list": null}}"#, 0, Total::Absent)]
    #[case(r#"{"data": {"list": {}}}"#, 0, Total::Absent)]
    #[case(r#"{"data": {"list": ""}}"#, 0, Total::Absent)]
    #[case(r#"{"data": {"total": 0}}"#, 0, Total::Is(0))]
    #[case::behind_the_end(r#"{"data": {"list": null, "total": 3}}"#, 0, Total::Is(3))]
    #[case::behind_the_end(r#"{"data": {"total": 3}}"#, 0, Total::Is(3))]
    #[case::behind_the_end(
        r#"{"data": {"list": {}, "total": -1}}"#,
        0,
        Total::NotUnderstood("a negative number")
    )]
    #[case(r#"{"data": {"total": 0, "page": {"no": 1}}}"#, 0, Total::Is(0))]
    #[case(r#"{"data": {}}"#, 0, Total::Absent)]
    #[case(r#"{"data": {"page": 1}}"#, 0, Total::Absent)]
    fn items_and_totals_are_found(
        #[case] answer: &str,
        #[case] items: usize,
        #[case] total: Total,
    ) {
        assert_eq!(read(answer, &numbered()), Some((items, total)));
    }

    #[rstest]
    #[case::the_list_is_elsewhere(r#"{"data": {"rows": [1, 2]}}"#)]
    #[case::the_list_is_elsewhere(r#"{"data": {"rows": [1, 2], "total": 0}}"#)]
    #[case::the_list_is_elsewhere(r#"{"data": {"list": null, "page": {"rows": [1]}}}"#)]
    #[case::an_empty_list_elsewhere(r#"{"data": {"rows": []}}"#)]
    #[case::no_list(r#"{"data": {"list": {"0": {"task_id": "a"}}}}"#)]
    #[case::no_list(r#"{"data": {"list": "a,b"}}"#)]
    #[case::no_list(r#"{"data": {"list": 7}}"#)]
    #[case::two_lists(r#"{"data": {"list": [1], "list": [2]}}"#)]
    #[case::null(r#"{"data": null}"#)]
    fn other_answers_are_no_pages(#[case] answer: &str) {
        assert_eq!(read(answer, &numbered()), None);
    }

    #[test]
    fn null_data_is_an_empty_page_only_by_the_profile() {
        let profile = PagingProfile {
            null_is_empty: true,
            ..numbered()
        };
        assert_eq!(
            read(r#"{"data": null}"#, &profile),
            Some((0, Total::Absent))
        );
    }

    #[rstest]
    #[case(r#""abc""#, Cursor::Next(r#""abc""#.to_owned()))]
    #[case("17", Cursor::Next("17".to_owned()))]
    #[case("123456789012345678901234567890.50", Cursor::Next("123456789012345678901234567890.50".to_owned()))]
    #[case(r#"{"after":[1]}"#, Cursor::Next(r#"{"after":[1]}"#.to_owned()))]
    #[case(r#""""#, Cursor::End)]
    #[case("null", Cursor::End)]
    #[case("true", Cursor::Next("true".to_owned()))]
    #[case("false", Cursor::End)]
    #[case("NaN", Cursor::NotUnderstood("NaN or an infinity"))]
    fn the_next_cursor_is_kept_as_it_came(#[case] next: &str, #[case] expected: Cursor) {
        let answer = format!(r#"{{"data": {{"list": [], "next": {next}}}}}"#);
        let answer = Json::parse(answer.as_bytes()).expect("JSON");
        let page = Page::read(answer, &with_cursor()).expect("a page");
        assert_eq!(page.cursor, expected);
    }
}
