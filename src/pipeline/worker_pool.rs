//! A fixed-size pool of CPU threads for decoding and encoding.
//!
//! The runtime's blocking pool moves work between threads, and glibc's allocator keeps memory per
//! thread: rows collected on one thread and freed on the next cost 10 % more. A separate pool also
//! keeps a slow disk from taking threads away from decoding, and the reverse.

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

/// A pool of threads for CPU-bound work.
#[derive(Debug)]
pub(super) struct WorkerPool {
    work: Mutex<Sender<Work>>,
    /// One running and one queued job per thread, so that a thread that finishes has its next job
    /// ready instead of sleeping until the submitting task has woken up.
    room: Arc<Semaphore>,
    size: NonZeroUsize,
}

/// A handle to the result of submitted work.
#[derive(Debug)]
pub(super) struct JobHandle<T>(oneshot::Receiver<thread::Result<T>>);

impl WorkerPool {
    /// Starts the threads. They end when the pool is dropped and their work is done.
    ///
    /// # Errors
    ///
    /// When the system cannot start another thread.
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

    pub(super) fn size(&self) -> usize {
        self.size.get()
    }

    /// Waits until fewer jobs are queued than there are threads, then queues this one.
    pub(super) async fn submit<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> JobHandle<T> {
        let room = Arc::clone(&self.room)
            .acquire_owned()
            .await
            .expect("the semaphore is never closed");
        let (ended, end) = oneshot::channel();
        let work = Box::new(move || {
            let result = catch_unwind(AssertUnwindSafe(work));
            drop(room);
            // The receiver may have been dropped.
            let _ = ended.send(result);
        });
        lock(&self.work)
            .send(work)
            .expect("the threads live as long as the pool");
        JobHandle(end)
    }

    /// Runs work too small to hand over on the calling thread, counted as one of the pool's;
    /// returns `None` if all threads are busy.
    pub(super) fn try_run_inline<T>(&self, work: impl FnOnce() -> T) -> Option<T> {
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

impl<T> JobHandle<T> {
    /// The result of the work. A panic there is resumed here.
    pub(super) async fn join(&mut self) -> T {
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

    fn pool(size: usize) -> WorkerPool {
        WorkerPool::new(NonZeroUsize::new(size).expect("not zero")).expect("threads")
    }

    #[tokio::test]
    async fn a_panic_goes_on_where_the_work_is_awaited_and_the_thread_works_on() {
        let pool = pool(1);
        let mut bad = pool.submit(|| panic!("on purpose")).await;
        let awaited = tokio::spawn(async move {
            let () = bad.join().await;
        });
        assert!(awaited.await.expect_err("it panics").is_panic());
        assert_eq!(pool.submit(|| 7).await.join().await, 7);
    }

    #[tokio::test]
    async fn no_more_is_begun_than_is_done_and_waits_at_hand() {
        let pool = pool(1);
        let (hold, held) = channel::<()>();
        let mut first = pool.submit(move || held.recv().is_err()).await;
        assert_eq!(pool.try_run_inline(|| 1), None);
        let mut second = pool.submit(|| 2).await;
        let third = pool.submit(|| 3);
        tokio::pin!(third);
        assert!(futures_util::poll!(third.as_mut()).is_pending());
        drop(hold);
        assert!(first.join().await);
        assert_eq!(second.join().await, 2);
        assert_eq!(third.await.join().await, 3);
        assert_eq!(pool.try_run_inline(|| 4), Some(4));
    }
}
