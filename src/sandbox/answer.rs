//! The body of a response: complete in memory or generated while it is sent, and how it may end
//! early.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame, SizeHint};
use tokio::time::{Sleep, sleep};

use super::detail::Detail;
use super::in_flight::InFlight;
use super::wire::ResetSwitch;

/// The source of the bytes.
#[derive(Debug)]
pub(super) enum Source {
    Whole(Bytes),
    Detail(Box<Detail>),
}

impl Source {
    /// A lower bound of the body's size.
    fn least_bytes(&self) -> u64 {
        match self {
            Self::Whole(bytes) => bytes.len() as u64,
            Self::Detail(detail) => detail.least_bytes(),
        }
    }

    fn next(&mut self) -> Option<Bytes> {
        match self {
            Self::Whole(bytes) if bytes.is_empty() => None,
            Self::Whole(bytes) => Some(std::mem::take(bytes)),
            Self::Detail(detail) => detail.piece(),
        }
    }
}

/// How sending ends.
#[derive(Clone, Debug)]
pub(super) enum Ending {
    /// After the last byte.
    Right,
    /// The connection is closed midway.
    Closed,
    /// The connection is reset midway.
    Reset(ResetSwitch),
    /// Complete for HTTP, truncated in the JSON text.
    Cut,
    /// After the last byte, with a slow first piece.
    Slow,
}

/// Number of parts of a slow piece.
const SLOW_PARTS: u32 = 8;
const SLOW_PAUSE: Duration = Duration::from_millis(60);
/// Time for sent bytes to arrive before the connection breaks.
const BREAK_PAUSE: Duration = Duration::from_millis(5);

/// A body while it is sent.
#[derive(Debug)]
pub(super) struct Answer {
    source: Source,
    ending: Ending,
    /// Bytes until the ending; unlimited for a complete body.
    left: u64,
    slow_parts: u32,
    carried: Bytes,
    state: SendState,
    in_flight: Option<InFlight>,
}

#[derive(Debug)]
enum SendState {
    Sending,
    Pausing(Pin<Box<Sleep>>),
    Breaking(Pin<Box<Sleep>>),
    Ended,
}

impl Answer {
    pub(super) fn new(
        mut source: Source,
        ending: Ending,
        roll: u64,
        in_flight: Option<InFlight>,
    ) -> Self {
        // Anywhere in the response; near its beginning if it is huge.
        let middle = 1 + roll % (source.least_bytes().max(2) - 1);
        let mut left = u64::MAX;
        let mut slow_parts = 0;
        match (&ending, &mut source) {
            (Ending::Cut, Source::Whole(bytes)) => {
                bytes.truncate(usize::try_from(middle).unwrap_or(usize::MAX));
            }
            (Ending::Cut | Ending::Closed | Ending::Reset(_), _) => left = middle,
            (Ending::Slow, _) => slow_parts = SLOW_PARTS,
            (Ending::Right, _) => {}
        }
        let (carried, state) = (Bytes::new(), SendState::Sending);
        Self {
            source,
            ending,
            left,
            slow_parts,
            carried,
            state,
            in_flight,
        }
    }

    fn next_bytes(&mut self) -> Option<Bytes> {
        let mut bytes = std::mem::take(&mut self.carried);
        if bytes.is_empty() {
            bytes = self.source.next()?;
        }
        if self.slow_parts > 0 {
            let part = bytes.len().div_ceil(self.slow_parts as usize);
            self.carried = bytes.split_off(part);
            self.slow_parts -= 1;
        }
        Some(bytes)
    }

    /// Returns the bytes that may still be sent, and triggers the ending.
    fn pass(&mut self, mut bytes: Bytes) -> Bytes {
        if bytes.len() as u64 >= self.left {
            bytes.truncate(usize::try_from(self.left).expect("below a piece's length"));
            self.state = match &self.ending {
                Ending::Cut => SendState::Ended,
                _ => SendState::Breaking(Box::pin(sleep(BREAK_PAUSE))),
            };
            return bytes;
        }
        self.left -= bytes.len() as u64;
        if self.slow_parts > 0 {
            self.state = SendState::Pausing(Box::pin(sleep(SLOW_PAUSE)));
        }
        bytes
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = self.get_mut();
        match &mut this.state {
            SendState::Sending => {}
            SendState::Pausing(pause) => {
                ready!(pause.as_mut().poll(context));
                this.state = SendState::Sending;
            }
            SendState::Breaking(pause) => {
                ready!(pause.as_mut().poll(context));
                this.state = SendState::Ended;
                if let Ending::Reset(switch) = &this.ending {
                    switch.arm();
                }
                return Poll::Ready(Some(Err(io::Error::other("an injected fault"))));
            }
            SendState::Ended => {
                this.in_flight = None;
                return Poll::Ready(None);
            }
        }
        let Some(bytes) = this.next_bytes() else {
            if let Some(in_flight) = this.in_flight.take() {
                in_flight.complete();
            }
            return Poll::Ready(None);
        };
        Poll::Ready(Some(Ok(Frame::data(this.pass(bytes)))))
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Whole(bytes) => SizeHint::with_exact((bytes.len() + self.carried.len()) as u64),
            Source::Detail(_) => SizeHint::default(),
        }
    }
}
