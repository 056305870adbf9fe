//! The two listings: pages are asked for until the state machine of `paging` is content.

mod survey;

pub(crate) use survey::is_plain_name;
pub use survey::{ItemKey, KeyKind, PageSurvey};

use chrono::{SecondsFormat, TimeDelta};
use serde_json::{Value, json};

use super::client::ApiClient;
use super::collector::Collector;
use super::error::ApiError;
use super::listed::{self, ItemFault, ListedTask, ListedWorkflow};
use super::paging::{Ask, Next, Page, Pass, Shift, Sum, Union};
use super::request::{Params, Request};
use crate::discover::Window;
use crate::event::{Endpoint, Event};
use crate::job::{Method, PagingProfile, PagingStyle, TimeFormat};
use crate::task::WorkflowId;

/// What was listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing<T> {
    /// All different items of all passes, in the order they were met.
    pub items: Vec<T>,
    /// Whether these are all there are, as far as anybody can tell. If not, no day they belong to
    /// may be called complete. A warning was emitted.
    pub complete: bool,
}

/// One listing: how it is asked for.
struct Call<'a> {
    endpoint: Endpoint,
    address: (Method, &'a url::Url),
    paging: &'a PagingProfile,
    id_keys: &'a [String],
    params: Params,
    workflow: Option<&'a WorkflowId>,
}

impl ApiClient {
    /// Lists the workflows of a window, deduplicated.
    ///
    /// # Errors
    /// See [`ApiError`]. A listing that is short is no error: see [`Listing::complete`].
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
    /// See [`ApiError`]. A listing that is short is no error: see [`Listing::complete`].
    pub async fn list_tasks(&self, workflow: &WorkflowId) -> Result<Listing<ListedTask>, ApiError> {
        let profile = &self.options().profile.list_tasks;
        let call = self.tasks_call(workflow);
        self.list(&call, |item| {
            let (task, odd_times) = listed::task(item, workflow, profile)?;
            if odd_times {
                self.warn_of_times();
            }
            Ok((task.id.to_string(), task))
        })
        .await
    }

    fn workflows_call(&self, window: Window) -> Call<'_> {
        let profile = &self.options().profile.list_workflows;
        let mut params: Params = profile.extra_params.iter().cloned().collect();
        let [from, to] = bounds(window, profile.time_format);
        params.insert(profile.start_param.clone(), from);
        params.insert(profile.end_param.clone(), to);
        Call {
            endpoint: Endpoint::ListWorkflows,
            address: (profile.method, &self.addresses().list_workflows),
            paging: &profile.paging,
            id_keys: &profile.id_keys,
            params,
            workflow: None,
        }
    }

    fn tasks_call<'a>(&'a self, workflow: &'a WorkflowId) -> Call<'a> {
        let profile = &self.options().profile.list_tasks;
        let mut params: Params = profile.extra_params.iter().cloned().collect();
        params.insert(profile.workflow_param.clone(), json!(workflow.as_str()));
        Call {
            endpoint: Endpoint::ListTasks,
            address: (profile.method, &self.addresses().list_tasks),
            paging: &profile.paging,
            id_keys: &profile.id_keys,
            params,
            workflow: Some(workflow),
        }
    }

    /// Passes over the listing until one is good, or there were enough of them.
    async fn list<T: Send>(
        &self,
        call: &Call<'_>,
        read: impl Fn(&Value) -> Result<(String, T), ItemFault> + Sync,
    ) -> Result<Listing<T>, ApiError> {
        let endpoint = call.endpoint;
        let mut union = Union::new();
        let mut repeated = 0;
        let mut relists = 0;
        loop {
            let pass = self.pass(call, &read, &mut union).await?;
            let shift = match union.judge(pass) {
                Sum::Complete => {
                    return Ok(Listing {
                        items: union.into_items(),
                        complete: true,
                    });
                }
                Sum::Shifted(shift) => shift,
            };
            repeated = if shift == Shift::RepeatedPage {
                repeated + 1
            } else {
                0
            };
            if relists < call.paging.max_relists {
                relists += 1;
                self.emit(&Event::Relisted {
                    endpoint,
                    workflow: call.workflow.cloned(),
                    reason: shift.to_string(),
                });
            } else if repeated > 0 {
                return Err(ApiError::RepeatedPage {
                    endpoint,
                    passes: repeated,
                });
            } else {
                self.emit(&Event::Warning {
                    text: short(call, &shift, union.len()),
                });
                return Ok(Listing {
                    items: union.into_items(),
                    complete: false,
                });
            }
        }
    }

    /// One pass, page by page.
    async fn pass<'a, T>(
        &self,
        call: &Call<'a>,
        read: &(impl Fn(&Value) -> Result<(String, T), ItemFault> + Sync),
        union: &mut Union<T>,
    ) -> Result<Pass<'a>, ApiError> {
        let endpoint = call.endpoint;
        let page_size = self.options().page_size.get() as usize;
        let mut pass = Pass::new(call.paging, page_size);
        let mut ask = pass.first();
        loop {
            let Page {
                items,
                total,
                next_cursor,
            } = self.page(call, &ask).await?;
            self.emit(&Event::Listed {
                endpoint,
                items: items.len(),
            });
            let mut ids = Vec::with_capacity(items.len());
            for item in &items {
                let (id, item) = read(item).map_err(|fault| unusable(call, fault))?;
                union.keep(&id, item);
                ids.push(id);
            }
            match pass.take(ids, total, next_cursor) {
                Next::Ask(next) => ask = next,
                Next::End => return Ok(pass),
                Next::TooMany => {
                    return Err(ApiError::Settings {
                        reason: format!(
                            "`{name}` has more than {} pages; raise `max_pages` in [api.{name}], \
                             or `page_size`",
                            call.paging.max_pages,
                            name = endpoint.as_str(),
                        ),
                    });
                }
            }
        }
    }

    async fn page(&self, call: &Call<'_>, ask: &Ask) -> Result<Page, ApiError> {
        let answer = self.answer(call, ask).await?;
        Page::read(answer, call.paging).ok_or_else(|| ApiError::Settings {
            reason: format!(
                "the answer of `{name}` has no list at {}; set `items` in [api.{name}] to where \
                 it is",
                quoted(&call.paging.items),
                name = call.endpoint.as_str(),
            ),
        })
    }

    /// A page as it was sent, its envelope included.
    async fn answer(&self, call: &Call<'_>, ask: &Ask) -> Result<Value, ApiError> {
        let Call {
            endpoint,
            address,
            paging,
            ..
        } = *call;
        let mut params = call.params.clone();
        match (ask, &paging.style) {
            (Ask::Number(number), PagingStyle::Number { param, .. }) => {
                params.insert(param.clone(), json!(number));
            }
            (Ask::Cursor(cursor), PagingStyle::Cursor { param, .. }) => {
                params.insert(param.clone(), json!(cursor));
            }
            _ => {}
        }
        params.insert(
            paging.page_size_param.clone(),
            json!(self.options().page_size),
        );
        let request = Request::new(endpoint, address, params).of_workflow(call.workflow);
        let mut sink = Collector::new(&self.options().profile).null_is_data(paging.null_is_empty);
        self.perform(&request, &mut sink)
            .await
            .map_err(|error| error.into_api_error(&request))
    }
}

fn unusable(call: &Call<'_>, fault: ItemFault) -> ApiError {
    ApiError::Settings {
        reason: format!(
            "the answer of `{name}` has an item {fault} under {}; set `id_keys` in [api.{name}]",
            quoted(call.id_keys),
            name = call.endpoint.as_str(),
        ),
    }
}

fn short(call: &Call<'_>, shift: &Shift, found: usize) -> String {
    let name = call.endpoint.as_str();
    let of = call
        .workflow
        .map(|workflow| format!(" of workflow {workflow}"))
        .unwrap_or_default();
    format!(
        "the listing `{name}`{of} may be short: taken {} times, each time {shift}; {found} items \
         are kept, and their days are not called complete. If its total is something else, set \
         `total = \"\"` in [api.{name}]",
        call.paging.max_relists + 1,
    )
}

fn quoted(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

/// A window as parameters. Days are never cut: the start is rounded down and the end up.
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
