//! Locks, object pools and threads, as all stages use them. No channels: those have an owner.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::task::JoinError;

/// A lock whose holder panicked has failed the run already; the data is dropped with it.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reusable objects, such as buffers: [`take`](Self::take) one, or make it, and [`put`](Self::put)
/// it back.
#[derive(Debug)]
pub(crate) struct Pool<T> {
    idle: Mutex<Vec<T>>,
    max_idle: usize,
}

impl<T> Pool<T> {
    /// An empty pool that keeps at most this many objects.
    pub(crate) fn new(max_idle: usize) -> Self {
        Self {
            idle: Mutex::default(),
            max_idle,
        }
    }

    /// An object that was put back, if there is one.
    pub(crate) fn take(&self) -> Option<T> {
        lock(&self.idle).pop()
    }

    /// Keeps an object for reuse, unless the pool is full.
    pub(crate) fn put(&self, object: T) {
        let mut idle = lock(&self.idle);
        if idle.len() < self.max_idle {
            idle.push(object);
        }
    }
}

/// Does work that waits for the disk on a thread of the runtime. A panic there goes on here.
///
/// # Errors
/// When the runtime ended before the work began.
pub(crate) async fn blocking<T, F>(work: F) -> Result<T, JoinError>
where
    T: Send + 'static,
    F: FnOnce() -> T + Send + 'static,
{
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => Ok(result),
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(error) => Err(error),
        },
    }
}

/// Does the same on several threads; the first error counts.
pub(crate) fn in_parallel<E: Send>(
    threads: usize,
    work: impl Fn() -> Result<(), E> + Sync,
) -> Result<(), E> {
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(&work)).collect();
        let mut result = work();
        for other in others {
            match other.join() {
                Ok(ended) => result = result.and(ended),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        result
    })
}

/// Does something for each number below `count`, on as many threads as there are cores, or as the system
/// gives. Results come in the order of the numbers.
pub(crate) fn on_all_cores<T: Send>(count: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let threads = std::thread::available_parallelism()
        .map_or(1, Into::into)
        .min(count.max(1));
    let next = AtomicUsize::new(0);
    let worker = || {
        let numbers = std::iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed));
        numbers
            .take_while(|n| *n < count)
            .map(|n| (n, work(n)))
            .collect::<Vec<_>>()
    };
    let mut results: Vec<(usize, T)> = std::thread::scope(|scope| {
        let more = (1..threads).map_while(|_| {
            let spawned = std::thread::Builder::new().spawn_scoped(scope, worker);
            spawned.ok()
        });
        let handles: Vec<_> = more.collect();
        let own = worker();
        let join = |handle: std::thread::ScopedJoinHandle<'_, Vec<(usize, T)>>| {
            handle
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        own.into_iter()
            .chain(handles.into_iter().flat_map(join))
            .collect()
    });
    results.sort_unstable_by_key(|(n, _)| *n);
    results.into_iter().map(|(_, result)| result).collect()
}
