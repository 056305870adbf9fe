//! What the page embeds, and the policy that allows nothing else.

use sha2::{Digest as _, Sha256};

use crate::decode::base64;

/// The style sheet.
pub(super) const STYLE: &str = include_str!("style.css");
/// Apache `ECharts`, as npm has it.
pub(super) const LIBRARY: &str = include_str!("echarts/echarts.common.min.js");
/// What draws the charts.
pub(super) const SCRIPT: &str = include_str!("page.js");

/// The content security policy: the style and the scripts of the page by their hashes, no request,
/// no form, no other base address.
pub(super) fn policy() -> String {
    format!(
        "default-src 'none'; style-src {}; script-src {} {}; base-uri 'none'; form-action 'none'",
        hash(STYLE),
        hash(LIBRARY),
        hash(SCRIPT)
    )
}

fn hash(text: &str) -> String {
    format!("'sha256-{}'", base64(&Sha256::digest(text.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The SHA-256 of `dist/echarts.common.min.js` in the package `echarts` 6.1.0 of npm.
    const PUBLISHED: &str = "61f13280aba3161f77fc801bf5f9c786f55f10432153a0683fc5cc0700b013d5";

    #[test]
    fn the_charting_library_is_the_published_one() {
        let sum = crate::store::Checksum(Sha256::digest(LIBRARY.as_bytes()).into());
        assert_eq!(sum.to_string(), PUBLISHED);
    }

    #[test]
    fn nothing_that_is_embedded_ends_its_element() {
        for text in [LIBRARY, SCRIPT] {
            let text = text.to_ascii_lowercase();
            assert!(!text.contains("</script") && !text.contains("<!--"));
        }
        assert!(!STYLE.to_ascii_lowercase().contains("</style"));
        // The style loads nothing.
        assert!(!STYLE.contains("url(") && !STYLE.contains("@import"));
    }
}
