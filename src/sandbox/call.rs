//! One entry of `detail`, written as JSON in the order and with the quirks of the vendor's sample.
//!
//! A call follows from its task's key and its index alone. [`CallPlan`] decides how many redials
//! and turns it has without writing it: that is how the truth about a task is counted.

use super::draws::{Draws, mix};
use super::ink::{Ink, offset};
use super::world::{SECOND, Task, View, offset_seconds};

/// What is decided about a call before it is written.
#[derive(Clone, Copy, Debug)]
pub(super) struct CallPlan {
    outcome: Outcome,
    pub(super) redials: u32,
    pub(super) turns: u32,
    draws: Draws,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Answered,
    Unanswered,
    Pending,
    Cancelled,
}

impl CallPlan {
    pub(super) fn new(task: &Task, view: &View, index: u32) -> Self {
        let mut draws = Draws::new(mix(task.key, u64::from(index)));
        let lot = draws.below(1000);
        let outcome = match lot {
            _ if index >= view.done && view.canceled => Outcome::Cancelled,
            _ if index >= view.done => Outcome::Pending,
            0..8 => Outcome::Pending,
            8..24 => Outcome::Cancelled,
            24..170 => Outcome::Unanswered,
            _ => Outcome::Answered,
        };
        let made = matches!(outcome, Outcome::Answered | Outcome::Unanswered);
        let redials = match draws.below(100) {
            _ if !made => 0,
            0..40 => 0,
            40..65 => 1,
            65..83 => 2,
            83..93 => 3,
            _ => 4,
        };
        let turns = match outcome {
            Outcome::Answered if draws.permille(12) => 30,
            Outcome::Answered => draws.between(1, 12) + draws.below(11),
            _ => 0,
        };
        Self {
            outcome,
            redials,
            turns,
            draws,
        }
    }
}

/// How the rows of one task are written.
#[derive(Clone, Copy, Debug)]
pub(super) struct CallStyle {
    /// The zone of redial times.
    pub(super) zone: chrono_tz::Tz,
    /// Keys nobody knows, another order of keys.
    pub(super) odd: bool,
}

/// Writes call `index` of the task.
pub(super) fn write(out: &mut Vec<u8>, task: &Task, view: &View, index: u32, style: CallStyle) {
    let plan = CallPlan::new(task, view, index);
    let mut call = Call::new(task, index, style, plan);
    let tail_first = style.odd && call.draws.permille(20);
    out.push(b'{');
    if tail_first {
        call.tail(out);
        out.push(b',');
    }
    call.head(out);
    call.loan(out);
    call.line(out);
    call.turns(out);
    call.redials(out);
    call.labels(out);
    if !tail_first {
        out.push(b',');
        call.tail(out);
    }
    out.push(b'}');
}

struct Call<'a> {
    task: &'a Task,
    index: u32,
    style: CallStyle,
    plan: CallPlan,
    draws: Draws,
    /// First attempt, seconds since 1970.
    first: i64,
    /// The row's own attempt, the last one.
    start: i64,
    callee: u64,
    caller: u64,
}

impl<'a> Call<'a> {
    fn new(task: &'a Task, index: u32, style: CallStyle, plan: CallPlan) -> Self {
        let mut draws = plan.draws;
        let first = task.turn_of(index).div_euclid(SECOND) + 1 + i64::from(draws.below(20));
        let gaps = (0..plan.redials)
            .map(|attempt| gap(first, attempt))
            .sum::<i64>();
        let callee = draws.next();
        let caller = mix(task.key, u64::from(index % 7));
        Self {
            task,
            index,
            style,
            plan,
            draws,
            first,
            start: first + gaps,
            callee,
            caller,
        }
    }

    fn made(&self) -> bool {
        matches!(self.plan.outcome, Outcome::Answered | Outcome::Unanswered)
    }

    fn head(&mut self, out: &mut Vec<u8>) {
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
            Outcome::Answered | Outcome::Unanswered => "\"finished\"",
            Outcome::Pending => "\"pending\"",
            Outcome::Cancelled => "\"cancelled\"",
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
        out.hex(mix(self.callee, 11));
        out.hex(mix(self.callee, 12));
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
        const ZERO: &str = "0001-01-01T00:00:00Z";
        match self.draws.below(6) {
            0 => {}
            1 => out.put(",\"CallStartTime\":\"\",\"CallEndTime\":\"\""),
            2 => out.put(",\"CallStartTime\":null,\"CallEndTime\":null"),
            3 => {
                // Called off while it rang: an end that never came.
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
            Outcome::Answered => self.draws.of(&LETTERS),
            Outcome::Unanswered => self.draws.of(&["\"F\"", "\"--\""]),
            Outcome::Pending | Outcome::Cancelled => self.draws.of(&["null", "\"--\"", "\"\""]),
        });
    }

    /// `Comments` and `case_id` say the same, mostly as text that looks like a number.
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

    fn loan(&mut self, out: &mut Vec<u8>) {
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

    fn line(&mut self, out: &mut Vec<u8>) {
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
            Outcome::Answered => "normal",
            Outcome::Unanswered => self.draws.of(&RINGS),
            Outcome::Pending | Outcome::Cancelled => "",
        });
        out.put("\",\"HangupType\":");
        out.put(match self.plan.outcome {
            Outcome::Answered => self
                .draws
                .of(&["\"ByCallee\"", "\"ByCallee\"", "\"ByRobot\""]),
            _ => self.draws.of(&["\"\"", "\"ByCaller\"", "null"]),
        });
        for name in [",\"ExtraA\":\"", "\",\"ExtraB\":\"", "\",\"ExtraC\":\""] {
            out.put(name);
            out.put(self.draws.of(&EXTRAS));
        }
        out.push(b'"');
    }

    /// Seconds from the call's start to the turn, and at the end to its end.
    fn talk_seconds(&self) -> u32 {
        let mut draws = self.turn_draws();
        (0..self.plan.turns).map(|_| pause(&mut draws)).sum::<u32>() + 2
    }

    fn turn_draws(&self) -> Draws {
        Draws::new(mix(self.callee, 14))
    }

    fn turns(&mut self, out: &mut Vec<u8>) {
        out.put(",\"AsrResult\":");
        if self.plan.turns == 0 {
            out.put(self.draws.of(&["[]", "[]", "null"]));
            return;
        }
        let language = self.task.language;
        let mut pauses = self.turn_draws();
        let mut at = 0;
        for turn in 0..self.plan.turns {
            out.put(if turn == 0 {
                "[{\"time\":\""
            } else {
                "},{\"time\":\""
            });
            offset(out, at);
            at += pause(&mut pauses);
            out.put("\",\"robottext\":\"");
            let robot = if turn == 0 {
                language.robot[0]
            } else {
                self.draws.of(language.robot)
            };
            if turn == 0 || !self.draws.permille(120) {
                out.put(robot);
            }
            out.put("\",\"text\":\"");
            if turn > 0 {
                out.put(self.draws.of(language.callee));
            }
            out.push(b'"');
            if self.style.odd && self.draws.permille(8) {
                out.put(",\"confidence\":0.");
                out.int(u64::from(self.draws.between(50, 99)));
            }
        }
        out.put("}]");
    }

    fn redials(&mut self, out: &mut Vec<u8>) {
        const RINGS: [&str; 4] = ["normal", "noAnswer", "busy", "powerOff"];
        out.put(",\"RingTime\":");
        let ring = u64::from(self.draws.below(30));
        if self.style.odd && self.draws.permille(15) {
            out.push(b'"');
            out.int(ring);
            out.push(b'"');
        } else {
            out.int(ring);
        }
        out.put(",\"TalkRound\":");
        out.int(u64::from(self.plan.turns / 2));
        out.put(",\"RedailCall\":");
        if self.plan.redials == 0 {
            out.put(self.draws.of(&["[]", "[]", "null"]));
            return;
        }
        let mut at = self.first;
        for redial in 0..self.plan.redials {
            out.put(if redial == 0 {
                "[{\"CallID\":\""
            } else {
                "},{\"CallID\":\""
            });
            out.hex(mix(self.callee, u64::from(20 + redial)));
            out.hex(mix(self.callee, u64::from(30 + redial)));
            out.put("\",\"CallStartTime\":");
            out.local(at + i64::from(offset_seconds(self.style.zone, at * SECOND)));
            at += gap(self.first, redial);
            out.put(",\"RingType\":\"");
            out.put(self.draws.of(&RINGS));
            out.put("\",\"RingTime\":");
            out.int(u64::from(self.draws.below(30)));
            out.put(",\"HangupType\":\"ByCallee\",\"ResultLabel\":");
            out.put(
                self.draws
                    .of(&["\"F\"", "\"F\"", "\"F\"", "\"--\"", "null", "\"G\""]),
            );
            out.put(",\"callee_number\":");
            number(out, self.task.language.country, self.callee);
            out.put(",\"caller_number\":");
            number(out, "+95", self.caller);
            if self.style.odd && self.draws.permille(10) {
                out.put(",\"LineCost\":\"0.0125\"");
            }
        }
        out.put("}]");
    }

    fn labels(&mut self, out: &mut Vec<u8>) {
        const EMPTY: [&str; 3] = ["{}", "[]", "null"];
        const SLOTS: [&str; 5] = [
            r#"{"PaymentMethod":"Transfer","PaymentTime":"Time_0"}"#,
            r#"{"PaymentTime":"Time_1"}"#,
            r#"{"alasan":"belum gajian","jumlah":150000}"#,
            r#"{"Nama":"\u00d1o\u00f1o","nested":{"a":[1,2.50,null]}}"#,
            r#"{"支付方式":"转账","":"empty key"}"#,
        ];
        const EVENTS: [&str; 4] = [
            r#"{"A0":"A0","Correct_Person":"identity_correct_person","Request_Installment":"action_item_request_installment"}"#,
            r#"{"Wrong_Number":"identity_wrong_number"}"#,
            r#"{"A0":"A0"}"#,
            r#"{"Busy":"status_busy","Callback":"action_item_call_back","score":1e3}"#,
        ];
        let spoken = self.plan.turns > 2;
        out.put(",\"NerSlots\":");
        let empty = !spoken || self.draws.permille(400);
        out.put(self.draws.of(if empty { &EMPTY } else { &SLOTS }));
        out.put(",\"intention_description\":\"");
        if self.made() {
            out.put(self.draws.of(self.task.language.descriptions));
        }
        out.put("\",\"EventLabel\":");
        let empty = !spoken || self.draws.permille(250);
        out.put(self.draws.of(if empty { &EMPTY } else { &EVENTS }));
    }

    fn tail(&mut self, out: &mut Vec<u8>) {
        out.put("\"caller_number\":");
        number(out, "+95", self.caller);
        out.put(",\"case_id\":");
        self.case_text(out);
        if self.style.odd && self.draws.permille(15) {
            out.put(r#","VoiceQuality":{"mos":4.10,"codec":"opus"}"#);
        }
    }
}

/// Seconds between two attempts at one callee.
fn gap(first: i64, attempt: u32) -> i64 {
    40 + (first ^ i64::from(attempt).wrapping_mul(37)).rem_euclid(50)
}

/// Seconds between two turns; often none.
fn pause(draws: &mut Draws) -> u32 {
    draws.below(8).saturating_sub(1)
}

/// Row ids go up within a task. Some accounts have ids that no double can hold.
fn row_id(key: u64, index: u32) -> u64 {
    let base = if key.is_multiple_of(4) {
        7_171_000_000_000_000_000 + key % 100_000_000_000_000
    } else {
        2_125_380_211 + key % 40_000_000_000
    };
    base + u64::from(index)
}

/// A telephone number that no one can have.
fn number(out: &mut Vec<u8>, country: &str, key: u64) {
    out.push(b'"');
    out.put(country);
    out.put("000");
    out.padded(key % 10_000_000, 7);
    out.push(b'"');
}

/// An amount as an integer, a decimal, a text, or not at all.
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
