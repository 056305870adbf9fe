//! Recognizes the exporter's files in `_export` by name and content, for `vacuum`: the folders may
//! be links to places with other files.

use serde::Deserialize;

use crate::lake::error::LakeError;
use crate::store::{LakePath, Store, is_run_id};

/// The largest report that is read.
const MAX_REPORT_BYTES: u64 = 64 << 20;

/// Whether a file in `_export/runs/` is a run's report: it is named by a run, and says so.
pub(super) async fn is_report(store: &Store, path: &LakePath) -> Result<bool, LakeError> {
    #[derive(Deserialize)]
    struct Report {
        run_id: String,
        #[serde(rename = "command")]
        _command: String,
    }
    let name = path.as_str().rsplit('/').next().unwrap_or_default();
    let Some(run) = name.strip_suffix(".json").filter(|run| is_run_id(run)) else {
        return Ok(false);
    };
    if store
        .size(path)
        .await?
        .is_none_or(|size| size > MAX_REPORT_BYTES)
    {
        return Ok(false);
    }
    let bytes = store.get(path).await?.unwrap_or_default();
    let report: Option<Report> = serde_json::from_slice(&bytes).ok();
    Ok(report.is_some_and(|report| report.run_id == run))
}

/// Whether a file in a run's folder of rejects is named as rejects are: `000001.jsonl`, `000002.raw`.
pub(super) fn is_reject(name: &str) -> bool {
    let Some((number, ending)) = name.split_once('.') else {
        return false;
    };
    let is_number = number.len() >= 6 && number.bytes().all(|byte| byte.is_ascii_digit());
    is_number && !ending.is_empty() && !ending.contains('.')
}

/// Whether a folder is one that `doctor` tries things in.
pub(super) fn is_probe(name: &str) -> bool {
    name.strip_prefix(LakePath::PROBE).is_some_and(is_run_id)
}
