//! Writes the value of a message, in the same bytes as Python's `json.dumps`: with a space after each comma and colon.

use crate::stamp::Stamp;

const BEFORE_NUM: &[u8] = br#"{"num": "#;

/// Writes values. Only the number differs between the values of one second, so everything else is kept as it was written last.
#[derive(Debug, Default)]
pub struct ValueWriter {
    stamp: Stamp,
    /// `, "ts": "<ts>"}`
    after_num: Vec<u8>,
}

impl ValueWriter {
    /// Reads the clock for the values that follow. Returns the same time as milliseconds since the Unix epoch, for the timestamp of the
    /// records.
    pub fn read_clock(&mut self) -> i64 {
        let (ts, millis) = self.stamp.now();
        if let Some(ts) = ts {
            self.after_num = after_num(ts);
        }
        millis
    }

    /// Appends a value to `buffer`, with the time of the last [`read_clock`](Self::read_clock).
    pub fn append(&self, num: u64, buffer: &mut Vec<u8>) {
        append(num, &self.after_num, buffer);
    }
}

/// Appends the value of a message to `buffer`.
pub fn encode(num: u64, ts: &str, buffer: &mut Vec<u8>) {
    append(num, &after_num(ts), buffer);
}

fn append(num: u64, after_num: &[u8], buffer: &mut Vec<u8>) {
    buffer.extend_from_slice(BEFORE_NUM);
    buffer.extend_from_slice(itoa::Buffer::new().format(num).as_bytes());
    buffer.extend_from_slice(after_num);
}

fn after_num(ts: &str) -> Vec<u8> {
    // `Value` writes a string with the quotes and escapes of JSON.
    format!(r#", "ts": {}}}"#, serde_json::Value::from(ts)).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::Payload;

    #[test]
    fn encoded_bytes_are_those_of_pythons_json_dumps() {
        let mut buffer = b"before".to_vec();
        encode(17, "2026-11-22 10:00:00", &mut buffer);
        assert_eq!(buffer, br#"before{"num": 17, "ts": "2026-11-22 10:00:00"}"#);
    }

    #[test]
    fn any_number_and_any_text_is_decoded_unchanged() {
        for num in [0, 9, 10, u64::MAX] {
            let ts = "\"quoted\" \\ \u{1b} \u{e9}";
            let mut buffer = Vec::new();
            encode(num, ts, &mut buffer);
            assert_eq!(Payload::decode(Some(&buffer)), Ok(Payload { num, ts: ts.into() }));
        }
    }

    #[test]
    fn a_writer_writes_the_time_that_it_returned() {
        let mut writer = ValueWriter::default();
        for num in 0..3 {
            let millis = writer.read_clock();
            let mut buffer = Vec::new();
            writer.append(num, &mut buffer);
            let Payload { num: decoded, ts } = Payload::decode(Some(&buffer)).unwrap();
            assert_eq!(decoded, num);
            let local = chrono::NaiveDateTime::parse_from_str(&ts, "%Y-%m-%d %H:%M:%S").unwrap();
            assert_eq!(local.and_local_timezone(chrono::Local).earliest().unwrap().timestamp(), millis / 1000);
        }
    }
}
