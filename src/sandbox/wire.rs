//! A connection that can be reset on demand, so that the peer sees an error and not an end of
//! stream.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use hyper::header::HeaderName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A header sent with a space before its colon, which the HTTP library would not write.
pub(super) const HEADER_WITH_SPACE: HeaderName = HeaderName::from_static("x-sandbox-space");
const AS_WRITTEN: &[u8] = b"\r\nx-sandbox-space: ";
const AS_SENT: &[u8] = b"\r\nx-sandbox-space :";

/// Inserts the space, if these bytes are a response head with that header.
fn spaced(bytes: &[u8]) -> Option<Vec<u8>> {
    let head = bytes.get(..1024).unwrap_or(bytes);
    let at = head.starts_with(b"HTTP/1.1 ").then(|| {
        head.windows(AS_WRITTEN.len())
            .position(|at| at == AS_WRITTEN)
    })??;
    let mut sent = bytes.to_vec();
    sent[at..at + AS_SENT.len()].copy_from_slice(AS_SENT);
    Some(sent)
}

/// Controls how a connection ends. Clones belong to the same connection.
#[derive(Clone, Debug, Default)]
pub(super) struct ResetSwitch(Arc<AtomicBool>);

impl ResetSwitch {
    /// Makes closing the connection reset it.
    pub(super) fn arm(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn is_armed(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The server's end of a connection.
#[derive(Debug)]
pub(super) struct Wire {
    stream: TcpStream,
    reset: ResetSwitch,
}

impl Wire {
    pub(super) fn new(stream: TcpStream, reset: ResetSwitch) -> Self {
        Self { stream, reset }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        if self.reset.is_armed() {
            // With a linger time of zero, closing sends RST in place of FIN. If it cannot be set,
            // the connection is closed normally.
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match spaced(bytes) {
            // The length is unchanged, so the returned byte count is right, too.
            Some(sent) => Pin::new(&mut self.stream).poll_write(context, &sent),
            None => Pin::new(&mut self.stream).poll_write(context, bytes),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match slices.first().and_then(|first| spaced(first)) {
            Some(sent) => Pin::new(&mut self.stream).poll_write(context, &sent),
            None => Pin::new(&mut self.stream).poll_write_vectored(context, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.reset.is_armed() {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
