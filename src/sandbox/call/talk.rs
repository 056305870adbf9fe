//! The transcript of a call, and its earlier attempts.

use super::{Call, gap, number};
use crate::sandbox::json_writer::{JsonWriter, offset};
use crate::sandbox::seeded_rng::{SeededRng, mix};
use crate::sandbox::task::SECOND;
use crate::sandbox::world::offset_seconds;

impl Call<'_> {
    /// Seconds from the call's start to its end.
    pub(super) fn talk_seconds(&self) -> u32 {
        let mut draws = self.turn_draws();
        (0..self.plan.turns).map(|_| pause(&mut draws)).sum::<u32>() + 2
    }

    /// The random numbers for the pauses between turns, needed before the turns are written.
    fn turn_draws(&self) -> SeededRng {
        SeededRng::new(mix(self.callee, 14))
    }

    /// `AsrResult`.
    pub(super) fn turns(&mut self, out: &mut Vec<u8>) {
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
            if turn == 0 {
                out.put(language.robot[0]);
            } else if !self.draws.permille(120) {
                out.put(self.draws.of(&language.robot[1..]));
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

    /// `RingTime` to `RedailCall`.
    pub(super) fn redials(&mut self, out: &mut Vec<u8>) {
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

    /// `NerSlots` to `EventLabel`.
    pub(super) fn labels(&mut self, out: &mut Vec<u8>) {
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
}

/// Seconds between two turns; sometimes zero.
fn pause(draws: &mut SeededRng) -> u32 {
    draws.below(10)
}
