//! The two listings: workflows, and the tasks of a workflow.

use hyper::StatusCode;

use super::ask::PageAsk;
use super::cursors;
use super::detail::put_name;
use super::faults::{FaultFamily, FaultKind, Quirk};
use super::items::{self, Item};
use super::json_writer::JsonWriter;
use super::listing::{Distortion, page};
use super::odd_json::escape_keys;
use super::reply::Reply;
use super::seeded_rng::key_of;
use super::vendor::Vendor;
use super::world::Workflow;

/// The quirks of one page.
#[derive(Clone, Copy, Debug, Default)]
struct Oddities {
    total: Option<Quirk>,
    empty: Option<Quirk>,
    json: Option<Quirk>,
}

/// The contents of a page.
struct PageContent {
    items: Vec<Vec<u8>>,
    number: usize,
    /// The true number of items.
    total: usize,
    next_cursor: Option<String>,
}

impl Vendor {
    pub(super) fn workflows(
        &self,
        from: i64,
        to: i64,
        ask: &PageAsk,
        distortion: Distortion,
    ) -> Reply {
        let now = self.now().timestamp_micros();
        let mut listed: Vec<&Workflow> = self
            .world
            .workflows
            .iter()
            .filter(|flow| flow.created <= now && (from..to).contains(&flow.created))
            .collect();
        listed.sort_by_key(|flow| std::cmp::Reverse(flow.created));
        self.list(&listed, "workflows", ask, distortion, |out, flow, json| {
            let running = self.world.tasks[flow.tasks.clone()]
                .iter()
                .any(|task| task.at(now).is_none_or(|view| !view.is_final()));
            out.put(",\"workflow_name\":");
            put_name(out, &flow.name, json);
            out.put(",\"status\":");
            out.quoted(if running { "running" } else { "finished" });
            out.put(",\"create_time\":");
            out.utc_micros(flow.created);
        })
    }

    pub(super) fn task_list(&self, workflow: &str, ask: &PageAsk, distortion: Distortion) -> Reply {
        let now = self.now().timestamp_micros();
        let flow = self
            .world
            .workflow(workflow)
            .filter(|flow| flow.created <= now);
        let Some(flow) = flow else {
            return self.failure(StatusCode::OK, 404, "workflow not found");
        };
        if let Some(trouble) = flow.trouble {
            self.state().tally.fault(trouble);
            return match trouble {
                FaultKind::WorkflowGone => self.failure(StatusCode::OK, 404, "workflow not found"),
                _ => self.failure(StatusCode::OK, 500, "system busy"),
            };
        }
        let tasks = self.world.tasks[flow.tasks.clone()].iter();
        let listed: Vec<_> = tasks
            .filter_map(|task| Some((task, task.at(now)?)))
            .collect();
        self.list(
            &listed,
            &flow.id,
            ask,
            distortion,
            |out, (task, view), json| {
                let quirk = |family| {
                    let quirk = self.quirks.of(family, task.key)?;
                    self.state().tally.fault(quirk.kind);
                    Some(quirk.kind)
                };
                let zone = self.options.source_timezone;
                out.put(",\"task_name\":");
                put_name(out, &task.name, json);
                items::status(out, view, quirk(FaultFamily::Status));
                if json == Some(FaultKind::JsonTwinStatus) {
                    out.put(",\"status\":");
                    out.quoted(if view.is_final() {
                        "calling"
                    } else {
                        "finished"
                    });
                }
                let start = quirk(FaultFamily::Start);
                items::time(out, "schedule_start_time", task.start, zone, start);
                let end = quirk(FaultFamily::End);
                items::time(out, "schedule_end_time", task.end_said(), zone, end);
                out.put(",\"nodetask_id\":");
                out.quoted(&task.node_id);
                out.put(",\"nodetask_name\":");
                out.quoted(&task.node_name);
            },
        )
    }

    /// A page of these items; `write` adds the members after an item's id.
    fn list<T: Item>(
        &self,
        items: &[T],
        listing: &str,
        ask: &PageAsk,
        distortion: Distortion,
        write: impl Fn(&mut Vec<u8>, &T, Option<FaultKind>),
    ) -> Reply {
        let key = key_of(listing);
        // Some items are listed twice, and counted twice.
        let listed: Vec<&T> = items
            .iter()
            .flat_map(|item| {
                let twice = item.oddity() == Some(FaultKind::ItemTwice);
                std::iter::repeat_n(item, 1 + usize::from(twice))
            })
            .collect();
        let cap = self.quirks.of(FaultFamily::PageCap, key);
        let cap = cap.and_then(|cap| usize::try_from(cap.number).ok());
        let mut size = ask
            .size
            .min(self.options.page_size_max)
            .min(cap.unwrap_or(usize::MAX))
            .max(1);
        let cursor = self.quirks.of(FaultFamily::Cursor, key).map(|q| q.kind);
        let number = match (cursor, &ask.cursor) {
            (None, _) => ask.number,
            (Some(kind), cursor) => {
                if kind == FaultKind::CursorBool {
                    size = listed.len().div_ceil(2).max(1);
                }
                let pages = listed.len().div_ceil(size);
                match cursors::page_of(kind, key, cursor.as_ref(), pages) {
                    Some(number) => number,
                    None => {
                        return self.failure(StatusCode::OK, 400, "cursor is none that was given");
                    }
                }
            }
        };
        let page = page(listed.len(), number, size, distortion);
        let oddities = Oddities {
            total: self.quirks.of(FaultFamily::Total, key),
            empty: self
                .quirks
                .of(FaultFamily::Empty, key)
                .filter(|_| page.items.is_empty()),
            json: self.quirks.of(FaultFamily::Json, key ^ number as u64),
        };
        let json = oddities.json.map(|quirk| quirk.kind);
        let write = |(place, item): (usize, &&T)| {
            if let Some(kind) = item.oddity() {
                self.state().tally.fault(kind);
            }
            let mut out = Vec::with_capacity(256);
            let twin_id = json == Some(FaultKind::JsonTwinId) && place == 0;
            items::put(&mut out, *item, twin_id, |out| write(out, item, json));
            out
        };
        let items = page.items.clone().zip(&listed[page.items.clone()]);
        let items: Vec<Vec<u8>> = items
            .filter(|(at, _)| Some(*at) != page.left_out)
            .map(|(_, item)| item)
            .enumerate()
            .map(write)
            .collect();
        let more = number.saturating_mul(size) < listed.len();
        let next_cursor = cursor
            .filter(|_| more)
            .map(|kind| cursors::cursor(kind, key, number + 1));
        let answer = PageContent {
            items,
            number,
            total: page.total,
            next_cursor,
        };
        let of_page = [oddities.total, oddities.empty, oddities.json];
        let of_page = of_page.into_iter().flatten().map(|quirk| quirk.kind);
        let mut state = self.state();
        let kinds = of_page.chain(cap.map(|_| FaultKind::PageCap)).chain(cursor);
        kinds.for_each(|kind| state.tally.fault(kind));
        drop(state);
        Reply::json(answer.write(oddities))
    }
}

impl PageContent {
    fn write(&self, oddities: Oddities) -> Vec<u8> {
        let json = oddities.json.map(|quirk| quirk.kind);
        let mut out = Vec::new();
        if json == Some(FaultKind::JsonBom) {
            out.put("\u{feff}");
        }
        out.put("{");
        if json == Some(FaultKind::JsonTwinCode) {
            out.put("\"code\":500,");
        }
        out.put("\"data\":");
        match oddities.empty.map(|quirk| quirk.kind) {
            Some(FaultKind::EmptyDataNull) => out.put("null"),
            Some(FaultKind::EmptyDataObject) => out.put("{}"),
            empty => self.data(&mut out, empty, oddities),
        }
        out.put(",\"status\":\"OK\",\"code\":200}");
        if json == Some(FaultKind::JsonEscapedKeys) {
            out = escape_keys(&out);
        }
        out
    }

    fn data(&self, out: &mut Vec<u8>, empty: Option<FaultKind>, oddities: Oddities) {
        let start = out.len();
        match empty {
            Some(FaultKind::EmptyNull) => out.put(",\"list\":null"),
            Some(FaultKind::EmptyObject) => out.put(",\"list\":{}"),
            Some(FaultKind::EmptyText) => out.put(",\"list\":\"\""),
            Some(FaultKind::EmptyMissing) => {}
            _ => {
                out.put(",\"list\":[");
                out.extend_from_slice(&self.items.join(&b','));
                out.push(b']');
            }
        }
        let total = self.total_said(oddities.total);
        let json = oddities.json.map(|quirk| quirk.kind);
        if let Some(total) = &total {
            out.put(",\"total\":");
            out.put(total);
            if json == Some(FaultKind::JsonTwinEqual) {
                out.put(",\"total\":");
                out.put(total);
            }
        }
        if json == Some(FaultKind::JsonTwinTotal) {
            out.put(",\"total\":");
            out.int(self.items.len() as u64 / 2);
        }
        match json {
            Some(FaultKind::JsonHugeNumber) => out.put(",\"score\":1e400"),
            Some(FaultKind::JsonNan) => out.put(",\"score\":NaN"),
            _ => {}
        }
        if let Some(cursor) = &self.next_cursor {
            out.put(",\"next\":");
            out.put(cursor);
        }
        out.push(b'}');
        // The first member has no comma before it.
        if out[start] == b',' {
            out[start] = b'{';
        } else {
            out.insert(start, b'{');
        }
    }

    /// The total as JSON; `None` omits the key.
    fn total_said(&self, quirk: Option<Quirk>) -> Option<String> {
        let total = self.total;
        let Some(Quirk { kind, number, .. }) = quirk else {
            return Some(total.to_string());
        };
        let signed = i64::try_from(total).unwrap_or(i64::MAX);
        Some(match kind {
            FaultKind::TotalPage => self.items.len().to_string(),
            FaultKind::TotalFirstPage if self.number > 1 => return None,
            FaultKind::TotalMissing => return None,
            FaultKind::TotalCapped => signed.min(number).to_string(),
            FaultKind::TotalMinusOne => "-1".to_owned(),
            FaultKind::TotalZero => "0".to_owned(),
            FaultKind::TotalFloat => format!("{total}.0"),
            FaultKind::TotalText => format!("\"{total}\""),
            FaultKind::TotalWord => "\"many\"".to_owned(),
            FaultKind::TotalNull => "null".to_owned(),
            FaultKind::TotalOff => signed.saturating_add(number).max(0).to_string(),
            _ => total.to_string(),
        })
    }
}
