//! The seal of a commit record: its own checksum at the end, and that of the preceding record.
//!
//! ```text
//! {"format_version":3,"sequence":5,"previous":"<SHA-256 of record 4>", … ,"sha256":"<SHA-256>"}
//! ```
//! - `sha256` is the last field, and the SHA-256 of all bytes before its comma. The field and the
//!   closing brace always take 77 bytes: `head -c -77 RECORD | sha256sum`.
//! - `previous` is the SHA-256 of the whole preceding record, seal included: `sha256sum RECORD`.
//!   The first record of a log omits it.
//!
//! Records of versions 1 and 2 have neither field and are read as they are; the record that follows
//! them states their checksum. A log never returns to records without a seal.
//!
//! This module never reads the content of a record.

use sha2::{Digest as _, Sha256};

use crate::store::Checksum;

/// The first version of records that are sealed.
pub(crate) const SINCE: u32 = 3;

const FIELD: &[u8] = br#","sha256":""#;
const END: &[u8] = br#""}"#;
/// The length of the field with the closing brace.
pub(crate) const LENGTH: usize = FIELD.len() + 64 + END.len();

/// The end of the log that the next record must refer to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tail {
    /// Checksum of all bytes of the record.
    pub(crate) sum: Checksum,
    /// Whether it has a seal.
    pub(crate) is_sealed: bool,
}

/// Appends the seal to a record, a JSON object.
///
/// # Panics
/// If it is not one.
pub(crate) fn seal(json: &mut Vec<u8>) {
    assert_eq!(json.pop(), Some(b'}'), "a record is a JSON object");
    let sum = sum(json);
    json.extend_from_slice(FIELD);
    json.extend_from_slice(sum.to_string().as_bytes());
    json.extend_from_slice(END);
}

/// Verifies the seal of a record, if it has one, and returns the checksum of all its bytes.
pub(crate) fn check(record: &[u8]) -> Result<Tail, String> {
    let mut running = Sha256::new();
    let Some((body, seal, found)) = split(record) else {
        running.update(record);
        let sum = Checksum(running.finalize().into());
        return Ok(Tail {
            sum,
            is_sealed: false,
        });
    };
    running.update(body);
    let wanted = Checksum(running.clone().finalize().into());
    if found != wanted.to_string().as_bytes() {
        return Err(
            "its checksum is not that of its content: it was changed after it had already been written".into(),
        );
    }
    running.update(seal);
    Ok(Tail {
        sum: Checksum(running.finalize().into()),
        is_sealed: true,
    })
}

/// Whether it ends with a seal, valid or not.
pub(crate) fn is_sealed(record: &[u8]) -> bool {
    split(record).is_some()
}

/// The sealed bytes, the seal, and the checksum in it; `None` if there is no seal.
fn split(record: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (body, seal) = record.split_at(record.len().checked_sub(LENGTH)?);
    let found = seal.strip_prefix(FIELD)?.strip_suffix(END)?;
    Some((body, seal, found))
}

/// The SHA-256 of these bytes.
pub(crate) fn sum(bytes: &[u8]) -> Checksum {
    Checksum(Sha256::digest(bytes).into())
}

/// Limits, in bytes to hash, for the search for a damaged bit and for a damaged byte: seconds of
/// work, for records of up to 32 KiB and 2 KiB.
const EFFORT: (usize, usize) = (4 << 30, 512 << 20);

/// The original record, if it differs in one bit, or in a small record in one byte. `whole` is the
/// checksum of all its bytes as stated by the next record. Blocks for seconds.
pub(crate) fn mended(record: &[u8], whole: Option<Checksum>) -> Option<Vec<u8>> {
    let at = record.len().checked_sub(LENGTH)?;
    let fits = |candidate: &[u8]| {
        let tail = check(candidate).ok().filter(|tail| tail.is_sealed);
        tail.is_some_and(|tail| whole.is_none_or(|whole| whole == tail.sum))
    };
    // The seal itself is damaged: recompute it from the rest.
    let (body, seal) = record.split_at(at);
    let mut sealed = body.to_vec();
    sealed.push(b'}');
    self::seal(&mut sealed);
    let differing = seal.iter().zip(&sealed[at..]).filter(|(a, b)| a != b);
    if differing.count() <= 1 && fits(&sealed) {
        return Some(sealed);
    }
    let (_, _, found) = split(record)?;
    let found: Checksum = std::str::from_utf8(found).ok()?.parse().ok()?;
    let all = |bits: bool| {
        let (changes, most): (Vec<u8>, usize) = if bits {
            ((0..8).map(|bit| 1 << bit).collect(), EFFORT.0)
        } else {
            ((1..=u8::MAX).collect(), EFFORT.1)
        };
        // Each attempt hashes the bytes after this one.
        let work = (at / 2).saturating_mul(at).saturating_mul(changes.len());
        (work <= most).then_some(changes)
    };
    for changes in [all(true), all(false)].into_iter().flatten() {
        let mut before = Sha256::new();
        for (index, byte) in body.iter().enumerate() {
            for change in &changes {
                let mut running = before.clone();
                running.update([byte ^ change]);
                running.update(&body[index + 1..]);
                if running.finalize().as_slice() == found.0 {
                    let mut mended = record.to_vec();
                    mended[index] = byte ^ change;
                    return fits(&mended).then_some(mended);
                }
            }
            before.update([*byte]);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed() -> Vec<u8> {
        let mut record = br#"{"format_version":3,"sequence":1,"changes":{}}"#.to_vec();
        seal(&mut record);
        record
    }

    #[test]
    fn a_stranger_can_check_it() {
        let record = sealed();
        let value: serde_json::Value = serde_json::from_slice(&record).expect("JSON");
        let body = &record[..record.len() - 77];
        assert_eq!(value["sha256"], sum(body).to_string());
        assert!(check(&record).is_ok_and(|tail| tail.is_sealed && tail.sum == sum(&record)));
    }

    #[test]
    fn any_flipped_bit_is_found_and_can_be_put_right() {
        let record = sealed();
        for byte in 0..record.len() {
            for bit in 0..8 {
                let mut bad = record.clone();
                bad[byte] ^= 1 << bit;
                assert!(
                    check(&bad).map_or(true, |tail| !tail.is_sealed),
                    "{byte} {bit}"
                );
                assert_eq!(
                    mended(&bad, None).as_deref(),
                    Some(&*record),
                    "{byte} {bit}"
                );
            }
        }
        let mut two = record.clone();
        two[20] = b'x';
        assert_eq!(mended(&two, Some(sum(&record))).as_deref(), Some(&*record));
        two[30] = b'x';
        assert_eq!(mended(&two, None), None);
    }

    #[test]
    fn what_is_no_record_is_not_mended() {
        assert_eq!(mended(b"", None), None);
        assert_eq!(mended(b"{}", None), None);
        assert_eq!(mended(&[b'x'; 300], None), None);
    }
}
