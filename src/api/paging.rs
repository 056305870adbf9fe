//! The state machine of one listing. No I/O: it is told pages and says what to ask for next.
//!
//! One *pass* asks page after page to the end. Vendors' lists shift while they are paged, so a
//! pass may meet an item twice, or miss one, or see the total change. Then the list is taken
//! again, and the union of all passes is kept ([`Union`]).
//!
//! A listing that repeats a page, or a cursor, would go on for ever: the pass ends there.

use std::collections::{HashMap, HashSet};
use std::fmt;

use serde_json::Value;

use crate::job::{PagingProfile, PagingStyle};

/// One page as the vendor sends it.
#[derive(Debug, PartialEq)]
pub(crate) struct Page {
    pub(crate) items: Vec<Value>,
    pub(crate) total: Option<u64>,
    pub(crate) next_cursor: Option<String>,
}

impl Page {
    /// Finds items, total and cursor by the profile. `None`: none of its pointers leads to items.
    pub(crate) fn read(mut answer: Value, profile: &PagingProfile) -> Option<Self> {
        let total = profile
            .total
            .as_ref()
            .and_then(|total| match answer.pointer(total)? {
                Value::Number(number) => number.as_u64(),
                Value::String(text) => text.trim().parse().ok(),
                _ => None,
            });
        let next_cursor = match &profile.style {
            PagingStyle::Number { .. } => None,
            PagingStyle::Cursor { next, .. } => match answer.pointer(next) {
                Some(Value::String(text)) if !text.is_empty() => Some(text.clone()),
                Some(Value::Number(number)) => Some(number.to_string()),
                _ => None,
            },
        };
        let list = profile
            .items
            .iter()
            .find(|at| answer.pointer(at).is_some_and(Value::is_array));
        let items = match list {
            Some(at) => answer.pointer_mut(at)?.as_array_mut().map(std::mem::take)?,
            // Good only where the vendor says that there is nothing.
            None if is_empty(&answer, total, profile) => Vec::new(),
            None => return None,
        };
        Some(Self {
            items,
            total,
            next_cursor,
        })
    }
}

/// Whether an answer without a list is an empty page: `{"list": null}` with no total above zero,
/// or, if the profile says so, `data: null`.
fn is_empty(answer: &Value, total: Option<u64>, profile: &PagingProfile) -> bool {
    let null_list = |at: &String| {
        answer.pointer(at).is_some_and(Value::is_null) && (at != "/data" || profile.null_is_empty)
    };
    total.unwrap_or(0) == 0 && profile.items.iter().any(null_list)
}

/// What a request for a page says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    /// The page of this number.
    Number(u64),
    /// The first page of a listing with cursors.
    First,
    /// The page of this cursor.
    Cursor(String),
}

/// What made a pass unreliable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Shift {
    /// The same item twice.
    Duplicate,
    /// The total changed between two pages.
    TotalChanged,
    /// Another number of items than the total says.
    Count {
        /// Different items found.
        found: u64,
        /// What the vendor says.
        total: u64,
    },
    /// A page or a cursor came again.
    RepeatedPage,
}

impl fmt::Display for Shift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Duplicate => f.write_str("an item came twice"),
            Self::TotalChanged => f.write_str("the total changed"),
            Self::Count { found, total } => write!(f, "{found} items where the total is {total}"),
            Self::RepeatedPage => f.write_str("a page came twice"),
        }
    }
}

/// What comes after a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Another page.
    Ask(Ask),
    /// The pass is over.
    End,
    /// More pages than the profile allows.
    TooMany,
}

/// One pass over a listing.
#[derive(Debug)]
pub(crate) struct Pass<'a> {
    profile: &'a PagingProfile,
    page_size: usize,
    ids: Vec<String>,
    seen: HashSet<String>,
    pages: HashSet<Vec<String>>,
    cursors: HashSet<String>,
    count: u32,
    total: Option<u64>,
    shift: Option<Shift>,
}

impl<'a> Pass<'a> {
    pub(crate) fn new(profile: &'a PagingProfile, page_size: usize) -> Self {
        Self {
            profile,
            page_size,
            ids: Vec::new(),
            seen: HashSet::new(),
            pages: HashSet::new(),
            cursors: HashSet::new(),
            count: 0,
            total: None,
            shift: None,
        }
    }

    /// What to ask for first.
    pub(crate) fn first(&self) -> Ask {
        match &self.profile.style {
            PagingStyle::Number { first, .. } => Ask::Number(u64::from(*first)),
            PagingStyle::Cursor { .. } => Ask::First,
        }
    }

    /// Takes note of a page, told by the ids of its items.
    pub(crate) fn take(
        &mut self,
        ids: Vec<String>,
        total: Option<u64>,
        next_cursor: Option<String>,
    ) -> Next {
        self.count += 1;
        let items = ids.len();
        if items > 0 && !self.pages.insert(ids.clone()) {
            self.shift = Some(Shift::RepeatedPage);
            return Next::End;
        }
        for id in &ids {
            if !self.seen.insert(id.clone()) {
                self.shift = Some(Shift::Duplicate);
            }
        }
        self.ids.extend(ids);
        if self.count > 1 && total != self.total {
            self.shift = Some(Shift::TotalChanged);
        }
        self.total = total;
        let next = match &self.profile.style {
            PagingStyle::Number { first, .. } => {
                let over = match total {
                    _ if items == 0 => true,
                    Some(total) => self.ids.len() as u64 >= total,
                    None => items < self.page_size,
                };
                (!over).then(|| Ask::Number(u64::from(*first) + u64::from(self.count)))
            }
            PagingStyle::Cursor { .. } => next_cursor.map(Ask::Cursor),
        };
        match next {
            None => self.end(),
            Some(Ask::Cursor(cursor)) if !self.cursors.insert(cursor.clone()) => {
                self.shift = Some(Shift::RepeatedPage);
                Next::End
            }
            Some(_) if self.count >= self.profile.max_pages.get() => Next::TooMany,
            Some(ask) => Next::Ask(ask),
        }
    }

    fn end(&mut self) -> Next {
        let found = self.seen.len() as u64;
        if let (None, Some(total)) = (&self.shift, self.total)
            && found != total
        {
            self.shift = Some(Shift::Count { found, total });
        }
        Next::End
    }
}

/// The items of all passes, and whether they are all there are.
#[derive(Debug)]
pub(crate) struct Union<T> {
    order: Vec<String>,
    items: HashMap<String, T>,
    last: Option<(Vec<String>, Option<u64>)>,
}

/// What a finished pass adds up to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sum {
    /// The union is the listing.
    Complete,
    /// It must be taken again, for this reason.
    Shifted(Shift),
}

impl<T> Union<T> {
    pub(crate) fn new() -> Self {
        Self {
            order: Vec::new(),
            items: HashMap::new(),
            last: None,
        }
    }

    /// Keeps an item; the newest state of it wins.
    pub(crate) fn keep(&mut self, id: &str, item: T) {
        if self.items.insert(id.to_owned(), item).is_none() {
            self.order.push(id.to_owned());
        }
    }

    /// Judges a pass whose items were all kept. It is good if nothing shifted; if it met an item
    /// twice and agrees with the pass before item for item (then the list stands still, and is as
    /// odd as it looks); or if, after another pass, the union is as large as the total.
    pub(crate) fn judge(&mut self, pass: Pass<'_>) -> Sum {
        let Some(shift) = pass.shift else {
            return Sum::Complete;
        };
        let whole = pass.total == Some(self.items.len() as u64);
        let again = self.last.is_some();
        // A vendor whose list has an item twice may count it twice.
        let short = pass
            .total
            .is_some_and(|total| (pass.ids.len() as u64) < total);
        let this = (pass.ids, pass.total);
        let steady = shift == Shift::Duplicate && self.last.as_ref() == Some(&this);
        self.last = Some(this);
        if (steady && !short) || (again && whole) {
            Sum::Complete
        } else {
            Sum::Shifted(shift)
        }
    }

    /// All items, in the order they were first met.
    pub(crate) fn into_items(mut self) -> Vec<T> {
        self.order
            .iter()
            .filter_map(|id| self.items.remove(id))
            .collect()
    }

    /// How many different items there are.
    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use rstest::rstest;
    use serde_json::json;

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

    fn number(number: u64) -> Next {
        Next::Ask(Ask::Number(number))
    }

    /// Passes of numbered pages of two items each, without cursor: `"a b|c d|e"`.
    fn judge(passes: &[(&str, Option<u64>)]) -> (Sum, Vec<String>) {
        let profile = numbered();
        let mut union = Union::new();
        let mut sum = None;
        for (pages, total) in passes {
            let mut pass = Pass::new(&profile, 2);
            for page in pages.split('|') {
                for id in ids(page) {
                    union.keep(&id, id.clone());
                }
                if pass.take(ids(page), *total, None) == Next::End {
                    break;
                }
            }
            sum = Some(union.judge(pass));
        }
        (sum.expect("a pass"), union.into_items())
    }

    #[test]
    fn without_a_total_a_short_page_is_the_last() {
        let profile = numbered();
        let mut pass = Pass::new(&profile, 2);
        assert_eq!(pass.first(), Ask::Number(1));
        assert_eq!(pass.take(ids("a b"), None, None), number(2));
        assert_eq!(pass.take(ids("c"), None, None), Next::End);
        assert_eq!(pass.shift, None);
    }

    #[test]
    fn with_a_total_a_short_page_is_not_the_last() {
        let profile = numbered();
        let mut pass = Pass::new(&profile, 100);
        assert_eq!(pass.take(ids("a b"), Some(3), None), number(2));
        assert_eq!(pass.take(ids("c"), Some(3), None), Next::End);
        assert_eq!(pass.shift, None);
    }

    #[test]
    fn an_empty_page_is_the_last_whatever_the_total_says() {
        let profile = numbered();
        let mut pass = Pass::new(&profile, 2);
        assert_eq!(pass.take(ids("a b"), Some(9), None), number(2));
        assert_eq!(pass.take(ids(""), Some(9), None), Next::End);
        assert_eq!(pass.shift, Some(Shift::Count { found: 2, total: 9 }));
    }

    #[test]
    fn cursors_lead_to_the_end_over_short_and_empty_pages() {
        let profile = with_cursor();
        let next = |cursor: &str| Some(cursor.to_owned());
        let mut pass = Pass::new(&profile, 2);
        assert_eq!(pass.first(), Ask::First);
        let ask = |cursor: &str| Next::Ask(Ask::Cursor(cursor.to_owned()));
        assert_eq!(pass.take(ids("a"), None, next("1")), ask("1"));
        assert_eq!(pass.take(ids(""), None, next("2")), ask("2"));
        assert_eq!(pass.take(ids("b c"), None, None), Next::End);
        assert_eq!(pass.shift, None);
    }

    #[test]
    fn a_cursor_that_comes_again_ends_the_pass() {
        let profile = with_cursor();
        let mut pass = Pass::new(&profile, 2);
        pass.take(ids("a b"), None, Some("1".to_owned()));
        assert_eq!(pass.take(ids("c d"), None, Some("1".to_owned())), Next::End);
        assert_eq!(pass.shift, Some(Shift::RepeatedPage));
    }

    #[test]
    fn a_page_that_comes_again_ends_the_pass() {
        let profile = numbered();
        let mut pass = Pass::new(&profile, 2);
        pass.take(ids("a b"), None, None);
        pass.take(ids("c d"), None, None);
        assert_eq!(pass.take(ids("a b"), None, None), Next::End);
        assert_eq!(pass.shift, Some(Shift::RepeatedPage));
    }

    #[test]
    fn the_page_cap_is_said_and_not_a_silent_end() {
        let profile = numbered();
        let mut pass = Pass::new(&profile, 1);
        for n in 0..4 {
            assert_eq!(pass.take(vec![n.to_string()], None, None), number(n + 2));
        }
        assert_eq!(pass.take(ids("last"), None, None), Next::TooMany);
        let mut pass = Pass::new(&profile, 2);
        for n in 0..4 {
            pass.take(vec![n.to_string(), format!("{n}b")], None, None);
        }
        assert_eq!(
            pass.take(ids("last"), None, None),
            Next::End,
            "five pages are allowed"
        );
    }

    #[rstest]
    #[case::clean(&[("a b|c", Some(3))], Sum::Complete, "a b c")]
    #[case::duplicate(&[("a b|b c|", None)], Sum::Shifted(Shift::Duplicate), "a b c")]
    #[case::then_clean(&[("a b|b c|", None), ("a b|c x|", None)], Sum::Complete, "a b c x")]
    #[case::union_is_whole(
        &[("a b|b c", Some(4)), ("b a|a d", Some(4))], Sum::Complete, "a b c d"
    )]
    #[case::union_is_short(
        &[("a b|b c", Some(5)), ("b a|a d|", Some(5))], Sum::Shifted(Shift::Duplicate), "a b c d"
    )]
    #[case::stands_still(&[("a b|b c|", None), ("a b|b c|", None)], Sum::Complete, "a b c")]
    #[case::counted_twice(
        &[("a b|b c", Some(4)), ("a b|b c", Some(4))], Sum::Complete, "a b c"
    )]
    #[case::total_lies(
        &[("a b|", Some(9)), ("a b|", Some(9))],
        Sum::Shifted(Shift::Count { found: 2, total: 9 }), "a b"
    )]
    #[case::repeated(&[("a b|a b", None)], Sum::Shifted(Shift::RepeatedPage), "a b")]
    #[case::repeated_twice(
        &[("a b|a b", None), ("a b|a b", None)], Sum::Shifted(Shift::RepeatedPage), "a b"
    )]
    #[case::repeated_but_whole(
        &[("a b|b c|a b", Some(6)), ("c d|c d", Some(4))], Sum::Complete, "a b c d"
    )]
    #[case::repeated_once(&[("a b|a b", None), ("a b|c", None)], Sum::Complete, "a b c")]
    fn passes_add_up(
        #[case] passes: &[(&str, Option<u64>)],
        #[case] sum: Sum,
        #[case] union: &str,
    ) {
        assert_eq!(judge(passes), (sum, ids(union)));
    }

    #[test]
    fn a_total_that_changes_is_a_shift() {
        let profile = numbered();
        let mut pass = Pass::new(&profile, 2);
        pass.take(ids("a b"), Some(3), None);
        pass.take(ids("c d"), Some(4), None);
        assert_eq!(pass.shift, Some(Shift::TotalChanged));
    }

    #[test]
    fn the_newest_state_of_an_item_is_kept() {
        let mut union = Union::new();
        union.keep("a", "pending");
        union.keep("a", "finished");
        assert_eq!(union.into_items(), ["finished"]);
    }

    #[rstest]
    #[case(json!({"data": {"list": [1, 2], "total": 7}}), Some((2, Some(7))))]
    #[case(json!({"data": {"list": [1, 2], "total": "7"}}), Some((2, Some(7))))]
    #[case(json!({"data": [1, 2, 3]}), Some((3, None)))]
    #[case(json!({"data": {"list": []}}), Some((0, None)))]
    #[case(json!({"data": {"list": null, "total": 0}}), Some((0, Some(0))))]
    #[case(json!({"data": {"list": null}}), Some((0, None)))]
    #[case(json!({"data": {"list": null, "total": 3}}), None)]
    #[case(json!({"data": {"rows": [1, 2]}}), None)]
    #[case(json!({"data": null}), None)]
    fn items_are_found_or_missed(
        #[case] answer: Value,
        #[case] expected: Option<(usize, Option<u64>)>,
    ) {
        let page = Page::read(answer, &numbered());
        assert_eq!(page.map(|page| (page.items.len(), page.total)), expected);
    }

    #[test]
    fn null_data_is_an_empty_page_only_by_the_profile() {
        let profile = PagingProfile {
            null_is_empty: true,
            ..numbered()
        };
        assert!(Page::read(json!({"data": null}), &profile).is_some());
    }

    #[rstest]
    #[case(json!("abc"), Some("abc"))]
    #[case(json!(17), Some("17"))]
    #[case(json!(""), None)]
    #[case(json!(null), None)]
    fn the_next_cursor_is_text_or_a_number(#[case] next: Value, #[case] expected: Option<&str>) {
        let page = Page::read(json!({"data": {"list": [], "next": next}}), &with_cursor());
        assert_eq!(page.expect("a page").next_cursor.as_deref(), expected);
    }
}
