//! Addresses of files, as other programs take them.

use std::fmt::Write as _;
use std::path::Path;

/// The address with its characters as they are: what COPY commands and manifests take. Keys of an
/// object store are printed unencoded.
pub(super) fn plain(path: &Path, is_local: bool) -> String {
    let path = path.display();
    if is_local {
        format!("file://{path}")
    } else {
        path.to_string()
    }
}

/// The address as a URI: of a file of this machine percent-encoded (RFC 8089), of an object store as
/// it is, since its tools take keys so.
pub(super) fn encoded(path: &Path, is_local: bool) -> String {
    if !is_local {
        return plain(path, is_local);
    }
    let mut uri = "file://".to_owned();
    for byte in path.as_os_str().as_encoded_bytes() {
        let is_plain = byte.is_ascii_alphanumeric() || b"/-._~=".contains(byte);
        if is_plain {
            uri.push(char::from(*byte));
        } else {
            write!(uri, "%{byte:02X}").expect("writing to a string cannot fail");
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_can_be_read_back() {
        let path = Path::new("/my lake/calls/call_date=2024-03-11/a%1.parquet");
        let encoded = encoded(path, true);
        assert_eq!(
            encoded,
            "file:///my%20lake/calls/call_date=2024-03-11/a%251.parquet"
        );
        assert_eq!(plain(path, true), format!("file://{}", path.display()));
        let key = Path::new("s3://bucket/my lake/a.parquet");
        assert_eq!(super::encoded(key, false), "s3://bucket/my lake/a.parquet");
    }
}
