//! The named points of the commit protocol, at which tests inject a crash, a kill or a full disk.
//!
//! In a release, passing a point does nothing. In tests a store can be told to fail at one. In a
//! build with debug assertions (what `cargo test` builds), or with the cargo feature `failpoints`,
//! the environment variable `AIRUDDER_FAILPOINT` kills the whole process at a point:
//! `publish.file_moved` kills it (as `kill -9` does) the first time it gets there, `…@3` the third
//! time, `hold:publish.file_moved` stops it there for ever, to observe what readers see meanwhile,
//! and `stop:publish.file_moved` until it gets `SIGCONT`. Several are separated by commas:
//! `stop:pin.recorded,pin.moved`.

macro_rules! points {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// A step of the commit protocol. The variants are in the order in which they are passed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Failpoint {
            $($(#[$doc])* $variant,)*
        }

        impl Failpoint {
            /// All points, in the order in which they are passed.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name of the point, as in `AIRUDDER_FAILPOINT`.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

points! {
    /// A staged file was opened.
    StageOpened = "stage.opened",
    /// A staged file is complete, not yet synced.
    StageWritten = "stage.written",
    /// A staged file is synced.
    StageSynced = "stage.synced",
    /// A commit begins: all its files are staged, their folder is not synced.
    CommitBegun = "commit.begun",
    /// The staging folder is synced; on an object store: all is sent to uploads that are open.
    CommitStagingSynced = "commit.staging_synced",
    /// The record waits under a temporary name.
    CommitRecordWritten = "commit.record_written",
    /// The record has its name, its folder is not synced.
    CommitRecordNamed = "commit.record_named",
    /// The commit is durable, nothing is published.
    CommitDurable = "commit.durable",
    /// One file was moved to its table; on an object store: its upload was completed.
    PublishFileMoved = "publish.file_moved",
    /// All files of a commit were moved.
    PublishMoved = "publish.moved",
    /// The touched folders are synced.
    PublishSynced = "publish.synced",
    /// It is noted that the tables are Delta tables, too; none has a log yet.
    DeltaBegun = "delta.begun",
    /// One version of one table's Delta log was written.
    DeltaVersionWritten = "delta.version_written",
    /// One superseded file was deleted.
    PublishFileRemoved = "publish.file_removed",
    /// A superseded file was not deleted, as a pin holds it.
    PinFileKept = "pin.file_kept",
    /// All superseded files were deleted and their folders synced.
    PublishRemoved = "publish.removed",
    /// A damaged superseded file was put aside.
    MendPutAside = "mend.put_aside",
    /// The file without rows of a table that got its first rows was removed.
    RowlessRemoved = "rowless.removed",
    /// A table without rows got its file.
    RowlessWritten = "rowless.written",
    /// One day file was brought up to date.
    DayWritten = "day.written",
    /// The marker of a complete day was written or removed.
    DayMarked = "day.marked",
    /// All touched day files are up to date and synced.
    DaysSynced = "day.synced",
    /// The marker was moved.
    MarkerMoved = "marker.moved",
    /// A checkpoint of a Delta log was written, nothing points to it.
    DeltaCheckpointWritten = "delta.checkpoint_written",
    /// A checkpoint was written, older ones are not removed.
    CheckpointWritten = "checkpoint.written",
    /// `vacuum` removed a file.
    VacuumFileRemoved = "vacuum.file_removed",
    /// `verify --repair` moved a file.
    RepairFileMoved = "repair.file_moved",
    /// The record of a new pin exists.
    PinRecorded = "pin.recorded",
    /// One file got its second name in the pin's folder.
    PinFileLinked = "pin.file_linked",
    /// All files have their second names, which are durable.
    PinLinked = "pin.linked",
    /// A pin in a bucket moved to a newer state.
    PinMoved = "pin.moved",
    /// The record says that the pin holds; nothing is printed yet.
    PinHeld = "pin.held",
    /// The record says that the pin is over.
    PinEnded = "pin.ended",
    /// One file that only this pin held was removed, or its second name.
    PinFileRemoved = "pin.file_removed",
    /// The record of a pin that is over was removed.
    PinRemoved = "pin.removed",
    /// A dead run's staging folder is about to be removed.
    RecoverDeadFound = "recover.dead_found",
    /// One file of a dead run was removed.
    RecoverFileRemoved = "recover.file_removed",
}

/// The scripted actions at points.
#[derive(Debug, Default)]
pub(crate) struct FailpointSet {
    #[cfg(test)]
    stop: std::sync::Mutex<Option<(Failpoint, u32)>>,
}

impl FailpointSet {
    /// Fails at the `nth` pass (from 1) of the point, and at all later ones.
    #[cfg(test)]
    pub(crate) fn stop_at(&self, point: Failpoint, nth: u32) {
        *self
            .stop
            .lock()
            .expect("no test panics while it holds this") = Some((point, nth));
    }

    /// Passes a point.
    #[cfg_attr(
        not(test),
        expect(
            clippy::unused_self,
            clippy::unnecessary_wraps,
            reason = "only tests fail here"
        )
    )]
    pub(crate) fn pass(&self, point: Failpoint) -> Result<(), Failpoint> {
        #[cfg(any(debug_assertions, feature = "failpoints"))]
        process::pass(point);
        #[cfg(test)]
        {
            let mut stop = self
                .stop
                .lock()
                .expect("no test panics while it holds this");
            if let Some((at, left)) = stop.as_mut()
                && *at == point
            {
                *left = left.saturating_sub(1);
                if *left == 0 {
                    return Err(point);
                }
            }
        }
        #[cfg(not(any(test, debug_assertions, feature = "failpoints")))]
        let _ = point;
        Ok(())
    }
}

#[cfg(any(debug_assertions, feature = "failpoints"))]
pub use process::arm;

#[cfg(any(debug_assertions, feature = "failpoints"))]
mod process {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::Failpoint;

    struct Armed {
        point: Failpoint,
        action: Action,
        left: AtomicU32,
    }

    #[derive(Clone, Copy)]
    enum Action {
        Kill,
        Hold,
        Stop,
    }

    static ARMED: OnceLock<Vec<Armed>> = OnceLock::new();

    /// Makes the process die (or stay, with `hold:`, or stop, with `stop:`) at points: the value of
    /// the environment variable `AIRUDDER_FAILPOINT`.
    ///
    /// # Errors
    /// When no point has a name.
    pub fn arm(text: &str) -> Result<(), String> {
        let armed = text.split(',').map(parse).collect::<Result<_, _>>()?;
        let _ = ARMED.set(armed);
        Ok(())
    }

    fn parse(text: &str) -> Result<Armed, String> {
        let (action, name) = match text.split_once(':') {
            Some(("hold", name)) => (Action::Hold, name),
            Some(("stop", name)) => (Action::Stop, name),
            _ => (Action::Kill, text),
        };
        let (name, nth) = name.split_once('@').unwrap_or((name, "1"));
        let point = Failpoint::ALL
            .iter()
            .copied()
            .find(|point| point.as_str() == name);
        match (point, nth.parse::<u32>()) {
            (Some(point), Ok(nth)) if nth > 0 => Ok(Armed {
                point,
                action,
                left: AtomicU32::new(nth),
            }),
            _ => Err(format!(
                "set AIRUDDER_FAILPOINT: no point is named `{text}`"
            )),
        }
    }

    /// Prints the line that the observing test waits for.
    #[expect(clippy::print_stderr, reason = "a test reads it, no release has it")]
    fn say_held(point: Failpoint) {
        eprintln!("held at {}", point.as_str());
    }

    /// Ends the process without cleanup.
    fn kill() {
        #[cfg(unix)]
        signal(rustix::process::Signal::KILL);
        #[cfg(not(unix))]
        std::process::abort();
    }

    #[cfg(unix)]
    fn signal(signal: rustix::process::Signal) {
        let _ = rustix::process::kill_process(rustix::process::getpid(), signal);
    }

    pub(super) fn pass(point: Failpoint) {
        let armed = ARMED.get().into_iter().flatten();
        for armed in armed.filter(|armed| armed.point == point) {
            if armed.left.fetch_sub(1, Ordering::SeqCst) != 1 {
                continue;
            }
            match armed.action {
                Action::Kill => kill(),
                Action::Hold => {
                    say_held(point);
                    loop {
                        std::thread::park();
                    }
                }
                Action::Stop => {
                    say_held(point);
                    #[cfg(unix)]
                    signal(rustix::process::Signal::STOP);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_has_no_way_to_be_told_to_die() {
        let manifest: toml::Table = include_str!("../../Cargo.toml").parse().expect("TOML");
        let features = manifest["features"].as_table().expect("features");
        let mut enabling = features
            .values()
            .filter_map(toml::Value::as_array)
            .flatten();
        assert!(
            !enabling.any(|name| name.as_str() == Some("failpoints")),
            "a feature turns on failpoints"
        );
        let release = manifest["profile"]["release"]
            .as_table()
            .expect("a profile");
        assert!(!release.contains_key("debug-assertions"));
    }

    #[test]
    fn a_point_fails_the_nth_time_it_is_passed_and_only_itself() {
        let failpoints = FailpointSet::default();
        failpoints.stop_at(Failpoint::DayWritten, 2);
        assert!(failpoints.pass(Failpoint::MarkerMoved).is_ok());
        assert!(failpoints.pass(Failpoint::DayWritten).is_ok());
        assert!(matches!(
            failpoints.pass(Failpoint::DayWritten),
            Err(Failpoint::DayWritten)
        ));
        assert!(failpoints.pass(Failpoint::DayWritten).is_err());
    }
}
