//! The sandbox, in this process, with the truth about it at hand.

use airudder_export::parts::Clock;
use airudder_export::sandbox::{Sandbox, SandboxOptions, SandboxStats, SandboxTask, SandboxTruth};
use tokio::runtime::Runtime;

use super::NOW;

/// A running sandbox and the threads it runs on.
#[derive(Debug)]
pub(crate) struct Vendor {
    sandbox: Option<Sandbox>,
    runtime: Runtime,
}

/// Some days from 2024-03-11 on, all of them over.
pub(crate) fn past_days(days: u32, tasks_per_day: u32, calls_per_task: u32) -> SandboxOptions {
    SandboxOptions {
        first_day: "2024-03-11".parse().expect("a date"),
        days,
        tasks_per_day,
        calls_per_task,
        ..SandboxOptions::week_before(clock(NOW))
    }
}

/// A clock that starts at this time.
pub(crate) fn clock(time: &str) -> Clock {
    Clock::starting_at(time.parse().expect("a time"))
}

impl Vendor {
    /// Starts a sandbox.
    pub(crate) fn start(options: SandboxOptions) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("threads can be made");
        let sandbox = runtime
            .block_on(Sandbox::start(options))
            .expect("a free port can be had");
        Self {
            sandbox: Some(sandbox),
            runtime,
        }
    }

    fn sandbox(&self) -> &Sandbox {
        self.sandbox.as_ref().expect("it runs until it is dropped")
    }

    /// The base URL.
    pub(crate) fn url(&self) -> String {
        self.sandbox().url().to_string()
    }

    /// What it saw.
    pub(crate) fn stats(&self) -> SandboxStats {
        self.sandbox().stats()
    }

    /// All its tasks as they are now.
    pub(crate) fn tasks(&self) -> Vec<SandboxTask> {
        self.sandbox().tasks()
    }

    /// The same with the calls of each.
    pub(crate) fn truth(&self) -> Vec<SandboxTruth> {
        self.sandbox().truth()
    }

    /// Lets its time jump.
    pub(crate) fn set_time(&self, time: &str) {
        self.sandbox().set_clock(clock(time));
    }
}

impl Drop for Vendor {
    fn drop(&mut self) {
        if let Some(sandbox) = self.sandbox.take() {
            self.runtime.block_on(sandbox.stop());
        }
    }
}
