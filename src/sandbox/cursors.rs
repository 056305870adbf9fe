//! Cursors of each JSON type, which the client must send back unchanged.

use serde_json::Value;

use super::ask::CursorAsk;
use super::faults::FaultKind;
use super::seeded_rng::mix;

/// The cursor of a page, as JSON.
pub(super) fn cursor(kind: FaultKind, listing: u64, page: usize) -> String {
    let key = mix(listing, page as u64);
    match kind {
        // More digits than a double holds.
        FaultKind::CursorNumber => format!("9007{:019}", key % 10_u64.pow(19)),
        FaultKind::CursorBool => "true".to_owned(),
        FaultKind::CursorNested => format!(r#"{{"after":[{page},"{key:x}"],"at":null}}"#),
        _ => format!("\"{page}+{key:x}/==\""),
    }
}

/// The requested page; `None` if the cursor is unknown or of another type.
pub(super) fn page_of(
    kind: FaultKind,
    listing: u64,
    asked: Option<&CursorAsk>,
    pages: usize,
) -> Option<usize> {
    let Some(asked) = asked else { return Some(1) };
    (2..=pages).find(|page| is_same(&cursor(kind, listing, *page), asked))
}

fn is_same(given: &str, asked: &CursorAsk) -> bool {
    let value = |text: &str| serde_json::from_str::<Value>(text).ok();
    match asked {
        CursorAsk::Json(asked) => {
            let is_number = given.starts_with(|first: char| first.is_ascii_digit());
            given == asked || !is_number && value(given) == value(asked)
        }
        // In a query, strings appear without quotes and other values as JSON.
        CursorAsk::Text(asked) => match value(given) {
            Some(Value::String(text)) => text == *asked,
            Some(Value::Object(_)) => value(given) == value(asked),
            _ => given == asked,
        },
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(FaultKind::CursorText, 7)]
    #[case(FaultKind::CursorNumber, 7)]
    #[case(FaultKind::CursorNested, 7)]
    #[case(FaultKind::CursorBool, 2)]
    fn a_cursor_leads_to_its_page_if_it_comes_back_as_it_was(
        #[case] kind: FaultKind,
        #[case] pages: usize,
    ) {
        assert_eq!(page_of(kind, 5, None, pages), Some(1));
        for page in 2..=pages {
            let given = cursor(kind, 5, page);
            let json = CursorAsk::Json(given.clone());
            assert_eq!(page_of(kind, 5, Some(&json), pages), Some(page), "{given}");
            let text = match serde_json::from_str(&given) {
                Ok(Value::String(text)) => text,
                _ => given.clone(),
            };
            let text = CursorAsk::Text(text);
            assert_eq!(page_of(kind, 5, Some(&text), pages), Some(page), "{given}");
            for other in [
                format!("{given:?}"),
                "null".to_owned(),
                "9.007e22".to_owned(),
            ] {
                let other = CursorAsk::Json(other);
                assert_eq!(page_of(kind, 5, Some(&other), pages), None, "{other:?}");
            }
        }
    }
}
