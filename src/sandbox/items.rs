//! Items of a listing, and their quirks.

use chrono_tz::Tz;

use super::detail::put_id;
use super::faults::FaultKind;
use super::json_writer::JsonWriter;
use super::task::{SECOND, Task, View};
use super::world::{Workflow, offset_seconds};

/// A listed item.
pub(super) trait Item {
    /// The key of its id.
    const ID_KEY: &'static str;
    /// The vendor's id.
    fn id(&self) -> &str;
    /// The quirk of its listing.
    fn oddity(&self) -> Option<FaultKind>;
}

impl Item for &Workflow {
    const ID_KEY: &'static str = "workflow_id";

    fn id(&self) -> &str {
        &self.id
    }

    fn oddity(&self) -> Option<FaultKind> {
        self.item
    }
}

impl Item for (&Task, View) {
    const ID_KEY: &'static str = "task_id";

    fn id(&self) -> &str {
        &self.0.id
    }

    fn oddity(&self) -> Option<FaultKind> {
        self.0.item
    }
}

/// An item with its id, then what `rest` writes, each member with a comma before it.
pub(super) fn put<T: Item>(
    out: &mut Vec<u8>,
    item: &T,
    twin_id: bool,
    rest: impl FnOnce(&mut Vec<u8>),
) {
    let oddity = item.oddity();
    if oddity == Some(FaultKind::ItemNoObject) {
        let forms = ["null", "true", "[]"];
        out.put(forms[item.id().bytes().map(usize::from).sum::<usize>() % forms.len()]);
        return;
    }
    let start = out.len();
    if oddity != Some(FaultKind::ItemNoId) {
        out.put(",\"");
        out.put(T::ID_KEY);
        out.put("\":");
        match oddity {
            Some(FaultKind::ItemNullId) => out.put("null"),
            Some(FaultKind::ItemEmptyId) => out.put("\"\""),
            Some(FaultKind::ItemBlankId) => out.put("\"  \""),
            _ => put_id(out, item.id(), oddity),
        }
    }
    if twin_id {
        out.put(",\"");
        out.put(T::ID_KEY);
        out.put("\":\"another\"");
    }
    rest(out);
    out[start] = b'{';
    out.push(b'}');
}

/// A task's status, with a comma before it.
pub(super) fn status(out: &mut Vec<u8>, view: &View, quirk: Option<FaultKind>) {
    if quirk == Some(FaultKind::StatusMissing) {
        return;
    }
    out.put(",\"status\":");
    match quirk {
        Some(FaultKind::StatusCompleted) if view.is_final() => out.put("\"completed\""),
        Some(FaultKind::StatusStopped) if view.is_final() => out.put("\"stopped\""),
        Some(FaultKind::StatusNull) => out.put("null"),
        Some(FaultKind::StatusEmpty) => out.put("\"\""),
        Some(FaultKind::StatusNumber) => out.put(if view.is_final() { "3" } else { "1" }),
        _ => out.quoted(view.status),
    }
}

/// A time, with a comma before it.
pub(super) fn time(out: &mut Vec<u8>, key: &str, micros: i64, zone: Tz, quirk: Option<FaultKind>) {
    use FaultKind as Kind;
    if matches!(quirk, Some(Kind::StartMissing | Kind::EndMissing)) {
        return;
    }
    out.put(",\"");
    out.put(key);
    out.put("\":");
    let seconds = micros.div_euclid(SECOND);
    let ahead = offset_seconds(zone, micros);
    match quirk {
        Some(Kind::StartWord | Kind::EndWord) => out.put("\"tomorrow\""),
        Some(Kind::StartEpoch | Kind::EndEpoch) => out.int(seconds.unsigned_abs()),
        Some(Kind::StartNoZone | Kind::EndNoZone) => out.local(seconds + i64::from(ahead)),
        Some(Kind::StartOffset | Kind::EndOffset) => {
            out.local(seconds + i64::from(ahead));
            out.pop();
            out.put(if ahead < 0 { "-" } else { "+" });
            let ahead = u64::from(ahead.unsigned_abs());
            out.padded(ahead / 3600, 2);
            out.push(b':');
            out.padded(ahead / 60 % 60, 2);
            out.push(b'"');
        }
        Some(Kind::StartEmpty | Kind::EndEmpty) => out.put("\"\""),
        Some(Kind::StartNull | Kind::EndNull) => out.put("null"),
        Some(Kind::StartZero | Kind::EndZero) => out.put("\"0001-01-01T00:00:00Z\""),
        Some(Kind::StartFar | Kind::EndFar) => out.put("\"9999-12-31T23:59:59Z\""),
        _ => out.utc_micros(micros),
    }
}
