//! Reports long waits. A request that takes longer than [`INTERVAL`] is reported; of several such
//! requests one reports for all, so an API that hangs produces one line per interval.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval_at};

/// A wait is reported after this long, and again after each further interval.
pub(crate) const INTERVAL: Duration = Duration::from_secs(30);

/// Minimum time between two reports. Slightly shorter than the interval, since the timers of
/// different requests do not align.
const QUIET: Duration = Duration::from_secs(27);

/// All long waits of an account.
#[derive(Debug, Default)]
pub(crate) struct Watch(Mutex<Waits>);

#[derive(Debug, Default)]
struct Waits {
    /// Requests that take longer than the interval.
    long: u32,
    said: Option<Instant>,
}

/// One request that takes long. Dropping it ends the wait.
struct Long<'a>(&'a Watch);

impl Drop for Long<'_> {
    fn drop(&mut self) {
        self.0.with(|waits| waits.long -= 1);
    }
}

impl Watch {
    /// Waits for `work`. After each interval, `say` receives the elapsed time and how many other
    /// requests take long, unless another request reported a moment ago.
    pub(crate) async fn over<T>(
        &self,
        work: impl Future<Output = T>,
        say: impl Fn(Duration, u32),
    ) -> T {
        let began = Instant::now();
        let mut ticks = interval_at(began + INTERVAL, INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut long = None;
        tokio::pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return done,
                now = ticks.tick() => {
                    let _ = long.get_or_insert_with(|| {
                        self.with(|waits| waits.long += 1);
                        Long(self)
                    });
                    if let Some(others) = self.may_speak(now) {
                        say(now - began, others);
                    }
                }
            }
        }
    }

    /// How many other requests wait long, if a report is due.
    fn may_speak(&self, now: Instant) -> Option<u32> {
        self.with(|waits| {
            if waits.said.is_some_and(|said| now < said + QUIET) {
                return None;
            }
            waits.said = Some(now);
            Some(waits.long.saturating_sub(1))
        })
    }

    fn with<T>(&self, work: impl FnOnce(&mut Waits) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_speaks_for_all_each_interval() {
        let watch = Watch::default();
        let said = Mutex::new(Vec::new());
        let wait = |start: u64, time: u64| {
            let (watch, said) = (&watch, &said);
            async move {
                tokio::time::sleep(Duration::from_millis(start)).await;
                let work = tokio::time::sleep(Duration::from_secs(time));
                watch
                    .over(work, |waited, others| {
                        said.lock()
                            .expect("no panic")
                            .push((waited.as_secs(), others));
                    })
                    .await;
            }
        };
        tokio::join!(wait(0, 100), wait(50, 100), wait(100, 100), wait(0, 20));
        let said = said.into_inner().expect("no panic");
        assert_eq!(said, [(30, 0), (60, 2), (90, 2)]);
    }
}
