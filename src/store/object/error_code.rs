//! The store's own error codes.

/// The stores' error codes for a clock skew.
pub(super) const OF_THE_CLOCK: [&str; 3] = [
    "RequestTimeTooSkewed",
    "RequestExpired",
    "RequestInTheFuture",
];

/// The stores' error codes for credentials that have expired.
pub(super) const OF_EXPIRY: [&str; 2] = ["ExpiredToken", "TokenRefreshRequired"];

/// The server's error code: `<Code>` in its XML.
pub(super) fn code(body: &str) -> Option<&str> {
    let (_, rest) = body.split_once("<Code>")?;
    let (code, _) = rest.split_once("</Code>")?;
    let is_word = |code: &&str| {
        !code.is_empty() && code.len() <= 60 && code.bytes().all(|b| b.is_ascii_alphanumeric())
    };
    Some(code).filter(is_word)
}
