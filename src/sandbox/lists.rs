//! The two listings: workflows, and the tasks of one.

use hyper::StatusCode;

use super::ask::PageAsk;
use super::ink::Ink;
use super::listing::{Distortion, page};
use super::reply::Reply;
use super::vendor::Vendor;
use super::world::Workflow;

impl Vendor {
    pub(super) fn workflows(
        &self,
        from: i64,
        to: i64,
        ask: PageAsk,
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
        self.list(&listed, ask, distortion, |out, flow| {
            let running = self.world.tasks[flow.tasks.clone()]
                .iter()
                .any(|task| task.at(now).is_none_or(|view| !view.is_final()));
            out.put("{\"workflow_id\":");
            out.quoted(&flow.id);
            out.put(",\"workflow_name\":");
            out.quoted(&flow.name);
            out.put(",\"status\":");
            out.quoted(if running { "running" } else { "finished" });
            out.put(",\"create_time\":");
            out.utc_micros(flow.created);
            out.push(b'}');
        })
    }

    pub(super) fn task_list(&self, workflow: &str, ask: PageAsk, distortion: Distortion) -> Reply {
        let now = self.now().timestamp_micros();
        let flow = self
            .world
            .workflow(workflow)
            .filter(|flow| flow.created <= now);
        let Some(flow) = flow else {
            return self.failure(StatusCode::OK, 404, "workflow not found");
        };
        let tasks = self.world.tasks[flow.tasks.clone()].iter();
        let listed: Vec<_> = tasks
            .filter_map(|task| Some((task, task.at(now)?)))
            .collect();
        self.list(&listed, ask, distortion, |out, (task, view)| {
            out.put("{\"task_id\":");
            out.quoted(&task.id);
            out.put(",\"task_name\":");
            out.quoted(&task.name);
            out.put(",\"status\":");
            out.quoted(view.status);
            out.put(",\"schedule_start_time\":");
            out.utc_micros(task.start);
            out.put(",\"schedule_end_time\":");
            out.utc_micros(task.scheduled_end);
            out.put(",\"nodetask_id\":");
            out.quoted(&task.node_id);
            out.put(",\"nodetask_name\":");
            out.quoted(&task.node_name);
            out.push(b'}');
        })
    }

    pub(super) fn list<T>(
        &self,
        items: &[T],
        ask: PageAsk,
        distortion: Distortion,
        write: impl Fn(&mut Vec<u8>, &T),
    ) -> Reply {
        let size = ask.size.min(self.options.page_size_max).max(1);
        let page = page(items.len(), ask.number, size, distortion);
        let mut out = Vec::with_capacity(256 * page.items.len() + 64);
        out.put("{\"data\":{\"list\":[");
        for (place, item) in items[page.items].iter().enumerate() {
            if place > 0 {
                out.push(b',');
            }
            write(&mut out, item);
        }
        out.put("],\"total\":");
        out.int(page.total as u64);
        out.put("},\"status\":\"OK\",\"code\":200}");
        Reply::json(out)
    }
}
