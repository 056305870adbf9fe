//! Writes JSON text directly into a buffer. This is the hot path of simulated responses, where a
//! general serializer would dominate the cost.
//!
//! Texts are written unchanged: the caller has escaped them. Does not check that the whole is valid
//! JSON; the tests do.

const SECONDS_A_DAY: i64 = 86_400;

/// Formatting of JSON values.
pub(super) trait JsonWriter {
    /// The bytes, unchanged.
    fn put(&mut self, text: &str);
    /// An integer.
    fn int(&mut self, value: u64);
    /// An integer of at least `width` digits.
    fn padded(&mut self, value: u64, width: usize);
    /// 16 hex digits.
    fn hex(&mut self, value: u64);
    /// A quoted text.
    fn quoted(&mut self, text: &str);
    /// `2024-03-07`.
    fn date(&mut self, seconds: i64);
    /// `"2024-03-11T08:41:26Z"`, in quotes.
    fn utc(&mut self, seconds: i64);
    /// `"2024-03-11T08:38:35.113221Z"`, in quotes; without a fraction if it is zero.
    fn utc_micros(&mut self, micros: i64);
    /// `"2024-03-11 15:38:36"`, in quotes: seconds of local time.
    fn local(&mut self, seconds: i64);
}

impl JsonWriter for Vec<u8> {
    fn put(&mut self, text: &str) {
        self.extend_from_slice(text.as_bytes());
    }

    fn int(&mut self, value: u64) {
        self.padded(value, 1);
    }

    fn padded(&mut self, mut value: u64, width: usize) {
        let mut digits = [b'0'; 20];
        let mut at = digits.len();
        while value > 0 {
            at -= 1;
            digits[at] = b'0' + (value % 10) as u8;
            value /= 10;
        }
        let start = at.min(digits.len().saturating_sub(width));
        self.extend_from_slice(&digits[start..]);
    }

    fn hex(&mut self, value: u64) {
        let mut digits = [0; 16];
        for (place, digit) in digits.iter_mut().enumerate() {
            *digit = b"0123456789abcdef"[((value >> (60 - 4 * place)) & 15) as usize];
        }
        self.extend_from_slice(&digits);
    }

    fn quoted(&mut self, text: &str) {
        self.push(b'"');
        self.put(text);
        self.push(b'"');
    }

    fn date(&mut self, seconds: i64) {
        let (year, month, day) = civil(seconds.div_euclid(SECONDS_A_DAY));
        let mut text = *b"0000-00-00";
        two(&mut text, 0, year / 100);
        two(&mut text, 2, year % 100);
        two(&mut text, 5, month);
        two(&mut text, 8, day);
        self.extend_from_slice(&text);
    }

    fn utc(&mut self, seconds: i64) {
        self.push(b'"');
        self.date(seconds);
        time_of_day(self, b'T', seconds);
        self.put("Z\"");
    }

    fn utc_micros(&mut self, micros: i64) {
        let seconds = micros.div_euclid(1_000_000);
        let fraction = micros.rem_euclid(1_000_000).unsigned_abs();
        self.push(b'"');
        self.date(seconds);
        time_of_day(self, b'T', seconds);
        if fraction > 0 {
            self.push(b'.');
            self.padded(fraction, 6);
        }
        self.put("Z\"");
    }

    fn local(&mut self, seconds: i64) {
        self.push(b'"');
        self.date(seconds);
        time_of_day(self, b' ', seconds);
        self.push(b'"');
    }
}

fn time_of_day(out: &mut Vec<u8>, separator: u8, seconds: i64) {
    let second = seconds.rem_euclid(SECONDS_A_DAY);
    let mut text = *b" 00:00:00";
    text[0] = separator;
    two(&mut text, 1, second / 3600);
    two(&mut text, 4, second / 60 % 60);
    two(&mut text, 7, second % 60);
    out.extend_from_slice(&text);
}

/// `00:03:07`, for the turns of a call.
pub(super) fn offset(out: &mut Vec<u8>, seconds: u32) {
    let second = i64::from(seconds);
    let mut text = *b"00:00:00";
    two(&mut text, 0, second / 3600 % 100);
    two(&mut text, 3, second / 60 % 60);
    two(&mut text, 6, second % 60);
    out.extend_from_slice(&text);
}

fn two(text: &mut [u8], at: usize, value: i64) {
    text[at] = b'0' + u8::try_from(value / 10 % 10).expect("one digit");
    text[at + 1] = b'0' + u8::try_from(value % 10).expect("one digit");
}

/// Year, month and day from days since 1970-01-01 (Howard Hinnant's `civil_from_days`).
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_index = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_index + 2) / 5 + 1;
    let month = if month_index < 10 {
        month_index + 3
    } else {
        month_index - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn numbers_are_written_as_format_would() {
        for value in [0, 7, 10, 2_125_380_211, u64::MAX] {
            assert_eq!(written(|out| out.int(value)), value.to_string());
        }
        assert_eq!(written(|out| out.padded(42, 5)), "00042");
        assert_eq!(written(|out| out.hex(0xab)), "00000000000000ab");
    }

    #[test]
    fn times_are_written_as_chrono_would() {
        for second in (0..4_000_000_000_i64).step_by(12_345_677) {
            let moment = DateTime::from_timestamp(second, 0).expect("in range");
            let utc = moment.format("\"%Y-%m-%dT%H:%M:%SZ\"").to_string();
            assert_eq!(written(|out| out.utc(second)), utc);
            let local = moment.format("\"%Y-%m-%d %H:%M:%S\"").to_string();
            assert_eq!(written(|out| out.local(second)), local);
        }
        assert_eq!(
            written(|out| out.utc_micros(1_500_003)),
            "\"1970-01-01T00:00:01.500003Z\""
        );
        assert_eq!(
            written(|out| out.utc_micros(2_000_000)),
            "\"1970-01-01T00:00:02Z\""
        );
        assert_eq!(written(|out| offset(out, 187)), "00:03:07");
    }
}
