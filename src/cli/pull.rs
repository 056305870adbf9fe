//! What `run`, `backfill` and `replay` have in common: settings, signals, the run, its report.

use std::io::BufReader;

use super::dispatch::Context;
use super::select::SelectArgs;
use crate::api::ApiClient;
use crate::error::{Error, ExitCode};
use crate::event::Events;
use crate::job::Job;
use crate::lake::LakeWriter;
use crate::pipeline::{Assignment, Export, Summary};

/// A run from its first setting to its report.
pub(super) async fn pull(
    (select, assignment): (&SelectArgs, &Assignment),
    command: &str,
    context: &mut Context<'_>,
) -> Result<ExitCode, Error> {
    let mut job = context.job()?;
    choose(&mut job, select)?;
    job.api.required_credentials()?;
    let (clock, events) = (context.clock()?, Events::default());
    let api = ApiClient::new(
        job.api.clone(),
        clock.clone(),
        events.clone(),
        context.stop.token(),
    )?;
    let export = Export::open(&job, (clock, events, context.stop.clone())).await?;
    let (summary, lake) = export.pull(assignment, api).await?;
    finish(command, (summary, lake), context).await
}

/// The command line's tasks go before the job file's.
pub(super) fn choose(job: &mut Job, select: &SelectArgs) -> Result<(), Error> {
    let mut stdin = BufReader::new(std::io::stdin());
    if let Some(source) = select.source(&mut stdin)? {
        job.discover.source = source;
    }
    Ok(())
}

/// Reports what a run did, and ends it.
pub(super) async fn finish(
    _command: &str,
    (summary, lake): (Summary, LakeWriter),
    context: &mut Context<'_>,
) -> Result<ExitCode, Error> {
    serde_json::to_writer_pretty(&mut context.out, &summary)
        .map_err(|error| Error::Output(error.into()))?;
    lake.close().await?;
    Ok(summary.exit_code())
}
