//! Phrases of simulated calls, by language. Every text is JSON source, including escapes; some
//! letters are deliberately escaped where others are not.
//!
//! Names are made up. Telephone numbers begin with zeros after the country code, which real ones
//! never do.

/// The phrases of one language.
#[derive(Debug)]
pub(super) struct Language {
    /// `+62`.
    pub(super) country: &'static str,
    /// Free text, as people type it.
    pub(super) currencies: &'static [&'static str],
    pub(super) given: &'static [&'static str],
    pub(super) family: &'static [&'static str],
    /// The first one opens a call.
    pub(super) robot: &'static [&'static str],
    pub(super) callee: &'static [&'static str],
    pub(super) descriptions: &'static [&'static str],
    /// Names of workflows.
    pub(super) campaigns: &'static [&'static str],
}

/// Weights of the languages: a number below 20 selects the language at its index.
pub(super) const WEIGHTS: [u8; 20] = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 3, 3, 4, 4, 5];

pub(super) static LANGUAGES: [Language; 6] = [INDONESIAN, ENGLISH, SPANISH, THAI, CHINESE, ARABIC];

const INDONESIAN: Language = Language {
    country: "+62",
    currencies: &["IDR", "Rp", "rupiah", "USD"],
    given: &[
        "SITI", "Budi", "Dewi", "AGUS", "Rina", "Wayan", "Putri", "Joko", "Ayu", "Bambang",
    ],
    family: &[
        "CONTOH",
        "Fiktif",
        "Percobaan",
        "Rekaan",
        "Khayalan",
        "Uji Coba",
        "Model",
    ],
    robot: &[
        "halo (jeda 1-2 detik) selamat siang",
        "Apa boleh minta waktunya sebentar?",
        "Iya, halo",
        "Ada tagihan anda yang sedang jatuh tempo,  bisa diinfokan rencana pembayaran Anda?",
        "Baik, pembayarannya bisa dilakukan melalui transfer atau gerai terdekat.",
        r#"Mohon maaf, suara Anda kurang jelas. Bisa diulang, \"ya\" atau \"tidak\"?"#,
        r"Kami ulangi:\n1) bayar penuh\n2) bayar sebagian",
        "Apakah saya berbicara dengan pemilik nomor ini?",
        "Terima kasih atas waktunya, selamat siang.",
        r"Denda keterlambatan 2% per hari \u2014 mohon segera diselesaikan.",
        "Jadi Anda akan membayar besok sebelum jam 5 sore, betul?",
        "Kalau begitu kapan kami bisa menghubungi Anda kembali?",
    ],
    callee: &[
        "",
        "",
        "halo halo ya ya ya ya ya ya ya ya",
        "iya betul",
        "nanti sore saya bayar ya mbak",
        "siapa ini",
        r"salah sambung \ud83d\ude44",
        "besok gajian, besok saya transfer",
        r#"dia bilang \"nanti\" terus"#,
        "oke oke makasih 🙏",
        "enggak bisa sekarang, lagi di jalan, nanti telepon lagi saja kira-kira jam tujuh malam",
        "hmm",
    ],
    descriptions: &[
        "Needs Follow Up",
        "Janji Bayar",
        "Salah Sambung",
        "Tidak Dijawab",
    ],
    campaigns: &[
        "tagihan_jatuh_tempo",
        "pengingat_H-1",
        "promo ramadan",
        "Survei pelanggan",
    ],
};

const ENGLISH: Language = Language {
    country: "+1",
    currencies: &["USD", "US Dollar", "$"],
    given: &[
        "WILL", "Ada", "Grace", "JOHN", "Mary-Ann", "Zo\u{eb}", "Sam", "O'Neil", "Priya",
    ],
    family: &[
        "SMITH",
        "Example",
        "Placeholder",
        "Doe",
        "Sampleton",
        "McTest",
        "Noname",
    ],
    robot: &[
        "Hello, am I speaking with the owner of this number?",
        "This is a courtesy call about your order, do you have a minute?",
        "Your instalment is overdue. When do you expect to make the payment?",
        r#"Please say \"yes\" or \"no\" after the tone."#,
        "I can offer you to split the amount into three payments.",
        "Great, I have noted that down.",
        "Sorry, I did not catch that.",
        r"Thank you & goodbye \u2014 have a nice day!",
        "Is there a better time to reach you?",
        r"You can pay in the app under Menu \\ Payments \\ Open.",
    ],
    callee: &[
        "",
        "",
        "yes speaking",
        "no",
        "who is this",
        "I already paid that last week, please check your records again",
        "can you call me back tomorrow around nine",
        r"caf\u00e9 on Main Street, I'm driving",
        "uh-huh 👍",
        r#"he said \"wait\""#,
        "stop calling me",
        "okay thank you",
    ],
    descriptions: &[
        "Promise to Pay",
        "Needs Follow Up",
        "Wrong Number",
        "Voice Mail",
        "Refused",
    ],
    campaigns: &[
        "overdue_d3",
        "Welcome call",
        "webhook_test",
        "Card activation",
    ],
};

const SPANISH: Language = Language {
    country: "+52",
    currencies: &["MXN", "pesos", "M.N."],
    given: &[
        "José",
        "MARÍA",
        "Íñigo",
        "Lucía",
        r"Andr\u00e9s",
        "Ana",
        "Begoña",
    ],
    family: &[
        "EJEMPLO",
        "Ficticio",
        "Muñoz Prueba",
        "Inventado",
        "De la Nada",
        "Muestra",
    ],
    robot: &[
        "Buenas tardes, ¿hablo con el titular de la línea?",
        "Le llamamos por su crédito, que presenta un atraso de pago.",
        "¿Qué día podría realizar su pago?",
        r#"Diga \"sí\" para continuar o \"no\" para terminar."#,
        "Perfecto, queda registrado su compromiso de pago.",
        r"Disculpe, no le escuch\u00e9 bien. \u00bfMe lo repite?",
        "Puede pagar en cualquier tienda de conveniencia con su número de referencia.",
        "Que tenga un excelente día. ¡Hasta luego!",
    ],
    callee: &[
        "",
        "",
        "sí, él habla",
        "no, número equivocado",
        "mañana paso a pagar, señorita",
        r"\u00bfqui\u00e9n habla?",
        "ahorita no puedo 😅",
        "ya pagué el viernes pasado en la sucursal del centro, tengo el comprobante",
        "bueno",
        "ok",
    ],
    descriptions: &[
        "Promesa de pago",
        "Seguimiento",
        "Número equivocado",
        "Buzón",
    ],
    campaigns: &["cobranza_30d", "Campaña niños", "Recordatorio de pago"],
};

const THAI: Language = Language {
    country: "+66",
    currencies: &["THB", "บาท"],
    given: &["สมมติ", "ตัวอย่าง", "มานี", "ปิติ", "ชูใจ"],
    family: &["ทดสอบ", "ใจดี", "ไม่มีจริง", "นิยาย"],
    robot: &[
        "สวัสดีค่ะ ขอเรียนสายคุณเจ้าของเบอร์ค่ะ",
        "ขออนุญาตแจ้งยอดชำระที่เกินกำหนดนะคะ",
        "สะดวกชำระวันไหนคะ",
        "ขอบคุณค่ะ สวัสดีค่ะ",
        r#"กรุณาพูดว่า \"ใช่\" หรือ \"ไม่ใช่\""#,
        "ไม่ทราบว่าสะดวกคุยไหมคะ",
    ],
    callee: &[
        "",
        "",
        "ครับ",
        "ค่ะ พูดอยู่ค่ะ",
        "พรุ่งนี้โอนให้นะ",
        "โทรผิดแล้ว 😠",
        "ไม่สะดวกครับ",
    ],
    descriptions: &["นัดชำระ", "ติดตามผล", "ไม่รับสาย"],
    campaigns: &["แจ้งเตือนชำระ", "overdue_th", "สำรวจความพอใจ"],
};

const CHINESE: Language = Language {
    country: "+86",
    currencies: &["CNY", "人民币", "RMB", "元"],
    given: &["小明", "无名", "测试", "示例", "丽丽"],
    family: &["王", "虚构", "欧阳", "某"],
    robot: &[
        "您好，请问是机主本人吗？",
        "这边提醒您，本期账单已经逾期，请尽快处理。",
        "请问您预计什么时候可以还款呢？",
        "好的，已经为您登记，再见。",
        r"不好意思\uff0c我没有听清\uff0c您可以再说一遍吗？",
        r#"请说\"是\"或者\"不是\"。"#,
    ],
    callee: &[
        "",
        "",
        "喂",
        "是的，我是",
        "明天还",
        "打错了",
        "我在开会，晚点再打给我吧 🙏",
        "嗯嗯 好",
    ],
    descriptions: &["承诺还款", "需跟进", "无人接听"],
    campaigns: &["逾期提醒", "回访_华南", "test_api_webhook1"],
};

const ARABIC: Language = Language {
    country: "+966",
    currencies: &["SAR", "ريال"],
    given: &["مثال", "فلان", "ليلى", "سامي"],
    family: &["تجريبي", "الخيالي", "بلا اسم"],
    robot: &[
        "السلام عليكم، هل أتحدث مع صاحب الرقم؟",
        "نود تذكيركم بموعد السداد المستحق.",
        "متى تتوقع إتمام عملية الدفع؟",
        "شكرًا لوقتك، مع السلامة.",
        r#"من فضلك قل \"نعم\" أو \"لا\"."#,
        r"\u0639\u0641\u0648\u0627\u064b، لم أسمعك جيدًا.",
    ],
    callee: &[
        "",
        "",
        "نعم",
        "لا",
        "من معي؟",
        "غدًا إن شاء الله 🤲",
        "الرقم غلط",
    ],
    descriptions: &["وعد بالدفع", "متابعة", "لا يوجد رد"],
    campaigns: &["تذكير_السداد", "خدمة العملاء"],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_is_valid_json_source() {
        for language in &LANGUAGES {
            let lists = [
                language.currencies,
                language.given,
                language.family,
                language.robot,
                language.callee,
                language.descriptions,
                language.campaigns,
            ];
            for text in lists.into_iter().flatten() {
                let parsed: Result<String, _> = serde_json::from_str(&format!("\"{text}\""));
                assert!(parsed.is_ok(), "{text}");
            }
        }
        assert!(
            WEIGHTS
                .iter()
                .all(|&index| usize::from(index) < LANGUAGES.len())
        );
    }
}
