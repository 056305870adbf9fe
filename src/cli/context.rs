//! The context of a command: settings as given, output, and a switch to stop it.

use std::io::Write;

use super::error::Error;
use crate::job::{self, Environment, Job, SettingFlags};
use crate::pipeline::StopSwitch;
use crate::report::{Screen, init_logging, run_of, set_last_line};

/// Input and output of a command.
pub struct Context<'a> {
    /// Settings given as flags.
    pub flags: SettingFlags,
    /// Settings given as environment variables.
    pub env: Environment,
    /// The writer of results, standard output in the program.
    pub out: &'a mut (dyn Write + Send),
    /// Tells the command to stop.
    pub stop: StopSwitch,
}

impl std::fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context").finish_non_exhaustive()
    }
}

impl Context<'_> {
    /// The job of a command that requires a complete one.
    ///
    /// # Errors
    ///
    /// The first setting that is missing or invalid.
    pub fn job(&self) -> Result<Job, Error> {
        let job = job::load(&self.flags, &self.env)?;
        set_last_line(job.output.log_format);
        // From the first line on; a wrong time is reported by those who need it.
        if let Ok(clock) = self.clock() {
            let _ = run_of(&clock);
        }
        job.apply_file_mode();
        Ok(job)
    }

    /// The job of a read-only command; sets up log lines on standard error.
    ///
    /// # Errors
    ///
    /// As [`Self::job`].
    pub fn quiet_job(&self) -> Result<Job, Error> {
        let job = self.job()?;
        init_logging(job.output, &Screen::standard_error(job.output, &self.env));
        for text in &job.unused {
            tracing::warn!(name: "setting_unused", "{text}");
        }
        Ok(job)
    }

    /// The clock of the command.
    ///
    /// # Errors
    ///
    /// When `--as-of` is not a time.
    pub fn clock(&self) -> Result<crate::clock::Clock, Error> {
        Ok(job::load_clock(&self.flags, &self.env)?)
    }
}
