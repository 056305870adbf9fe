//! Shows progress. On a terminal: a line with the listing so far, then a bar of pulled tasks.
//! Elsewhere: a log line every ten seconds.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use tokio::time::Instant;
use tracing::info;

use super::figures;
use super::screen::{Screen, Show};
use crate::event::{Event, Listen};

/// Interval between log lines.
const LINE_INTERVAL: Duration = Duration::from_secs(10);
/// Redraw interval of the bar without events.
const TICK: Duration = Duration::from_millis(250);
/// Window for requests per second, in seconds.
const SECONDS_LOOKED_AT: u64 = 10;
/// Before this, no remaining time is shown: it would be a guess.
const SOONEST_FORECAST: Duration = Duration::from_secs(3);

/// The request pace, current and maximum.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PaceNow {
    /// The configured rate, requests per second.
    pub configured_per_second: f64,
    /// The current pace: lower after the API has asked to slow down.
    pub per_second: f64,
}

/// The listener that shows progress.
pub struct Progress {
    screen: Screen,
    shared: Arc<BarState>,
    bar: Mutex<Option<ProgressBar>>,
}

/// State read by the bar at each redraw.
struct BarState {
    pace: Box<dyn Fn() -> PaceNow + Send + Sync>,
    /// `None` once the plan is made.
    listed: Mutex<Option<ListingProgress>>,
    /// `None` before the plan is made and after the end.
    state: Mutex<Option<TasksProgress>>,
}

/// Listing progress before the plan is made.
#[derive(Clone, Copy, Debug)]
struct ListingProgress {
    began: Instant,
    last_line: Instant,
    pages: u64,
    items: u64,
}

#[derive(Clone, Debug)]
struct TasksProgress {
    began: Instant,
    last_line: Instant,
    /// Whether anything changed since the last line.
    news: bool,
    planned: u64,
    done: u64,
    failed: u64,
    decoded: u64,
    accepted: u64,
    recent: Recent,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Picture {
    done: u64,
    planned: u64,
    failed: u64,
    calls: u64,
    /// Nothing before the first second is over.
    per_second: Option<f64>,
    pace: PaceNow,
    left: Option<Duration>,
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Progress({:?})", self.screen.show())
    }
}

impl Progress {
    /// Progress on a screen. `pace` is called at every redraw and must be fast.
    #[must_use]
    pub fn new(screen: &Screen, pace: impl Fn() -> PaceNow + Send + Sync + 'static) -> Self {
        let progress = Self {
            screen: screen.clone(),
            shared: Arc::new(BarState {
                pace: Box::new(pace),
                listed: Mutex::new(Some(ListingProgress::new(Instant::now()))),
                state: Mutex::new(None),
            }),
            bar: Mutex::new(None),
        };
        if screen.show() == Show::Bar {
            progress.show_listing();
        }
        progress
    }

    /// Ends the display: removes the bar, or writes a last line if anything changed. Call it before
    /// the report is printed.
    pub fn finish(&self) {
        self.shared.with_listed(|listed| *listed = None);
        let last = self.shared.with(Option::take).filter(|state| state.news);
        if let (Some(state), Show::Lines) = (last, self.screen.show()) {
            state.picture(Instant::now(), (self.shared.pace)()).log();
        }
        self.replace_bar(None);
    }

    fn begin(&self, planned: u64) {
        self.shared.with_listed(|listed| *listed = None);
        let begin = (planned > 0).then(|| TasksProgress::new(Instant::now(), planned));
        self.shared.with(|state| *state = begin);
        let wanted = planned > 0 && self.screen.show() == Show::Bar;
        self.replace_bar(wanted.then_some(planned));
    }

    /// Shows the listing progress from the start.
    fn show_listing(&self) {
        let shared = Arc::clone(&self.shared);
        let figures = move |_: &ProgressState, out: &mut dyn fmt::Write| {
            if let Some(listed) = shared.with_listed(|listed| *listed) {
                // Writing to its own buffer cannot fail.
                let _ = write!(out, "{listed}");
            }
        };
        let style = ProgressStyle::with_template("{figures}")
            .expect("the template is right")
            .with_key("figures", figures);
        let line = ProgressBar::no_length().with_style(style);
        let line = self.screen.bars().add(line);
        line.enable_steady_tick(TICK);
        *self.bar.lock().unwrap_or_else(PoisonError::into_inner) = Some(line);
    }

    fn listed(&self, items: usize) {
        let now = Instant::now();
        let due = self.shared.with_listed(|listed| {
            let listed = listed.as_mut()?;
            listed.pages += 1;
            listed.items += items as u64;
            if now - listed.last_line < LINE_INTERVAL {
                return None;
            }
            listed.last_line = now;
            Some(*listed)
        });
        if let (Some(ListingProgress { pages, items, .. }), Show::Lines) = (due, self.screen.show())
        {
            info!(name: "listing_progress", pages, items, "listing");
        }
    }

    /// Removes the bar, and adds a new one if there are tasks.
    fn replace_bar(&self, planned: Option<u64>) {
        let mut bar = self.bar.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(old) = bar.take() {
            old.finish_and_clear();
            self.screen.bars().remove(&old);
        }
        *bar = planned.map(|planned| {
            let shared = Arc::clone(&self.shared);
            let figures = move |_: &ProgressState, out: &mut dyn fmt::Write| {
                if let Some(picture) = shared.picture() {
                    // Writing to its own buffer cannot fail.
                    let _ = write!(out, "{picture}");
                }
            };
            let style = ProgressStyle::with_template("{figures}  [{wide_bar}]")
                .expect("the template is right")
                .with_key("figures", figures)
                .progress_chars("=> ");
            let bar = ProgressBar::new(planned).with_style(style);
            let bar = self.screen.bars().add(bar);
            bar.enable_steady_tick(TICK);
            bar
        });
    }

    fn log_if_due(&self) {
        let now = Instant::now();
        let due = self.shared.with(|state| {
            let state = state.as_mut()?;
            if now - state.last_line < LINE_INTERVAL {
                return None;
            }
            state.last_line = now;
            state.news = false;
            Some(state.clone())
        });
        if let Some(state) = due {
            state.picture(now, (self.shared.pace)()).log();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.finish();
    }
}

impl Listen for Progress {
    fn on(&self, event: &Event) {
        if self.screen.show() == Show::Nothing {
            return;
        }
        if let Event::Planned { pull, .. } = event {
            self.begin(*pull);
            return;
        }
        if let Event::Listed { items, .. } = event {
            self.listed(*items);
        }
        let done = self.shared.with(|state| {
            let state = state.as_mut()?;
            let before = state.done;
            state.add(event, Instant::now());
            Some((before, state.done))
        });
        match (done, self.screen.show()) {
            (Some((before, done)), Show::Bar) if done > before => {
                // Not while the state is locked: the bar reads it.
                let bar = self
                    .bar
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .clone();
                if let Some(bar) = bar {
                    bar.set_position(done);
                }
            }
            (Some(_), Show::Lines) => self.log_if_due(),
            _ => {}
        }
    }
}

impl BarState {
    fn with<T>(&self, work: impl FnOnce(&mut Option<TasksProgress>) -> T) -> T {
        work(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn with_listed<T>(&self, work: impl FnOnce(&mut Option<ListingProgress>) -> T) -> T {
        work(&mut self.listed.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn picture(&self) -> Option<Picture> {
        let now = Instant::now();
        let pace = (self.pace)();
        self.with(|state| Some(state.as_ref()?.picture(now, pace)))
    }
}

impl ListingProgress {
    fn new(now: Instant) -> Self {
        Self {
            began: now,
            last_line: now,
            pages: 0,
            items: 0,
        }
    }
}

/// `listing: 62 pages, 4,567 items, 7 s`
impl fmt::Display for ListingProgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (pages, items) = (
            figures::counted(self.pages, "page"),
            figures::counted(self.items, "item"),
        );
        write!(
            f,
            "listing: {pages}, {items}, {} s",
            self.began.elapsed().as_secs()
        )
    }
}

impl TasksProgress {
    fn new(now: Instant, planned: u64) -> Self {
        Self {
            began: now,
            last_line: now,
            news: false,
            planned,
            done: 0,
            failed: 0,
            decoded: 0,
            accepted: 0,
            recent: Recent::new(now),
        }
    }

    fn add(&mut self, event: &Event, now: Instant) {
        self.news = true;
        match event {
            Event::Request { .. } => self.recent.count(now),
            Event::Decoded { calls } => self.decoded += calls,
            Event::TaskAccepted { calls, .. } => {
                self.done += 1;
                self.accepted += calls;
            }
            Event::TaskLeft { .. } | Event::TaskBefore { .. } => self.done += 1,
            Event::TaskFailed { .. } => {
                self.done += 1;
                self.failed += 1;
            }
            _ => {}
        }
    }

    fn picture(&self, now: Instant, pace: PaceNow) -> Picture {
        Picture {
            done: self.done,
            planned: self.planned,
            failed: self.failed,
            // A huge response is visible while it is read; a task read elsewhere only at its end.
            calls: self.decoded.max(self.accepted),
            per_second: self.recent.per_second(now),
            pace,
            left: self.left(now, pace),
        }
    }

    /// Remaining time at the average speed so far, or at the current pace if that takes longer.
    fn left(&self, now: Instant, pace: PaceNow) -> Option<Duration> {
        let elapsed = now - self.began;
        let rest = self.planned.saturating_sub(self.done);
        if self.done == 0 || elapsed < SOONEST_FORECAST {
            return None;
        }
        #[expect(clippy::cast_precision_loss, reason = "a forecast")]
        let (rest, done) = (rest as f64, self.done as f64);
        let by_speed = rest * elapsed.as_secs_f64() / done;
        let by_pace = rest / pace.per_second;
        let left = Duration::try_from_secs_f64(by_speed.max(by_pace)).ok()?;
        Some(Duration::from_secs(left.as_secs()))
    }
}

impl Picture {
    fn log(&self) {
        let Self {
            done,
            planned,
            failed,
            calls,
            per_second,
            pace,
            left,
        } = *self;
        info!(
            name: "progress",
            done,
            planned,
            failed,
            calls,
            requests_per_second = per_second.unwrap_or_default(),
            pace_per_second = pace.per_second,
            limit_per_second = pace.configured_per_second,
            seconds_left = (left.filter(|_| done < planned)).map(|left| left.as_secs()),
            "progress"
        );
    }
}

/// `12/4,567 tasks (1 failed), 1,234,567 calls, 9.8/s of 10/s, 12 min 31 s left`
impl fmt::Display for Picture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (done, planned) = (figures::count(self.done), figures::count(self.planned));
        write!(f, "{done}/{planned} tasks")?;
        if self.failed > 0 {
            write!(f, " ({} failed)", figures::count(self.failed))?;
        }
        let pace = self.pace;
        write!(f, ", {}, ", figures::counted(self.calls, "call"))?;
        match self.per_second {
            Some(per_second) => write!(f, "{per_second:.1}/s of ")?,
            None => f.write_str("at most ")?,
        }
        f.write_str(&figures::pace(pace.configured_per_second))?;
        if pace.per_second < pace.configured_per_second {
            write!(f, " (slowed to {})", figures::pace(pace.per_second))?;
        }
        match self.left {
            Some(left) => write!(f, ", {} left", figures::duration(left)),
            None => Ok(()),
        }
    }
}

/// Event counts for each of the last seconds.
#[derive(Clone, Debug)]
struct Recent {
    origin: Instant,
    /// Seconds since the origin, with the count of each.
    seconds: VecDeque<(u64, u64)>,
}

impl Recent {
    fn new(origin: Instant) -> Self {
        Self {
            origin,
            seconds: VecDeque::new(),
        }
    }

    fn count(&mut self, now: Instant) {
        let second = (now - self.origin).as_secs();
        while (self.seconds.front()).is_some_and(|(old, _)| old + SECONDS_LOOKED_AT < second) {
            self.seconds.pop_front();
        }
        match self.seconds.back_mut() {
            Some((last, count)) if *last == second => *count += 1,
            _ => self.seconds.push_back((second, 1)),
        }
    }

    /// The mean over the last complete seconds, if there is one.
    fn per_second(&self, now: Instant) -> Option<f64> {
        let second = (now - self.origin).as_secs();
        if second == 0 {
            return None;
        }
        let looked_at = second.saturating_sub(SECONDS_LOOKED_AT)..second;
        let whole = self.seconds.iter().filter(|(at, _)| looked_at.contains(at));
        let count: u64 = whole.map(|(_, count)| count).sum();
        #[expect(clippy::cast_precision_loss, reason = "a mean for people")]
        let mean = count as f64 / second.min(SECONDS_LOOKED_AT) as f64;
        Some((mean * 10.0).round() / 10.0)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::event::Endpoint;
    use crate::task::TaskId;

    const PACE: PaceNow = PaceNow {
        configured_per_second: 10.0,
        per_second: 10.0,
    };

    fn planned(pull: u64) -> Event {
        Event::Planned {
            pull,
            leave: 0,
            reasons: Vec::new(),
        }
    }

    fn accepted() -> Event {
        Event::TaskAccepted {
            task: TaskId::new("t").expect("an id"),
            calls: 1_000,
        }
    }

    fn listed() -> Event {
        Event::Listed {
            endpoint: Endpoint::ListTasks,
            items: 500,
        }
    }

    fn request() -> Event {
        Event::Request {
            endpoint: Endpoint::TaskDetail,
            outcome: "ok".to_owned(),
            bytes: 1,
            elapsed: Duration::ZERO,
        }
    }

    async fn seconds_pass(seconds: u64) {
        tokio::time::advance(Duration::from_secs(seconds)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_shown_before_the_plan() {
        let (screen, _) = Screen::in_memory(Show::Bar);
        let progress = Progress::new(&screen, || PACE);
        progress.on(&request());
        progress.on(&accepted());
        assert_eq!(progress.shared.picture(), None);
        progress.on(&planned(0));
        assert_eq!(progress.shared.picture(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_listed_is_shown_until_the_plan_is_made() {
        let (screen, _) = Screen::in_memory(Show::Bar);
        let progress = Progress::new(&screen, || PACE);
        let text = || {
            let listed = progress.shared.with_listed(|listed| *listed);
            listed.map(|listed| listed.to_string())
        };
        assert_eq!(text().as_deref(), Some("listing: 0 pages, 0 items, 0 s"));
        for _ in 0..3 {
            progress.on(&listed());
            seconds_pass(2).await;
        }
        assert_eq!(
            text().as_deref(),
            Some("listing: 3 pages, 1,500 items, 6 s")
        );
        progress.on(&planned(1));
        assert_eq!(text(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn the_picture_says_how_far_how_fast_and_how_long() {
        let (screen, _) = Screen::in_memory(Show::Bar);
        let progress = Progress::new(&screen, || PACE);
        progress.on(&planned(1_200));
        for _ in 0..20 {
            progress.on(&request());
            progress.on(&accepted());
            tokio::time::advance(Duration::from_millis(500)).await;
        }
        let picture = progress.shared.picture().expect("planned");
        assert_eq!(
            picture.to_string(),
            "20/1,200 tasks, 20,000 calls, 2.0/s of 10/s, 9 min 50 s left"
        );
        progress.on(&Event::TaskFailed {
            task: TaskId::new("t").expect("an id"),
            reason: "http_503".to_owned(),
        });
        seconds_pass(30).await;
        let picture = progress.shared.picture().expect("planned");
        assert_eq!((picture.done, picture.failed), (21, 1));
        assert!(picture.per_second < Some(0.1), "{picture}");
        progress.finish();
        assert_eq!(progress.shared.picture(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slowed_pace_is_shown_and_lengthens_the_rest() {
        let (screen, _) = Screen::in_memory(Show::Bar);
        let slowed = PaceNow {
            per_second: 0.5,
            ..PACE
        };
        let progress = Progress::new(&screen, move || slowed);
        progress.on(&planned(11));
        progress.on(&accepted());
        seconds_pass(4).await;
        assert_eq!(
            progress.shared.picture().expect("planned").to_string(),
            "1/11 tasks, 1,000 calls, 0.0/s of 10/s (slowed to 0.5/s), 40 s left"
        );
    }

    /// Counts lines, whatever their content.
    #[derive(Clone, Default)]
    struct Count(Arc<Mutex<u64>>);

    impl tracing::Subscriber for Count {
        fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
            metadata.is_event() && metadata.target().ends_with("progress")
        }
        fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
            tracing::span::Id::from_u64(1)
        }
        fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
        fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
        fn event(&self, _: &tracing::Event<'_>) {
            *self.0.lock().expect("no panic") += 1;
        }
        fn enter(&self, _: &tracing::span::Id) {}
        fn exit(&self, _: &tracing::span::Id) {}
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_terminal_there_is_a_line_every_ten_seconds_and_one_at_the_end() {
        let lines = Count::default();
        let _guard = tracing::subscriber::set_default(lines.clone());
        let (screen, _) = Screen::in_memory(Show::Lines);
        let progress = Progress::new(&screen, || PACE);
        progress.on(&planned(100));
        for _ in 0..25 {
            progress.on(&accepted());
            seconds_pass(1).await;
        }
        assert_eq!(*lines.0.lock().expect("no panic"), 2);
        progress.finish();
        drop(progress);
        assert_eq!(*lines.0.lock().expect("no panic"), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_listing_has_a_line_every_ten_seconds() {
        let lines = Count::default();
        let _guard = tracing::subscriber::set_default(lines.clone());
        let (screen, _) = Screen::in_memory(Show::Lines);
        let progress = Progress::new(&screen, || PACE);
        for _ in 0..25 {
            seconds_pass(1).await;
            progress.on(&listed());
        }
        assert_eq!(*lines.0.lock().expect("no panic"), 2);
        progress.on(&planned(1));
        progress.on(&listed());
        assert_eq!(*lines.0.lock().expect("no panic"), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_plan_that_is_not_carried_out_has_no_progress() {
        let lines = Count::default();
        let _guard = tracing::subscriber::set_default(lines.clone());
        let (screen, _) = Screen::in_memory(Show::Lines);
        let progress = Progress::new(&screen, || PACE);
        progress.on(&planned(100));
        drop(progress);
        assert_eq!(*lines.0.lock().expect("no panic"), 0);
    }

    #[test]
    fn a_log_line_passes_the_screen_whole() {
        let (screen, memory) = Screen::in_memory(Show::Bar);
        let mut writer = tracing_subscriber::fmt::MakeWriter::make_writer(&screen);
        writer.write_all(b"one line\n").expect("never fails");
        assert_eq!(*memory.lock().expect("no panic"), b"one line\n");
    }
}
