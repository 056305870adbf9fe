//! The contact, times and outcome of a call.

use super::{Call, CallOutcome, number, put_call_id};
use crate::sandbox::json_writer::JsonWriter;
use crate::sandbox::seeded_rng::mix;

impl Call<'_> {
    /// `id` to `Comments`.
    pub(super) fn head(&mut self, out: &mut Vec<u8>) {
        const GENDERS: [&str; 8] = [
            "\"\"",
            "\"\"",
            "\"\"",
            "\"male\"",
            "\"female\"",
            "\"F\"",
            "\"M\"",
            "null",
        ];
        let language = self.task.language;
        out.put("\"id\":");
        out.int(row_id(self.task.key, self.index));
        out.put(",\"RobotID\":\"");
        out.int(1000 + self.task.key % 9000);
        out.put("\",\"CalleeName\":\"");
        out.put(self.draws.of(language.given));
        out.push(b' ');
        out.put(self.draws.of(language.family));
        out.put("\",\"CalleeGender\":");
        out.put(self.draws.of(&GENDERS));
        out.put(",\"CalleeNumber\":");
        number(out, language.country, self.callee);
        self.times(out);
        out.put(",\"Status\":");
        out.put(match self.plan.outcome {
            CallOutcome::Answered | CallOutcome::Unanswered => "\"finished\"",
            CallOutcome::Pending => "\"pending\"",
            CallOutcome::Cancelled => "\"cancelled\"",
        });
        out.put(",\"Intention\":");
        self.intention(out);
        if self.draws.permille(60) {
            out.put(",\"Multi_intention\":");
            out.put(
                self.draws
                    .of(&["[\"A\",\"C\"]", "[\"E\"]", "\"A,F\"", "[]", "null"]),
            );
        }
        out.put(",\"CallID\":\"");
        put_call_id(out, self.callee);
        out.put("\",\"CallTimes\":");
        let times = if self.made() {
            u64::from(self.plan.redials) + 1
        } else {
            0
        };
        if self.style.odd && self.draws.permille(15) {
            out.push(b'"');
            out.int(times);
            out.push(b'"');
        } else {
            out.int(times);
        }
        out.put(",\"Comments\":");
        self.case_text(out);
    }

    fn times(&mut self, out: &mut Vec<u8>) {
        const ZERO: &str = "0001-01-01T00:00:00Z";
        if self.made() {
            out.put(",\"CallStartTime\":");
            out.utc(self.start);
            out.put(",\"CallEndTime\":");
            let talk = if self.plan.turns > 0 {
                self.talk_seconds()
            } else {
                0
            };
            out.utc(self.start + i64::from(talk));
            return;
        }
        match self.draws.below(6) {
            0 => {}
            1 => out.put(",\"CallStartTime\":\"\",\"CallEndTime\":\"\""),
            2 => out.put(",\"CallStartTime\":null,\"CallEndTime\":null"),
            3 => {
                // Cancelled while it rang: an end without a start.
                out.put(",\"CallStartTime\":");
                out.utc(self.first);
                out.put(",\"CallEndTime\":");
                out.quoted(ZERO);
            }
            _ => {
                out.put(",\"CallStartTime\":");
                out.quoted(ZERO);
                out.put(",\"CallEndTime\":");
                out.quoted(ZERO);
            }
        }
    }

    fn intention(&mut self, out: &mut Vec<u8>) {
        const LETTERS: [&str; 12] = [
            "\"A\"", "\"B\"", "\"C\"", "\"D\"", "\"E\"", "\"E\"", "\"F\"", "\"G\"", "\"H\"",
            "\"I\"", "\"--\"", "\"A\"",
        ];
        out.put(match self.plan.outcome {
            CallOutcome::Answered => self.draws.of(&LETTERS),
            CallOutcome::Unanswered => self.draws.of(&["\"F\"", "\"--\""]),
            CallOutcome::Pending | CallOutcome::Cancelled => {
                self.draws.of(&["null", "\"--\"", "\"\""])
            }
        });
    }

    /// `Comments` and `case_id` have the same value, mostly text that looks like a number.
    fn case_text(&mut self, out: &mut Vec<u8>) {
        let case = mix(self.callee, 13);
        match case % 8 {
            0 | 1 => {
                out.put("\"00");
                out.padded(case / 8 % 100_000, 3);
                out.push(b'"');
            }
            2 => {
                out.put("\"CASE-");
                out.padded(case / 8 % 10_000_000, 7);
                out.push(b'"');
            }
            3 if self.style.odd => out.int(case / 8 % 1_000_000),
            _ => {
                out.push(b'"');
                out.int(100_000 + case / 8 % 900_000);
                out.put(".0\"");
            }
        }
    }

    /// `BorrowedDate` to `PlatformName`.
    pub(super) fn loan(&mut self, out: &mut Vec<u8>) {
        const PLATFORMS: [&str; 4] = ["AIRUDDER", "Example Pay", r"Pi\u00f1ata Shop", ""];
        let day = self.first - i64::from(self.draws.between(20, 90)) * 86_400;
        out.put(",\"BorrowedDate\":\"");
        out.date(day);
        out.put("\",\"DueDate\":\"");
        out.date(day + 30 * 86_400);
        let cents = u64::from(self.draws.between(50_000, 900_000_000));
        let form = self.draws.below(10);
        out.put("\",\"BorrowedAmount\":");
        amount(out, cents, form);
        out.put(",\"TotalOwingAmount\":");
        amount(out, cents + cents / 64, form);
        out.put(",\"CurrencyUnit\":\"");
        out.put(self.draws.of(self.task.language.currencies));
        out.put("\",\"PlatformName\":\"");
        out.put(self.draws.of(&PLATFORMS));
        out.push(b'"');
    }

    /// `RingType` to `ExtraC`.
    pub(super) fn ending(&mut self, out: &mut Vec<u8>) {
        const RINGS: [&str; 5] = ["noAnswer", "busy", "powerOff", "emptyNumber", "rejected"];
        const EXTRAS: [&str; 12] = [
            "",
            "",
            "",
            "",
            "",
            "",
            "",
            "VIP",
            "cabang 12",
            r#"{\"branch\":12,\"tags\":[]}"#,
            r"C:\\lists\\march.csv",
            "備考なし",
        ];
        out.put(",\"RingType\":\"");
        out.put(match self.plan.outcome {
            CallOutcome::Answered => "normal",
            CallOutcome::Unanswered => self.draws.of(&RINGS),
            CallOutcome::Pending | CallOutcome::Cancelled => "",
        });
        out.put("\",\"HangupType\":");
        out.put(match self.plan.outcome {
            CallOutcome::Answered => {
                self.draws
                    .of(&["\"ByCallee\"", "\"ByCallee\"", "\"ByRobot\""])
            }
            _ => self.draws.of(&["\"\"", "\"ByCaller\"", "null"]),
        });
        for name in [",\"ExtraA\":\"", "\",\"ExtraB\":\"", "\",\"ExtraC\":\""] {
            out.put(name);
            out.put(self.draws.of(&EXTRAS));
        }
        out.push(b'"');
    }

    /// `caller_number` and `case_id`.
    pub(super) fn tail(&mut self, out: &mut Vec<u8>) {
        out.put("\"caller_number\":");
        number(out, "+95", self.caller);
        out.put(",\"case_id\":");
        self.case_text(out);
        if self.style.odd && self.draws.permille(15) {
            out.put(r#","VoiceQuality":{"mos":4.10,"codec":"opus"}"#);
        }
    }
}

/// Row ids increase within a task. Some accounts have ids beyond the precision of a double.
fn row_id(key: u64, index: u32) -> u64 {
    let base = if key.is_multiple_of(4) {
        7_171_000_000_000_000_000 + key % 100_000_000_000_000
    } else {
        2_125_380_211 + key % 40_000_000_000
    };
    base + u64::from(index)
}

/// An amount as an integer, a decimal, a string, or absent.
fn amount(out: &mut Vec<u8>, cents: u64, form: u32) {
    match form {
        0..4 => out.int(cents / 100),
        4..7 => decimal(out, cents),
        7 => {
            out.push(b'"');
            decimal(out, cents);
            out.push(b'"');
        }
        8 => {
            out.push(b'"');
            out.int(cents / 100);
            out.push(b'"');
        }
        _ => out.put(if cents.is_multiple_of(2) {
            "\"\""
        } else {
            "null"
        }),
    }
}

fn decimal(out: &mut Vec<u8>, cents: u64) {
    out.int(cents / 100);
    out.push(b'.');
    out.padded(cents % 100, 2);
}
