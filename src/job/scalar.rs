//! Single values as people write them in a setting: a switch, a count, a length, a time.

use std::fmt::Display;
use std::num::{NonZeroU64, NonZeroUsize};
use std::str::FromStr;
use std::time::Duration;

use super::quantity;

/// A whole number from 1 up, in the type that asks for it.
pub(super) fn positive<T: FromStr<Err: Display>>(text: &str) -> Result<T, String> {
    text.parse()
        .map_err(|_| format!("`{text}` is not a whole number from 1 up, or too large"))
}

pub(super) fn boolean(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "1" => Ok(true),
        "false" | "no" | "0" => Ok(false),
        _ => Err(format!("`{text}` is neither true nor false")),
    }
}

pub(super) fn some_time(text: &str) -> Result<Duration, String> {
    let time = quantity::duration(text)?;
    if time.is_zero() {
        Err("it must be longer than nothing".to_owned())
    } else {
        Ok(time)
    }
}

pub(super) fn bytes(text: &str) -> Result<NonZeroU64, String> {
    NonZeroU64::new(quantity::size(text)?).ok_or_else(|| "it must not be zero".to_owned())
}

pub(super) fn bytes_in_memory(text: &str) -> Result<NonZeroUsize, String> {
    bytes(text)?
        .try_into()
        .map_err(|_| format!("`{text}` is more than this machine can address"))
}
