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

#[cfg(test)]
mod tests {
    use super::*;

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
