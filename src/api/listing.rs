//! The two listings: requests pages until the state machine in `paging` ends.
//!
//! A malformed item, page or workflow does not affect the others. Readable items are listed; the
//! rest is reported with key and shape, and the listing does not count as complete.

mod survey;

pub use survey::{ItemKey, KeyKind, PageSurvey};

use bytes::Bytes;
use chrono::{SecondsFormat, TimeDelta};
use serde_json::{Value, json};

use super::client::{ApiClient, CallError};
use super::collector::Collector;
use super::error::{ApiError, RequestFailure};
use super::listed::{self, ListedTask, ListedWorkflow, UnusableItem};
use super::paging::{
    Cursor, Instability, ListingPass, MergedItems, Next, NoPage, Page, PageFacts, PageRequest,
    PassResult, Total,
};
use super::request::{Params, Request};
use super::retry_policy::Outcome;
use crate::calendar::Window;
use crate::decode::json::Json;
use crate::event::{Endpoint, Event};
use crate::job::{Method, PagingProfile, PagingStyle, TimeFormat};
use crate::task::WorkflowId;

/// The result of a listing.
#[derive(Debug)]
pub struct Listing<T> {
    /// The distinct items of all passes, in the order they were first seen.
    pub items: Vec<T>,
    /// Whether the listing is complete: its end was proved and every item was readable. If not, no
    /// day that the items may belong to is complete. A warning was emitted.
    pub complete: bool,
    /// The error that ended the listing early. `items` then holds those found before it.
    pub fault: Option<ApiError>,
    /// Evidence from the last pass.
    pub evidence: ListingEvidence,
}

/// Evidence that a listing is complete.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ListingEvidence {
    /// Pages of all passes.
    pub pages: u64,
    /// Distinct items, including those without a usable id.
    pub items: u64,
    /// The total that the vendor reports, if any.
    pub total: Option<u64>,
}

/// The request parameters of one listing.
struct ListingParams<'a> {
    endpoint: Endpoint,
    method: Method,
    url: &'a url::Url,
    paging: &'a PagingProfile,
    id_keys: &'a [String],
    params: Params,
    workflow: Option<&'a WorkflowId>,
}

/// A finished pass, or the error that ended it.
struct ReadPass<'a> {
    pass: ListingPass<'a>,
    fault: Option<ApiError>,
}

impl ApiClient {
    /// Lists the workflows of a window, deduplicated.
    ///
    /// # Errors
    /// Errors that affect every request ([`ApiError::is_about_the_account`]). An error of this
    /// listing alone is in [`Listing::fault`].
    pub async fn list_workflows(
        &self,
        window: Window,
    ) -> Result<Listing<ListedWorkflow>, ApiError> {
        let profile = &self.options().profile.list_workflows;
        let call = self.workflows_call(window);
        self.list(&call, |item| {
            let workflow = listed::workflow(item, profile)?;
            Ok((workflow.id.to_string(), workflow))
        })
        .await
    }

    /// Lists the tasks of a workflow, deduplicated.
    ///
    /// # Errors
    /// As [`Self::list_workflows`].
    pub async fn list_tasks(&self, workflow: &WorkflowId) -> Result<Listing<ListedTask>, ApiError> {
        let profile = &self.options().profile.list_tasks;
        let call = self.tasks_call(workflow);
        let zone = self.options().source_timezone;
        self.list(&call, |item| {
            let task = listed::task(item, workflow, profile, zone)?;
            for (key, shape) in task.not_understood() {
                self.note_not_understood(Endpoint::ListTasks, key, shape);
            }
            Ok((task.id.to_string(), task))
        })
        .await
    }

    fn workflows_call(&self, window: Window) -> ListingParams<'_> {
        let profile = &self.options().profile.list_workflows;
        let mut params: Params = profile.extra_params.iter().cloned().collect();
        let [from, to] = bounds(window, profile.time_format);
        params.insert(profile.start_param.clone(), &from);
        params.insert(profile.end_param.clone(), &to);
        ListingParams {
            endpoint: Endpoint::ListWorkflows,
            method: profile.method,
            url: &self.addresses().list_workflows,
            paging: &profile.paging,
            id_keys: &profile.id_keys,
            params,
            workflow: None,
        }
    }

    fn tasks_call<'a>(&'a self, workflow: &'a WorkflowId) -> ListingParams<'a> {
        let profile = &self.options().profile.list_tasks;
        let mut params: Params = profile.extra_params.iter().cloned().collect();
        params.insert(profile.workflow_param.clone(), &json!(workflow.as_str()));
        ListingParams {
            endpoint: Endpoint::ListTasks,
            method: profile.method,
            url: &self.addresses().list_tasks,
            paging: &profile.paging,
            id_keys: &profile.id_keys,
            params,
            workflow: Some(workflow),
        }
    }

    /// Repeats passes over the listing until one is conclusive or the limit is reached.
    async fn list<T: Send>(
        &self,
        call: &ListingParams<'_>,
        read: impl Fn(Json<'_>) -> Result<(String, T), UnusableItem> + Sync,
    ) -> Result<Listing<T>, ApiError> {
        let mut union = MergedItems::new();
        let mut evidence = ListingEvidence::default();
        let mut relists = 0;
        loop {
            let ReadPass { pass, fault } = self.pass(call, &read, &mut union).await?;
            evidence.pages += u64::from(pass.pages());
            evidence.total = pass.total();
            let unusable = pass.unusable();
            evidence.items = union.len() as u64 + unusable;
            if pass.has_totals_of_pages() {
                self.note_not_understood(call.endpoint, "total", "the number of a page's items");
            }
            let listing = |items, complete, fault| Listing {
                items,
                complete: complete && unusable == 0,
                fault,
                evidence,
            };
            if let Some(fault) = fault {
                return Ok(listing(union.into_items(), false, Some(fault)));
            }
            if unusable > 0 && relists == 0 {
                self.warn(unusable_items(call, unusable));
            }
            let shift = match union.judge(pass) {
                PassResult::Complete => return Ok(listing(union.into_items(), true, None)),
                PassResult::Shifted(shift) => shift,
            };
            if relists < call.paging.max_relists {
                relists += 1;
                self.emit(&Event::Relisted {
                    endpoint: call.endpoint,
                    workflow: call.workflow.cloned(),
                    reason: shift.to_string(),
                });
            } else {
                self.warn(short(call, &shift, union.len()));
                return Ok(listing(union.into_items(), false, None));
            }
        }
    }

    /// Runs one pass, page by page.
    async fn pass<'a, T>(
        &'a self,
        call: &ListingParams<'a>,
        read: &(impl Fn(Json<'_>) -> Result<(String, T), UnusableItem> + Sync),
        union: &mut MergedItems<T>,
    ) -> Result<ReadPass<'a>, ApiError> {
        let endpoint = call.endpoint;
        let page_size = self.options().page_size.get() as usize;
        let memory = self.memory(endpoint);
        let mut pass = ListingPass::new(call.paging, memory, page_size);
        if union.was_judged() {
            pass = pass.after_another();
        }
        let mut ask = pass.first();
        loop {
            let ended = |pass, fault| Ok(ReadPass { pass, fault });
            let answer = match self.answer(call, &ask).await {
                Ok(answer) => answer,
                Err(error) if is_refused_proof(&ask, &error) => match pass.refused() {
                    Next::Request(next) => {
                        ask = next;
                        continue;
                    }
                    Next::End | Next::TooMany => return ended(pass, None),
                },
                Err(error) => {
                    let error = error.into_api_error(endpoint, call.workflow);
                    return if error.is_about_the_account() {
                        Err(error)
                    } else {
                        ended(pass, Some(error))
                    };
                }
            };
            let page = match self.page(call, &answer, read, union) {
                Ok(page) => page,
                Err(fault) => return ended(pass, Some(fault)),
            };
            self.emit(&Event::Listed {
                endpoint,
                items: page.ids.len() + page.unusable,
            });
            match pass.take(page) {
                Next::Request(next) => ask = next,
                Next::End => return ended(pass, None),
                Next::TooMany => {
                    let fault = ApiError::Listing {
                        endpoint,
                        reason: format!(
                            "it has more than {} pages; raise `max_pages` in [api.{name}], or \
                             `page_size`",
                            call.paging.max_pages,
                            name = endpoint.as_str(),
                        ),
                    };
                    return ended(pass, Some(fault));
                }
            }
        }
    }

    /// Reads one page: adds its items to the union and returns the facts for the pass.
    fn page<T>(
        &self,
        call: &ListingParams<'_>,
        answer: &Bytes,
        read: &impl Fn(Json<'_>) -> Result<(String, T), UnusableItem>,
        union: &mut MergedItems<T>,
    ) -> Result<PageFacts, ApiError> {
        let endpoint = call.endpoint;
        let answer = Json::parse(answer).expect("the collector hands on JSON only");
        let page = Page::read(answer, call.paging).map_err(|why| no_page(call, &why))?;
        let most = self.most_items();
        if page.items().nth(most).is_some() {
            return Err(too_many_items(call, most));
        }
        let mut facts = PageFacts {
            ids: Vec::new(),
            unusable: 0,
            total: page.total,
            cursor: page.cursor.clone(),
        };
        if let Total::NotUnderstood(shape) = page.total {
            self.note_not_understood(endpoint, "total", shape);
        }
        if let Cursor::NotUnderstood(shape) = page.cursor {
            self.note_not_understood(endpoint, "next_cursor", shape);
        }
        for item in page.items() {
            match read(item) {
                Ok((id, item)) => {
                    union.keep(&id, item);
                    facts.ids.push(id);
                }
                Err(UnusableItem(shape)) => {
                    self.note_not_understood(endpoint, "id_keys", shape);
                    facts.unusable += 1;
                }
            }
        }
        Ok(facts)
    }

    /// The maximum number of items on a page.
    fn most_items(&self) -> usize {
        let options = self.options();
        let asked_for = options.page_size.get() as usize;
        options.page_limits.items.get().max(asked_for)
    }

    /// A page as sent, envelope included: JSON with a success code.
    async fn answer(
        &self,
        call: &ListingParams<'_>,
        ask: &PageRequest,
    ) -> Result<Bytes, CallError> {
        let ListingParams {
            endpoint,
            method,
            url,
            paging,
            ..
        } = *call;
        let mut params = call.params.clone();
        match (ask, &paging.style) {
            (PageRequest::Number { number, .. }, PagingStyle::Number { param, .. }) => {
                params.insert(param.clone(), &json!(number));
            }
            (PageRequest::Cursor(cursor), PagingStyle::Cursor { param, .. }) => {
                params.insert_json(param.clone(), cursor.clone());
            }
            _ => {}
        }
        params.insert(
            paging.page_size_param.clone(),
            &json!(self.options().page_size),
        );
        let request = Request::new(endpoint, method, url, &params).of_workflow(call.workflow);
        let options = self.options();
        let mut sink = Collector::new(&options.profile, options.page_limits.bytes)
            .null_is_data(paging.null_is_empty);
        self.perform(&request, &mut sink).await
    }
}

/// Whether the vendor refused, in its own envelope, a page that was requested only to prove the
/// end.
fn is_refused_proof(ask: &PageRequest, error: &CallError) -> bool {
    let by_the_vendor = |failure: &RequestFailure| {
        matches!(
            &failure.outcome,
            Outcome::NotFound(signal) | Outcome::Refused(signal) if signal.is_the_vendors()
        )
    };
    matches!(ask, PageRequest::Number { is_proof: true, .. })
        && matches!(error, CallError::Failed { failure, .. } if by_the_vendor(failure))
}

fn no_page(call: &ListingParams<'_>, why: &NoPage) -> ApiError {
    let name = call.endpoint.as_str();
    let reason = match why {
        NoPage::NoList => format!(
            "its answer has no list at {}; set `items` in [api.{name}] to where it is",
            quoted(&call.paging.items),
        ),
        NoPage::NotAList { at, shape } => format!(
            "its answer has {shape} at `{at}` where a list is expected; set `items` in \
             [api.{name}] to where the list is",
        ),
    };
    ApiError::Listing {
        endpoint: call.endpoint,
        reason,
    }
}

fn too_many_items(call: &ListingParams<'_>, most: usize) -> ApiError {
    ApiError::Listing {
        endpoint: call.endpoint,
        reason: format!(
            "a page of it has more than {most} items; `max_page_items` in [api] sets the limit"
        ),
    }
}

fn unusable_items(call: &ListingParams<'_>, count: u64) -> String {
    let name = call.endpoint.as_str();
    let items = if count == 1 { "item" } else { "items" };
    format!(
        "{} has {count} {items} without a usable id under {}: the others are taken, and no day is \
         complete; set `id_keys` in [api.{name}] if the id is under another key",
        listing_of(call),
        quoted(call.id_keys),
    )
}

fn short(call: &ListingParams<'_>, shift: &Instability, found: usize) -> String {
    let name = call.endpoint.as_str();
    format!(
        "{} may be short: taken {} times, each time {shift}; {found} items are kept, and their \
         days are not called complete. If its total is something else, set `total = \"\"` in \
         [api.{name}]",
        listing_of(call),
        call.paging.max_relists + 1,
    )
}

/// The listing's name with its workflow.
fn listing_of(call: &ListingParams<'_>) -> String {
    let of = call
        .workflow
        .map(|workflow| format!(" of workflow {workflow}"))
        .unwrap_or_default();
    format!("the listing `{}`{of}", call.endpoint.as_str())
}

fn quoted(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

/// A window as parameters, rounded outward to whole days: the start down and the end up.
fn bounds(Window { from, to }: Window, format: TimeFormat) -> [Value; 2] {
    match format {
        TimeFormat::Rfc3339 => {
            [from, to].map(|time| json!(time.to_rfc3339_opts(SecondsFormat::AutoSi, true)))
        }
        TimeFormat::EpochSeconds => {
            let up = TimeDelta::nanoseconds(999_999_999);
            [json!(from.timestamp()), json!((to + up).timestamp())]
        }
        TimeFormat::EpochMillis => {
            let up = TimeDelta::nanoseconds(999_999);
            [
                json!(from.timestamp_millis()),
                json!((to + up).timestamp_millis()),
            ]
        }
        TimeFormat::Date => {
            let up = TimeDelta::days(1) - TimeDelta::nanoseconds(1);
            [from, to + up].map(|time| json!(time.format("%Y-%m-%d").to_string()))
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(TimeFormat::Rfc3339, json!(["2024-03-11T00:00:00Z", "2024-03-12T10:00:00Z"]))]
    #[case(TimeFormat::EpochSeconds, json!([1_710_115_200, 1_710_237_600]))]
    #[case(TimeFormat::EpochMillis, json!([1_710_115_200_000_u64, 1_710_237_600_000_u64]))]
    #[case(TimeFormat::Date, json!(["2024-03-11", "2024-03-13"]))]
    fn a_window_is_never_cut(#[case] format: TimeFormat, #[case] expected: Value) {
        let window = Window {
            from: "2024-03-11T00:00:00Z".parse().expect("valid"),
            to: "2024-03-12T10:00:00Z".parse().expect("valid"),
        };
        assert_eq!(json!(bounds(window, format)), expected);
    }
}
