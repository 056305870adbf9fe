//! The threads that decode and encode: as many as the settings say, and always the same ones.
//!
//! The runtime has threads for work that blocks, but moves from one to another, and glibc's allocator
//! keeps memory for each: rows gathered on one and freed on the next cost a tenth more. Apart from
//! that, a disk that is slow takes no thread from decoding, nor the other way round.

use std::io;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;

use tokio::runtime::Handle;
use tokio::sync::{Semaphore, oneshot};

use crate::sync::lock;

type Work = Box<dyn FnOnce() + Send>;

/// Threads for work that keeps a core busy.
#[derive(Debug)]
pub(super) struct Crew {
    work: Mutex<Sender<Work>>,
    /// For each thread one work that it does and one that waits, so that a thread that is done has the
    /// next at hand, and need not sleep until whoever waits for it has woken up.
    room: Arc<Semaphore>,
    size: NonZeroUsize,
}

/// Work that was begun, and what comes of it.
#[derive(Debug)]
pub(super) struct Begun<T>(oneshot::Receiver<thread::Result<T>>);

impl Crew {
    /// Starts the threads. They end when the crew is dropped and their work is done.
    ///
    /// # Errors
    /// When the system has no thread left.
    pub(super) fn new(size: NonZeroUsize) -> io::Result<Self> {
        let (sender, receiver) = channel::<Work>();
        let receiver = Arc::new(Mutex::new(receiver));
        for number in 1..=size.get() {
            let (receiver, runtime) = (Arc::clone(&receiver), Handle::current());
            thread::Builder::new()
                .name(format!("decode-{number}"))
                .spawn(move || {
                    let _runtime = runtime.enter();
                    while let Some(work) = next(&receiver) {
                        work();
                    }
                })?;
        }
        Ok(Self {
            work: Mutex::new(sender),
            room: Arc::new(Semaphore::new(2 * size.get())),
            size,
        })
    }

    /// How many there are.
    pub(super) fn size(&self) -> usize {
        self.size.get()
    }

    /// Waits until no more works wait than there are threads, and adds this one.
    pub(super) async fn begin<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Begun<T> {
        let room = Arc::clone(&self.room)
            .acquire_owned()
            .await
            .expect("the semaphore is never closed");
        let (ended, end) = oneshot::channel();
        let work = Box::new(move || {
            let result = catch_unwind(AssertUnwindSafe(work));
            drop(room);
            // Nobody may be interested any more.
            let _ = ended.send(result);
        });
        lock(&self.work)
            .send(work)
            .expect("the threads go on as long as the crew is there");
        Begun(end)
    }

    /// Does work so small that it is not worth handing over right here, as one of the crew; not if
    /// all of them are busy.
    pub(super) fn here<T>(&self, work: impl FnOnce() -> T) -> Option<T> {
        if self.room.available_permits() <= self.size() {
            return None;
        }
        let _room = self.room.try_acquire().ok()?;
        Some(work())
    }
}

fn next(receiver: &Mutex<Receiver<Work>>) -> Option<Work> {
    lock(receiver).recv().ok()
}

impl<T> Begun<T> {
    /// What came of it. A panic there goes on here.
    pub(super) async fn end(&mut self) -> T {
        let result = (&mut self.0).await;
        match result.expect("work sends its result, a panic too") {
            Ok(result) => result,
            Err(panic) => resume_unwind(panic),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crew(size: usize) -> Crew {
        Crew::new(NonZeroUsize::new(size).expect("not zero")).expect("threads")
    }

    #[tokio::test]
    async fn a_panic_goes_on_where_the_work_is_awaited_and_the_thread_works_on() {
        let crew = crew(1);
        let mut bad = crew.begin(|| panic!("on purpose")).await;
        let awaited = tokio::spawn(async move {
            let () = bad.end().await;
        });
        assert!(awaited.await.expect_err("it panics").is_panic());
        assert_eq!(crew.begin(|| 7).await.end().await, 7);
    }

    #[tokio::test]
    async fn no_more_is_begun_than_is_done_and_waits_at_hand() {
        let crew = crew(1);
        let (hold, held) = channel::<()>();
        let mut first = crew.begin(move || held.recv().is_err()).await;
        assert_eq!(crew.here(|| 1), None);
        let mut second = crew.begin(|| 2).await;
        let third = crew.begin(|| 3);
        tokio::pin!(third);
        assert!(futures_util::poll!(third.as_mut()).is_pending());
        drop(hold);
        assert!(first.end().await);
        assert_eq!(second.end().await, 2);
        assert_eq!(third.await.end().await, 3);
        assert_eq!(crew.here(|| 4), Some(4));
    }
}
