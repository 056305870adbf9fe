//! Writes results to standard output.

use std::io::{self, BufWriter, Write};

/// Writes a result, buffered, and flushes it. If the reader closes the pipe (`| head`), nothing
/// more is written, and this is not an error.
///
/// # Errors
///
/// When `out` cannot be written for another reason, such as a full disk.
pub fn deliver<W: Write>(
    out: &mut W,
    write: impl FnOnce(&mut BufWriter<&mut W>) -> io::Result<()>,
) -> io::Result<()> {
    let mut buffered = BufWriter::new(out);
    let result = write(&mut buffered).and_then(|()| buffered.flush());
    // Dropping the writer would try to write the rest of the buffer again.
    let _ = buffered.into_parts();
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// A JSON document on one line, with a line break: what programs and log collectors read from
/// standard output. Files keep their line breaks.
#[must_use]
pub fn one_line(json: &[u8]) -> Vec<u8> {
    let mut line = Vec::with_capacity(json.len());
    let (mut is_text, mut is_escaped) = (false, false);
    for &byte in json {
        if is_text {
            is_text = is_escaped || byte != b'"';
            is_escaped = !is_escaped && byte == b'\\';
        } else if byte.is_ascii_whitespace() {
            continue;
        } else {
            is_text = byte == b'"';
        }
        line.push(byte);
    }
    line.push(b'\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_on_one_line_is_the_same_document() {
        let document = serde_json::json!({
            "a b": ["c  \" d\\", 1.5, {"é\n": null}], "": {}, "x\\\\\"": true,
        });
        let pretty = serde_json::to_vec_pretty(&document).expect("JSON");
        let line = one_line(&pretty);
        let compact = serde_json::to_vec(&document).expect("JSON");
        assert_eq!(line, [compact, b"\n".to_vec()].concat());
    }

    /// A writer that fails from the first byte.
    struct Failing(io::ErrorKind);

    impl Write for Failing {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Err(self.0.into())
        }
    }

    #[test]
    fn a_reader_that_went_away_is_no_error() {
        let mut out = Failing(io::ErrorKind::BrokenPipe);
        deliver(&mut out, |out| writeln!(out, "text")).expect("no error");
        deliver(&mut out, |out| out.write_all(&vec![b'x'; 100_000])).expect("no error");
    }

    #[test]
    fn a_full_disk_is_one() {
        let mut out = Failing(io::ErrorKind::StorageFull);
        let error = deliver(&mut out, |out| writeln!(out, "text")).expect_err("an error");
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    }

    #[test]
    fn what_is_written_arrives() {
        let mut out = Vec::new();
        deliver(&mut out, |out| write!(out, "text")).expect("written");
        assert_eq!(out, b"text");
    }
}
