//! Shared by `run`, `backfill`, `replay` and the demo: output while they work, and the report at
//! the end.

use std::io::{BufReader, Write};
use std::sync::{Arc, OnceLock};

use super::context::Context;
use super::error::Error;
use super::output::{deliver, one_line};
use super::select::SelectArgs;
use super::watched;
use crate::api::ApiClient;
use crate::clock::Clock;
use crate::event::{Event, Events};
use crate::exit_code::ExitCode;
use crate::job::{Environment, Job, ResultFormat, unused_with};
use crate::lake::{Claim, LakeError, LakeWriter};
use crate::observe::Observer;
use crate::pipeline::{
    BeginError, Beginning, Export, RunContext, RunScope, SavedAnswers, Stop, StopSwitch, Summary,
};
use crate::report::{
    LogListener, PaceNow, Progress, RequestTally, RunReport, Screen, init_logging, set_run,
};
use crate::store::{LakePath, RunStore, Store, StoreError};
use crate::task::RunId;

/// Output of a run on standard error, and counters for its report.
pub(super) struct Console {
    /// Receives the core's events.
    pub(super) events: Events,
    tally: Arc<RequestTally>,
    progress: Arc<Progress>,
    api: Arc<OnceLock<ApiClient>>,
    /// The report of the run, once it has ended.
    reported: OnceLock<RunReport>,
}

impl Console {
    /// Starts logging and progress according to the settings.
    pub(super) fn new(job: &Job, env: &Environment) -> Self {
        let screen = Screen::standard_error(job.output, env);
        init_logging(job.output, &screen);
        let api: Arc<OnceLock<ApiClient>> = Arc::default();
        let configured = job.api.rate.per_second;
        let watched = Arc::clone(&api);
        let progress = Arc::new(Progress::new(&screen, move || {
            let now = watched
                .get()
                .map_or(configured, |api| api.traffic().pace_per_second);
            PaceNow {
                configured_per_second: configured,
                per_second: now,
            }
        }));
        let tally = Arc::new(RequestTally::default());
        for text in &job.unused {
            tracing::warn!(name: "setting_unused", "{text}");
        }
        let events = Events::new(vec![
            Arc::new(LogListener::default()),
            progress.clone(),
            tally.clone(),
        ]);
        Self {
            events,
            tally,
            progress,
            api,
            reported: OnceLock::new(),
        }
    }

    /// A client whose pace is shown by the progress display.
    pub(super) fn client(
        &self,
        job: &Job,
        clock: &Clock,
        stop: &StopSwitch,
    ) -> Result<ApiClient, Error> {
        job.api.required_credentials()?;
        let client = ApiClient::new(
            job.api.clone(),
            clock.clone(),
            self.events.clone(),
            stop.token(),
        )?;
        let _ = self.api.set(client.clone());
        Ok(client)
    }

    /// Writes the report of a run next to the lake's tables, ends the run, and returns the report.
    pub(super) async fn report(
        &self,
        command: &str,
        job: &Job,
        summary: Summary,
        lake: LakeWriter,
    ) -> Result<RunReport, Error> {
        self.progress.finish();
        let report = RunReport::new(command, job, summary, &self.tally);
        let _ = self.reported.set(report.clone());
        lake.store()
            .replace(&report.path(), report.to_json())
            .await?;
        lake.close().await?;
        Ok(report)
    }

    /// Pulls, and writes a report on success and on failure.
    pub(super) async fn pull(
        &self,
        command: &str,
        job: &Job,
        export: Export<'_>,
        scope: &RunScope,
        api: ApiClient,
    ) -> Result<(Summary, LakeWriter), Error> {
        let (mut summary, store) = (export.summary(), export.store());
        let ended = export.pull(scope, api, &mut summary).await;
        self.ended(command, job, summary, store, ended).await
    }

    /// Imports saved responses, and writes a report on success and on failure.
    pub(super) async fn replay(
        &self,
        command: &str,
        job: &Job,
        export: Export<'_>,
        scope: &RunScope,
        answers: SavedAnswers,
    ) -> Result<(Summary, LakeWriter), Error> {
        let (mut summary, store) = (export.summary(), export.store());
        let ended = export.replay(answers, scope, &mut summary).await;
        self.ended(command, job, summary, store, ended).await
    }

    async fn ended(
        &self,
        command: &str,
        job: &Job,
        mut summary: Summary,
        store: RunStore,
        ended: Result<LakeWriter, LakeError>,
    ) -> Result<(Summary, LakeWriter), Error> {
        match ended {
            Ok(lake) => Ok((summary, lake)),
            Err(error) => {
                summary.fail(&error, Clock::system().now().max(summary.started_at));
                let report = RunReport::new(command, job, summary, &self.tally);
                self.leave(&report, &store).await;
                Err(error.into())
            }
        }
    }

    /// Opens the lake for a run; if this fails and the lake exists, writes a report to it.
    pub(super) async fn open<'a>(
        &self,
        command: &str,
        job: &'a Job,
        clock: &Clock,
        stop: &StopSwitch,
        beginning: &Beginning,
        run: &RunId,
    ) -> Result<Export<'a>, Error> {
        let context = RunContext {
            clock: clock.clone(),
            events: self.events.clone(),
            stop: stop.clone(),
            run: run.clone(),
        };
        let opened = Export::begin(job, beginning, context).await;
        if let Ok(export) = &opened {
            set_run(export.run_id());
        }
        if let Err(BeginError::Lake(error)) = &opened
            && matches!(
                error,
                LakeError::Store(
                    StoreError::Damaged { .. } | StoreError::NoFile { .. } | StoreError::Io { .. }
                )
            )
            && let Err(error) = self.report_of_start(command, job, clock, run, error).await
        {
            tracing::debug!(name: "report_not_written", %error, "the report of the run could not be written");
        }
        Ok(opened?)
    }

    async fn report_of_start(
        &self,
        command: &str,
        job: &Job,
        clock: &Clock,
        run: &RunId,
        error: &LakeError,
    ) -> Result<(), LakeError> {
        let store = Store::new(&job.dest)?;
        if store.list(&LakePath::commits()).await?.is_empty() {
            return Ok(());
        }
        let mut summary = Summary::new(run.clone(), clock.now());
        summary.fail(error, clock.now());
        // The run's own id may be taken already, by its failed start.
        let store = RunStore::open(store, clock.run_id()).await?;
        let report = RunReport::new(command, job, summary, &self.tally);
        self.leave(&report, &store).await;
        store.close().await?;
        Ok(())
    }

    /// Writes the report of a failed run, if the destination is still writable.
    async fn leave(&self, report: &RunReport, store: &RunStore) {
        let _ = self.reported.set(report.clone());
        let written = store.replace(&report.path(), report.to_json()).await;
        if let Err(error) = written {
            tracing::debug!(name: "report_not_written", %error, "the report of the run could not be written");
        }
    }

    /// Prints the report of a run that has ended, and says how it ended.
    pub(super) async fn end(
        &self,
        ended: Result<RunReport, Error>,
        observer: Observer,
        clock: &Clock,
        job: &Job,
        out: &mut (dyn Write + Send),
    ) -> Result<ExitCode, Error> {
        let ended = ended.inspect_err(|_| self.finish());
        let ended = ended.and_then(|report| show(&report, job, out));
        let report = self.reported.get().map(RunReport::to_json);
        watched::end(observer, clock, &ended, report).await;
        ended
    }

    /// The requests to the API so far.
    pub(super) fn tally(&self) -> &RequestTally {
        &self.tally
    }

    /// Removes the progress display after a failure.
    pub(super) fn finish(&self) {
        self.progress.finish();
    }
}

/// Executes a run from its settings to its report.
pub(super) async fn pull(
    select: &SelectArgs,
    scope: &RunScope,
    command: &'static str,
    context: &mut Context<'_>,
) -> Result<ExitCode, Error> {
    let mut job = context.job()?;
    choose(&mut job, select, context)?;
    let clock = context.clock()?;
    let console = Console::new(&job, &context.env);
    let observer = watched::begin(&job, command, &clock);
    warn_without_zone(&job, &console.events);
    let ended = async {
        let api = console.client(&job, &clock, &context.stop)?;
        let beginning = Beginning {
            claim: Claim::of(&job, scope.lake_change.is_accepted()),
            mends: scope.replace,
        };
        let export = console
            .open(
                command,
                &job,
                &clock,
                &context.stop,
                &beginning,
                observer.run_id(),
            )
            .await?;
        let (summary, lake) = console.pull(command, &job, export, scope, api).await?;
        console.report(command, &job, summary, lake).await
    };
    let ended = Box::pin(ended).await;
    console
        .end(ended, observer, &clock, &job, context.out)
        .await
}

/// Prints a run's report, and returns its exit code.
pub(super) fn show(
    report: &RunReport,
    job: &Job,
    out: &mut (dyn Write + Send),
) -> Result<ExitCode, Error> {
    let mut out = out;
    deliver(&mut out, |out| match job.output.format {
        ResultFormat::Text => report.write_text(out),
        ResultFormat::Json => out.write_all(&one_line(&report.to_json())),
    })
    .map_err(Error::Output)?;
    let code = report.summary().exit_code();
    match &report.summary().stopped {
        // Standard error is where operators look first.
        Some(Stop::Api(why)) => Err(Error::Stopped {
            why: why.clone(),
            code,
        }),
        Some(Stop::Interrupted | Stop::Terminated | Stop::Destination(_)) | None => Ok(code),
    }
}

/// Warns if the zone is not set: redials then have no timestamp, which should not be noticed only
/// in the warehouse.
pub(super) fn warn_without_zone(job: &Job, events: &Events) {
    if job.decode.source_timezone.is_none() {
        let text =
            "source_timezone is not set: call_start_time of redials stays null, only its text \
                    is kept; doctor suggests the zone"
                .to_owned();
        events.emit(&Event::Warning { text });
    }
}

/// Tasks from the command line take precedence over those in the job file.
pub(super) fn choose(
    job: &mut Job,
    select: &SelectArgs,
    context: &Context<'_>,
) -> Result<(), Error> {
    let mut stdin = BufReader::new(std::io::stdin());
    if let Some(source) = select.source(&mut stdin)? {
        job.discover.source = source;
    }
    let unused = unused_with(&context.flags, &job.discover.source);
    job.unused.extend(unused);
    Ok(())
}
