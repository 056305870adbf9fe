//! Pages of a listing: the items of a page, and the distortions of a page while items move.

use std::ops::Range;

/// How a page differs from the true listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Distortion {
    /// No difference.
    None,
    /// An item moved between this page and its neighbour, and the total counts one more.
    Shifted,
    /// The previous page is returned again.
    Repeated,
    /// One item is missing.
    Short,
}

/// One page of a listing with `total` items.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) items: Range<usize>,
    pub(super) total: usize,
    /// The item that is left out.
    pub(super) left_out: Option<usize>,
}

/// The page of this number, from 1. Pages past the end are empty.
pub(super) fn page(total: usize, number: usize, size: usize, distortion: Distortion) -> Page {
    let start = number.saturating_sub(1).saturating_mul(size).min(total);
    let items = start..start.saturating_add(size).min(total);
    let whole = |items| Page {
        items,
        total,
        left_out: None,
    };
    match distortion {
        Distortion::None => whole(items),
        Distortion::Short => Page {
            left_out: items.clone().nth(items.len() / 2),
            ..whole(items)
        },
        Distortion::Repeated => page(total, number.saturating_sub(1), size, Distortion::None),
        Distortion::Shifted => {
            let items = if items.is_empty() {
                items
            } else if start > 0 {
                // The last item of the previous page is repeated, the last of this one is missing.
                items.start - 1..items.end - 1
            } else if items.end < total {
                // The first item is missing, the next page's first one appears early.
                items.start + 1..items.end + 1
            } else {
                items
            };
            Page {
                total: total + 1,
                ..whole(items)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(number: usize, distortion: Distortion) -> Range<usize> {
        page(25, number, 10, distortion).items
    }

    #[test]
    fn pages_hold_every_item_once() {
        let pages = [1, 2, 3, 4].map(|number| items(number, Distortion::None));
        assert_eq!(pages, [0..10, 10..20, 20..25, 25..25]);
        assert_eq!(
            page(0, 1, 10, Distortion::None),
            Page {
                items: 0..0,
                total: 0,
                left_out: None,
            }
        );
        assert_eq!(items(usize::MAX, Distortion::None), 25..25);
    }

    #[test]
    fn a_shifted_page_has_one_item_twice_and_one_not_at_all() {
        assert_eq!(items(1, Distortion::Shifted), 1..11);
        assert_eq!(items(2, Distortion::Shifted), 9..19);
        assert_eq!(items(3, Distortion::Shifted), 19..24);
        assert_eq!(page(25, 2, 10, Distortion::Shifted).total, 26);
        assert_eq!(
            page(5, 1, 10, Distortion::Shifted),
            Page {
                items: 0..5,
                total: 6,
                left_out: None,
            }
        );
    }

    #[test]
    fn a_short_page_leaves_one_item_out_and_counts_it() {
        let short = |number| page(25, number, 10, Distortion::Short);
        assert_eq!((short(1).left_out, short(3).left_out), (Some(5), Some(22)));
        assert_eq!((short(1).total, short(4).left_out), (25, None));
    }

    #[test]
    fn a_repeated_page_is_the_one_before() {
        assert_eq!(items(2, Distortion::Repeated), 0..10);
    }
}
