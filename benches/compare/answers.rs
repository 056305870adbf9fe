//! Answers to measure with: deterministic, in several languages, with the oddities that the vendor's
//! answers have. Shared by the server, the floor and the micro-benches; knows nothing of the program.

use std::fmt::Write as _;

#[rustfmt::skip]
const WORDS: [&[&str]; 7] = [
    &[
        "halo", "ya", "saya", "sudah", "bayar", "besok", "belum", "gajian", "nanti", "tolong",
        "jangan", "telepon", "lagi", "pak", "bu", "tidak", "bisa", "kirim", "tagihan", "minggu",
        "depan", "uang", "sebentar", "maaf", "salah", "sambung", "siapa", "ini", "dari", "mana",
    ],
    &[
        "sí", "mañana", "ya", "pagué", "por", "favor", "no", "puedo", "ahora", "quién", "habla",
        "el", "lunes", "depósito", "gracias", "número", "equivocado", "señor", "cuánto", "debo",
        "después", "llame", "más", "tarde", "estoy", "trabajando", "bueno", "ajá", "claro",
    ],
    &[
        "yes", "hello", "who", "is", "this", "I", "will", "pay", "tomorrow", "already", "paid",
        "call", "me", "later", "wrong", "number", "sorry", "can't", "hear", "you", "the", "money",
        "on", "Friday", "please", "stop", "calling", "how", "much", "okay",
    ],
    &[
        "ครับ", "ค่ะ", "พรุ่งนี้", "จ่าย", "แล้ว", "ไม่", "ได้", "ขอโทษ", "ใคร", "โทร", "มา",
        "เงินเดือน", "ออก", "วันศุกร์", "เดี๋ยว", "โอน", "ให้", "สวัสดี",
    ],
    &[
        "喂", "你好", "明天", "还款", "已经", "付了", "不是", "我", "打错了", "稍后", "再打", "工资", "还没", "发", "好的",
        "知道了", "谁", "请说", "没有", "钱",
    ],
    &[
        "sim", "amanhã", "não", "posso", "pagar", "já", "paguei", "quem", "é", "ligar", "depois",
        "obrigado", "salário", "sexta-feira", "engano", "tá", "bom", "alô", "então", "agora",
    ],
    &[
        "نعم", "غدا", "دفعت", "لا", "أستطيع", "من", "أنت", "اتصل", "لاحقا", "شكرا", "الراتب",
        "يوم", "الجمعة", "خطأ", "مرحبا", "المبلغ",
    ],
];

const ROBOT: [&[&str]; 7] = [
    &[
        "Selamat siang, apakah benar saya berbicara dengan {n}?",
        "Apa boleh minta waktunya sebentar?",
        "Ada tagihan anda sebesar {a} yang sedang jatuh tempo, bisa diinfokan rencana pembayaran Anda?",
        "Baik, kami tunggu pembayarannya hari ini sebelum pukul delapan malam.",
        "Mohon maaf, suara Anda kurang jelas. Bisa diulangi?",
        "Terima kasih atas waktunya, selamat siang.",
        "Kapan Bapak/Ibu dapat melakukan pembayaran?",
        "Iya, halo",
    ],
    &[
        "Buenas tardes, ¿hablo con {n}?",
        "Le llamamos de «Crédito Fácil» por su cuenta con un saldo vencido de {a}.",
        "¿En qué fecha podría usted realizar el pago?",
        "Le recuerdo que el pago puede hacerse en cualquier tienda.\nGracias.",
        "Disculpe, no le escuché bien. ¿Me lo puede repetir, por favor?",
        "Que tenga un buen día.",
    ],
    &[
        "Good afternoon, am I speaking with {n}?",
        "This is a reminder that your instalment of {a} is due; when can you pay it?",
        "I'm sorry, I didn't catch that. Could you say it again?",
        "Thank you, we have noted \"pays tomorrow\". Goodbye.",
        "You can pay with the app, at a bank or at any <partner> shop & kiosk.",
        "Is there another time that suits you better?",
    ],
    &[
        "สวัสดีค่ะ ดิฉันกำลังเรียนสายกับคุณ {n} ใช่ไหมคะ",
        "ยอดค้างชำระของคุณคือ {a} สะดวกชำระวันไหนคะ",
        "ขออภัยค่ะ ได้ยินไม่ชัด รบกวนพูดอีกครั้งได้ไหมคะ",
        "ขอบคุณค่ะ สวัสดีค่ะ",
    ],
    &[
        "您好，请问是{n}吗？",
        "您有一笔{a}的账单即将到期，请问什么时候方便还款？",
        "不好意思，我没有听清，请您再说一遍好吗？",
        "好的，感谢您的接听，祝您生活愉快，再见。",
    ],
    &[
        "Boa tarde, eu falo com {n}?",
        "Consta em nosso sistema uma parcela em aberto no valor de {a}.",
        "Quando o(a) senhor(a) consegue fazer o pagamento?",
        "Desculpe, a ligação está ruim. Pode repetir?",
        "Obrigada pela atenção, tenha um bom dia.",
    ],
    &[
        "مساء الخير، هل أتحدث مع {n}؟",
        "لديك قسط مستحق بقيمة {a}، متى يمكنك السداد؟",
        "عفوا، لم أسمعك جيدا. هل يمكنك الإعادة؟",
        "شكرا لوقتك، مع السلامة.",
    ],
];

#[rustfmt::skip]
const FIRST: [&str; 32] = [
    "SITI", "BUDI", "Agus", "Dewi", "WILL", "María José", "José", "Ana", "Luis", "Juan Carlos",
    "สมชาย", "สมหญิง", "王", "李", "张", "João", "Antônio", "Beatriz", "محمد", "فاطمة", "Nguyễn",
    "Trần", "RINA", "Eko", "John", "Mary", "O'Brien", "D\"Arcy", "Zoë", "Ana\\Lu", "Putri", "Adi",
];
#[rustfmt::skip]
const LAST: [&str; 24] = [
    "SMITH", "Santoso", "Wijaya", "Hernández", "García López", "Ruiz", "ใจดี", "รักไทย", "小明",
    "伟", "芳", "Silva", "dos Santos", "Oliveira", "العلي", "حسن", "Văn A", "Thị B", "Kusuma",
    "Lestari", "", "Brown", "Jones & Sons", "Müller",
];
const INTENTIONS: [(&str, &str); 10] = [
    ("A", "Promise To Pay"),
    ("B", "Already Paid"),
    ("C", "Refuses To Pay"),
    ("D", "Wrong Number"),
    ("E", "Needs Follow Up"),
    ("F", "No Answer"),
    ("G", "Busy"),
    ("H", "Third Party"),
    ("I", "Voice Mail"),
    ("--", ""),
];
const RING: [&str; 6] = [
    "normal",
    "noAnswer",
    "busy",
    "powerOff",
    "invalidNumber",
    "rejected",
];
const HANGUP: [&str; 4] = ["ByCallee", "ByRobot", "ByCaller", ""];
const CURRENCY: [&str; 6] = ["IDR", "MXN", "USD", "THB", "Rp", "pesos"];
const PLATFORM: [&str; 5] = ["AIRUDDER", "DanaKilat", "CréditoFácil", "好借", "PagaJá"];

/// 2024-03-01T00:00:00Z.
const FIRST_DAY: i64 = 1_709_251_200;

/// Random numbers that are the same everywhere (splitmix64).
struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0xD134_2543_DE82_EF95) ^ 0x5851_F42D_4C95_7F2D)
    }

    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        (self.roll() >> 11) % end
    }

    fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.below(len as u64)).expect("it is below a length")
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.index(of.len())]
    }

    /// True this many times in a thousand.
    fn per_mille(&mut self, times: u64) -> bool {
        self.below(1000) < times
    }
}

/// A task of a set.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    number: u64,
    /// Its id: 32 hex digits.
    pub(crate) id: String,
    /// Its workflow's id.
    pub(crate) workflow: String,
    /// Its scheduled start, in seconds since 1970.
    pub(crate) start: i64,
    /// Its scheduled end.
    pub(crate) end: i64,
    /// Its calls.
    pub(crate) calls: u64,
    /// Days that they are spread over.
    call_days: u64,
}

/// How many tasks, and how many calls each has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// Tasks.
    pub(crate) tasks: u64,
    /// Calls of a task on average; from a fifth of it to nine fifths, if there are more than ten.
    pub(crate) calls: u64,
    /// Tasks of one workflow.
    pub(crate) tasks_per_workflow: u64,
    /// Days that the tasks are spread over.
    pub(crate) days: u64,
    /// Days that the calls of one task are spread over, in random order.
    pub(crate) call_days: u64,
}

impl Shape {
    /// The task of this number.
    pub(crate) fn task(&self, number: u64) -> Task {
        let mut dice = Dice::new(number ^ 0x7A5C);
        let day = number * self.days / self.tasks.max(1);
        let start = FIRST_DAY
            + i64::try_from(day * 86_400 + 3600 + dice.below(80_000)).expect("a few days");
        let calls = if self.calls > 10 && self.tasks > 1 {
            self.calls / 5 + dice.below(self.calls * 8 / 5 + 1)
        } else {
            self.calls
        };
        Task {
            number,
            id: hex32(&mut dice),
            workflow: format!(
                "{:032x}",
                0x61ef_f70e_u64 + number / self.tasks_per_workflow
            ),
            start,
            end: start + 1980,
            calls,
            call_days: self.call_days,
        }
    }
}

fn hex32(dice: &mut Dice) -> String {
    format!("{:016x}{:016x}", dice.roll(), dice.roll())
}

/// How one sender writes JSON.
#[derive(Clone, Copy, Debug)]
struct Style {
    /// White space behind commas and colons.
    spaced: bool,
    /// Everything beyond ASCII as `\u` escapes.
    ascii: bool,
}

/// Writes one task's answer, piece by piece: [`head`](Self::head), each [`call`](Self::call),
/// [`tail`](Self::tail).
#[derive(Debug)]
pub(crate) struct Answer<'t> {
    task: &'t Task,
    style: Style,
    language: usize,
}

impl<'t> Answer<'t> {
    /// The answer of a task. Which language and style it is in depends on its number.
    pub(crate) fn new(task: &'t Task) -> Self {
        let style = Style {
            spaced: task.number % 16 == 5,
            ascii: task.number % 10 == 7,
        };
        let language = usize::try_from(task.number % 7).expect("below seven");
        Self {
            task,
            style,
            language,
        }
    }

    /// The whole answer.
    pub(crate) fn whole(&self, out: &mut Vec<u8>) {
        self.head(out);
        for index in 0..self.task.calls {
            self.call(index, out);
        }
        self.tail(out);
    }

    /// All before the first entry of `detail`.
    pub(crate) fn head(&self, out: &mut Vec<u8>) {
        let Task {
            number,
            id,
            start,
            end,
            ..
        } = self.task;
        let mut json = Object::new(out, self.style);
        if number % 4 == 1 {
            json.raw("code", "200");
            json.raw("status", "\"OK\"");
        }
        json.key("data");
        let mut data = Object::new(json.out, self.style);
        data.text("TaskID", id);
        data.text(
            "TaskName",
            &format!(
                "wf_collection_{}_Voicebot Call1_{:06x}",
                number / 50,
                number * 77
            ),
        );
        data.text(
            "RobotMethod",
            if number % 3 == 0 { "group" } else { "single" },
        );
        data.text("RobotID", &format!("{:032x}", number % 11 + 0xc65f));
        data.text("SIPLine", &format!("ID_SIP_{}_LINE", number % 5));
        data.text(
            "Status",
            if number % 40 == 3 {
                "canceled"
            } else {
                "finished"
            },
        );
        data.text(
            "ScheduleStartTime",
            &format!("{}.{:06}Z", moment(*start, 'T'), number * 7919 % 1_000_000),
        );
        data.text("ScheduleEndTime", &format!("{}Z", moment(*end, 'T')));
        data.raw("RepeatInterval", "0");
        data.raw("RepeatNumber", if number % 9 == 0 { "\"3\"" } else { "3" });
        if number % 4 != 2 {
            self.own_fields(&mut data);
        }
        data.key("detail");
        data.out.push(b'[');
    }

    fn own_fields(&self, data: &mut Object<'_>) {
        let spelt = if self.task.number.is_multiple_of(20) {
            "wokflow_id"
        } else {
            "workflow_id"
        };
        data.text(spelt, &self.task.workflow);
        data.text(
            "workflow_name",
            &format!("collection {}", self.task.number / 50),
        );
        data.text(
            "nodetask_id",
            &format!("{:032x}", self.task.number + 0x4e84),
        );
        data.text("nodetask_name", "Voicebot Call1");
    }

    /// All behind the last entry of `detail`.
    pub(crate) fn tail(&self, out: &mut Vec<u8>) {
        out.push(b']');
        let mut data = Object {
            out,
            style: self.style,
            first: false,
        };
        if self.task.number % 4 == 2 {
            self.own_fields(&mut data);
        }
        data.end();
        let mut json = Object {
            out: data.out,
            style: self.style,
            first: false,
        };
        if self.task.number % 4 != 1 {
            json.raw("status", "\"OK\"");
            json.raw("code", "200");
        }
        json.end();
    }

    /// An entry of `detail`, with the comma before it.
    #[allow(clippy::too_many_lines, reason = "one entry, key by key")]
    pub(crate) fn call(&self, index: u64, out: &mut Vec<u8>) {
        let mut dice = Dice::new((self.task.number << 24) ^ index ^ 0x00C0_FFEE);
        if index > 0 {
            out.extend_from_slice(if self.style.spaced { b", " } else { b"," });
        }
        let dice = &mut dice;
        let answered = dice.per_mille(640);
        let redials = if dice.per_mille(420) {
            dice.below(5) + u64::from(dice.per_mille(800))
        } else {
            0
        };
        let mut start = self.task.start + i64::try_from(dice.below(1800)).expect("small");
        if self.task.call_days > 1 {
            let day = dice.below(self.task.call_days);
            start += 86_400 * i64::try_from(day).expect("a few years");
        }
        let talk = if answered { 5 + dice.below(170) } else { 0 };
        let end = start + i64::try_from(talk).expect("small");
        let case = format!("{:06}.0", dice.below(1_000_000));
        let name = format!("{} {}", dice.pick(&FIRST), dice.pick(&LAST));
        let amount = (1 + dice.below(400)) * 50;
        let (label, description) = if answered {
            dice.pick(&INTENTIONS)
        } else {
            INTENTIONS[5]
        };
        let never_made = dice.per_mille(15);
        let mut call = Object::new(out, self.style);
        if !dice.per_mille(2) {
            call.number(
                "id",
                2_125_380_211 + self.task.number * 400_000 + index,
                dice.per_mille(20),
            );
        }
        call.number("RobotID", 4585 + dice.below(12), !dice.per_mille(30));
        call.text("CalleeName", name.trim_end());
        call.text("CalleeGender", dice.pick(&["", "male", "female", "M"]));
        call.text(
            "CalleeNumber",
            &format!("+62{}", 800_000_000 + dice.below(100_000_000_000)),
        );
        if never_made {
            match dice.below(4) {
                0 => {}
                1 => call.raw("CallStartTime", "null"),
                2 => call.raw("CallStartTime", "\"\""),
                _ => call.raw("CallStartTime", "\"0001-01-01T00:00:00Z\""),
            }
            call.raw("CallEndTime", "\"0001-01-01T00:00:00Z\"");
            call.raw("Status", "\"cancelled\"");
        } else {
            call.text("CallStartTime", &format!("{}Z", moment(start, 'T')));
            call.text("CallEndTime", &format!("{}Z", moment(end, 'T')));
            call.raw("Status", "\"finished\"");
        }
        if dice.per_mille(10) {
            call.raw("Intention", "null");
        } else {
            call.text("Intention", label);
        }
        call.text("CallID", &hex32(dice));
        call.number("CallTimes", redials + 1, dice.per_mille(10));
        match dice.below(10) {
            0 => call.text("Comments", ""),
            1 => call.text(
                "Comments",
                &format!("{} {}", dice.pick(WORDS[self.language]), case),
            ),
            _ => call.text("Comments", &case),
        }
        call.text("BorrowedDate", &moment(start - 86_400 * 30, 'T')[..10]);
        call.text("DueDate", &moment(start - 86_400 * 3, 'T')[..10]);
        match dice.below(20) {
            0 => call.text("BorrowedAmount", &format!("{amount}.50")),
            1 => call.raw("BorrowedAmount", &format!("{amount}.25")),
            2 => call.raw("BorrowedAmount", "\"\""),
            _ => call.number("BorrowedAmount", amount, false),
        }
        if dice.per_mille(2) {
            call.text("TotalOwingAmount", "n/a");
        } else {
            call.number("TotalOwingAmount", amount + 310, dice.per_mille(50));
        }
        call.text("CurrencyUnit", dice.pick(&CURRENCY));
        call.text("PlatformName", PLATFORM[self.language % PLATFORM.len()]);
        call.text(
            "RingType",
            if answered { "normal" } else { dice.pick(&RING) },
        );
        call.text("HangupType", dice.pick(&HANGUP));
        for key in ["ExtraA", "ExtraB", "ExtraC"] {
            if dice.per_mille(150) {
                call.text(key, dice.pick(WORDS[self.language]));
            } else if !dice.per_mille(20) {
                call.raw(key, "\"\"");
            }
        }
        call.key("AsrResult");
        if answered {
            self.turns(&mut call, dice, (&name, amount));
        } else if dice.per_mille(100) {
            call.out.extend_from_slice(b"null");
        } else {
            call.out.extend_from_slice(b"[]");
        }
        if dice.per_mille(3) {
            call.text("RingTime", "n/a");
        } else {
            call.number("RingTime", dice.below(40), dice.per_mille(10));
        }
        call.number("TalkRound", talk / 12, false);
        call.key("RedailCall");
        self.redials(&mut call, dice, (redials, start));
        call.key("NerSlots");
        if answered && dice.per_mille(600) {
            let way = dice.pick(&["Transfer", "Cash", "App", "転送"]);
            call.object(&[("PaymentMethod", way), ("PaymentTime", "Time_0")]);
        } else {
            call.out.extend_from_slice(b"{}");
        }
        call.text("intention_description", description);
        call.key("EventLabel");
        if answered {
            let all = [
                ("A0", "A0"),
                ("Correct_Person", "identity_correct_person"),
                ("Request_Installment", "action_item_request_installment"),
                ("Promise", "promise_to_pay"),
            ];
            call.object(&all[..=dice.index(4)]);
        } else {
            call.out.extend_from_slice(b"{}");
        }
        call.text(
            "caller_number",
            &format!("+9522{:07}", 88 + dice.below(40) * 1013),
        );
        call.text("case_id", &case);
        if dice.per_mille(10) {
            call.raw("agent_score", &format!("0.{}", dice.below(100)));
        }
        if dice.per_mille(2) {
            call.raw("new_object", r#"{"a":[1,2,{"b":null}],"c":"\u00e9\n"}"#);
        }
        call.end();
    }

    fn turns(&self, call: &mut Object<'_>, dice: &mut Dice, (name, amount): (&str, u64)) {
        let turns = 1 + dice.below(31);
        let mut second = 0;
        call.out.push(b'[');
        for turn in 0..turns {
            if turn > 0 {
                call.out.push(b',');
            }
            let mut entry = Object::new(call.out, self.style);
            let clock = format!(
                "{:02}:{:02}:{:02}",
                second / 3600,
                second / 60 % 60,
                second % 60
            );
            entry.raw("time", &format!("\"{clock}\""));
            second += dice.below(9);
            let robot_speaks = turn % 2 == 0 || dice.per_mille(200);
            let robot = if robot_speaks {
                dice.pick(ROBOT[self.language])
                    .replace("{n}", name)
                    .replace("{a}", &amount.to_string())
            } else {
                String::new()
            };
            entry.text("robottext", &robot);
            let mut said = String::new();
            if !robot_speaks || dice.per_mille(300) {
                for word in 0..=dice.below(19) {
                    if word > 0 {
                        said.push(' ');
                    }
                    said.push_str(dice.pick(WORDS[self.language]));
                }
            }
            entry.text("text", &said);
            entry.end();
        }
        call.out.push(b']');
    }

    fn redials(&self, call: &mut Object<'_>, dice: &mut Dice, (redials, start): (u64, i64)) {
        call.out.push(b'[');
        for redial in 0..redials {
            if redial > 0 {
                call.out.push(b',');
            }
            let mut entry = Object::new(call.out, self.style);
            entry.text("CallID", &hex32(dice));
            let before = i64::try_from((redials - redial) * 60).expect("small");
            entry.text("CallStartTime", &moment(start + 7 * 3600 - before, ' '));
            entry.text("RingType", dice.pick(&RING));
            entry.number("RingTime", dice.below(40), dice.per_mille(10));
            entry.text("HangupType", dice.pick(&HANGUP));
            entry.text("ResultLabel", dice.pick(&INTENTIONS).0);
            entry.text(
                "callee_number",
                &format!("+62{}", 800_000_000 + dice.below(100_000_000_000)),
            );
            entry.text(
                "caller_number",
                &format!("+9522{:07}", 88 + dice.below(40) * 1013),
            );
            entry.end();
        }
        call.out.push(b']');
    }
}

/// A JSON object while it is written.
struct Object<'o> {
    out: &'o mut Vec<u8>,
    style: Style,
    first: bool,
}

impl<'o> Object<'o> {
    fn new(out: &'o mut Vec<u8>, style: Style) -> Self {
        out.push(b'{');
        Self {
            out,
            style,
            first: true,
        }
    }

    fn key(&mut self, key: &str) {
        if !std::mem::take(&mut self.first) {
            self.out
                .extend_from_slice(if self.style.spaced { b", " } else { b"," });
        }
        self.out.push(b'"');
        self.out.extend_from_slice(key.as_bytes());
        self.out
            .extend_from_slice(if self.style.spaced { b"\": " } else { b"\":" });
    }

    fn raw(&mut self, key: &str, value: &str) {
        self.key(key);
        self.out.extend_from_slice(value.as_bytes());
    }

    fn number(&mut self, key: &str, value: u64, as_text: bool) {
        let value = if as_text {
            format!("\"{value}\"")
        } else {
            value.to_string()
        };
        self.raw(key, &value);
    }

    fn text(&mut self, key: &str, text: &str) {
        self.key(key);
        push_text(text, self.style, self.out);
    }

    fn object(&mut self, pairs: &[(&str, &str)]) {
        let mut inner = Object::new(self.out, self.style);
        for (key, value) in pairs {
            inner.text(key, value);
        }
        inner.end();
    }

    fn end(&mut self) {
        self.out.push(b'}');
    }
}

/// A JSON string, with the escapes that Go's encoder makes: `<`, `>` and `&` too.
fn push_text(text: &str, style: Style, out: &mut Vec<u8>) {
    out.push(b'"');
    let mut escape = String::new();
    for char in text.chars() {
        match char {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            '\n' => out.extend_from_slice(b"\\n"),
            '<' | '>' | '&' | '\0'..='\x1f' => push_unit(u32::from(char), &mut escape, out),
            '\u{80}'.. if style.ascii => {
                let mut units = [0; 2];
                for unit in char.encode_utf16(&mut units) {
                    push_unit(u32::from(*unit), &mut escape, out);
                }
            }
            _ => {
                let mut bytes = [0; 4];
                out.extend_from_slice(char.encode_utf8(&mut bytes).as_bytes());
            }
        }
    }
    out.push(b'"');
}

fn push_unit(unit: u32, escape: &mut String, out: &mut Vec<u8>) {
    escape.clear();
    write!(escape, "\\u{unit:04x}").expect("a String takes all");
    out.extend_from_slice(escape.as_bytes());
}

/// `2024-03-11T08:41:26`, with this between date and time.
pub(crate) fn moment(seconds: i64, between: char) -> String {
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Howard Hinnant's civil_from_days.
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!(
        "{year:04}-{month:02}-{day:02}{between}{:02}:{:02}:{:02}",
        second / 3600,
        second / 60 % 60,
        second % 60
    )
}
