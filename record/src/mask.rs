//! Payloads without their content: every byte of the same kind as before, and as many of them.

use rustuya_proto::DeviceError;

use crate::ids::Pseudonyms;

/// Letters of masked values. Several, because a frame that happens to look like another one under the substitute key
/// is made again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Filler {
    letter: u8,
    digit: u8,
}

impl Filler {
    pub(crate) const FIRST: Self = Self { letter: b'x', digit: b'1' };

    /// The filler of this attempt.
    pub(crate) fn attempt(number: u8) -> Self {
        let step = |from: u8, by: u8| from + by;
        match number {
            0 => Self::FIRST,
            n => Self { letter: step(b'a', n % 26), digit: step(b'1', n / 26 % 9) },
        }
    }
}

/// Fields whose strings are ids, or whose lists hold ids.
const ID_FIELDS: [&[u8]; 14] = [
    b"devId",
    b"gwId",
    b"cid",
    b"uid",
    b"uuid",
    b"id",
    b"mac",
    b"node_id",
    b"subId",
    b"productKey",
    b"online",
    b"offline",
    b"nearby",
    b"cids",
];
/// Fields whose strings are words of the protocol, and the words that are kept.
const WORD_FIELDS: [&[u8]; 2] = [b"reqType", b"type"];
const WORDS: [&[u8]; 3] = [b"query", b"subdev_online_stat_query", b"subdev_online_stat_report"];
/// Fields whose numbers are the protocol's.
const PROTOCOL_FIELDS: [&[u8]; 2] = [b"protocol", b"ctype"];
/// Words of refusals that are kept.
const REFUSALS: [DeviceError; 5] = [
    DeviceError::DataUnvalid,
    DeviceError::DataFormat,
    DeviceError::ParseData,
    DeviceError::GwIdInvalid,
    DeviceError::DevidNotFound,
];

/// Kind of the value behind a key.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Field {
    Id,
    Word,
    Protocol,
    Other,
}

impl Field {
    fn new(key: &[u8]) -> Self {
        let among = |fields: &[&[u8]]| fields.contains(&key);
        if among(&ID_FIELDS) {
            Self::Id
        } else if among(&WORD_FIELDS) {
            Self::Word
        } else if among(&PROTOCOL_FIELDS) {
            Self::Protocol
        } else {
            Self::Other
        }
    }
}

/// Masks the payload of a frame. Nothing about its length changes, nor whether it is JSON or a known refusal.
pub(crate) fn payload(payload: &[u8], ids: &mut Pseudonyms, filler: Filler) -> Vec<u8> {
    let first = payload.iter().find(|byte| !byte.is_ascii_whitespace());
    if matches!(first, Some(b'{' | b'[')) {
        let mut masked = json(payload, ids, filler, <[u8]>::len);
        // Keeps exactly those bytes that a machine takes off the end.
        for (slot, byte) in masked.iter_mut().zip(payload).rev() {
            let padding = |byte: u8| matches!(byte, b' ' | 0);
            match (padding(*byte), padding(*slot)) {
                (true, _) => *slot = *byte,
                (false, true) => *slot = b'x',
                (false, false) => {}
            }
            if !padding(*byte) {
                break;
            }
        }
        if !payload.starts_with(b"{") {
            keep_refusals(payload, &mut masked);
        }
        return masked;
    }
    text(payload, filler)
}

/// Masks JSON that a command carries. Where the original was to be written to the wire with some length, the masked
/// text will be written with the same: characters that are escaped there become as many plain ones as the escape has.
pub(crate) fn command(text: &str, ids: &mut Pseudonyms) -> String {
    let masked = json(text.as_bytes(), ids, Filler::FIRST, wire_len);
    String::from_utf8(masked).unwrap_or_default()
}

/// Returns the length of the inside of a string when everything but ASCII is escaped.
fn wire_len(inside: &[u8]) -> usize {
    let text = String::from_utf8_lossy(inside);
    text.chars().map(|c| if c.is_ascii() { 1 } else { c.len_utf16() * 6 }).sum()
}

/// Text that is not JSON: keeps known refusals, spaces and NULs.
fn text(text: &[u8], filler: Filler) -> Vec<u8> {
    let mut masked: Vec<u8> =
        text.iter().map(|byte| if matches!(byte, b' ' | 0) { *byte } else { filler.letter }).collect();
    keep_refusals(text, &mut masked);
    masked
}

/// Puts the words in which devices refuse back into `masked`.
fn keep_refusals(text: &[u8], masked: &mut [u8]) {
    for words in REFUSALS.map(|refusal| refusal.text().as_bytes()).into_iter().chain([&b"data unvalid"[..]]) {
        let Some(at) = text.windows(words.len()).position(|window| window == words) else {
            continue;
        };
        if let Some(place) = masked.get_mut(at..at + words.len()) {
            place.copy_from_slice(words);
        }
    }
}

/// Walks over JSON, or over what tries to be JSON: nothing is assumed but that strings have two ends. What is written and
/// what is shown later are masked the same, because the machine compares them; `false` becomes a string, because white
/// space after a `true` would not be written.
fn json(text: &[u8], ids: &mut Pseudonyms, filler: Filler, string_len: impl Fn(&[u8]) -> usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut field = Field::Other;
    let mut rest = text;
    while let Some((first, behind)) = rest.split_first() {
        match first {
            b'"' => {
                let (inside, closed, after) = split_string(behind);
                let len = string_len(inside);
                out.push(b'"');
                if after.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b':') {
                    field = Field::new(inside);
                    if is_dp(inside) || (is_name(inside) && !ids.knows(inside)) {
                        out.extend_from_slice(inside);
                    } else {
                        // Not to be taken for the number of a DP.
                        let before = out.len();
                        out.extend(ids.id(inside, len));
                        out.iter_mut().skip(before).take(1).for_each(|first| *first = b'k');
                    }
                } else if field == Field::Word && WORDS.contains(&inside) {
                    out.extend_from_slice(inside);
                } else if field == Field::Id || ids.knows(inside) {
                    out.extend(ids.id(inside, len));
                } else {
                    let digits = !inside.is_empty() && inside.iter().all(u8::is_ascii_digit);
                    out.resize(out.len() + len, if digits { filler.digit } else { filler.letter });
                }
                if closed {
                    out.push(b'"');
                }
                rest = after;
            }
            b'-' | b'0'..=b'9' => {
                let len = rest.iter().take_while(|b| matches!(b, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9'));
                let (number, after) = rest.split_at(len.count());
                let digits = number.strip_prefix(b"-").unwrap_or(number);
                // A zero in front of another digit is no JSON, and has to stay none.
                let zero_at = matches!(digits, [b'0', b'0'..=b'9', ..]).then_some(number.len() - digits.len());
                let kept = field == Field::Protocol;
                out.extend(number.iter().enumerate().map(|(at, byte)| match byte {
                    b'0'..=b'9' if !kept && zero_at != Some(at) => filler.digit,
                    other => *other,
                }));
                rest = after;
            }
            b'{' | b'}' | b'[' | b']' | b',' | b':' | b' ' | b'\t' | b'\r' | b'\n' | 0 => {
                out.push(*first);
                rest = behind;
            }
            _ => {
                let word = [(&b"true"[..], &b"true"[..]), (b"null", b"null"), (b"false", b"\"xxx\"")]
                    .into_iter()
                    .find_map(|(word, masked)| Some((masked, rest.strip_prefix(word)?)));
                let (masked, after) = word.unwrap_or((b"x", behind));
                out.extend_from_slice(masked);
                rest = after;
            }
        }
    }
    out
}

/// Splits what follows a quotation mark into the inside of the string, whether it is closed, and the rest.
fn split_string(text: &[u8]) -> (&[u8], bool, &[u8]) {
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => {
                let (inside, rest) = text.split_at(at);
                return (inside, true, rest.get(1..).unwrap_or_default());
            }
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    (text, false, &[])
}

/// Returns whether a key is a DP number.
fn is_dp(key: &[u8]) -> bool {
    (1..=5).contains(&key.len()) && key.iter().all(u8::is_ascii_digit)
}

/// Returns whether a key is a name, and not an id.
fn is_name(key: &[u8]) -> bool {
    let plain = key.len() <= 32 && key.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
    let digits = key.iter().filter(|b| b.is_ascii_digit()).count();
    plain && (key.len() < 8 || digits == 0)
}

/// JSON text of a string, as the machine writes it: ASCII only.
pub(crate) fn quote(out: &mut String, chars: impl Iterator<Item = char>) {
    out.push('"');
    for c in chars {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            ' '..='~' => out.push(c),
            _ => {
                let mut units = [0; 2];
                for unit in c.encode_utf16(&mut units) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use rustuya_proto::Payload;
    use rustuya_seeded::SeededRng;

    use super::*;

    fn masked(text: &str) -> String {
        let mut ids = Pseudonyms::default();
        String::from_utf8(payload(text.as_bytes(), &mut ids, Filler::FIRST)).expect("ASCII")
    }

    #[test]
    fn values_go_and_structure_stays() {
        assert_eq!(
            masked(r#"{"devId":"bf0123","dps":{"1":false,"2":-20.5e1,"9":"a\"b","5":null,"6":"1234"},"t":1700000000}"#),
            r#"{"devId":"000001","dps":{"1":"xxx","2":-11.1e1,"9":"xxxx","5":null,"6":"1111"},"t":1111111111}"#
        );
        assert_eq!(
            masked(r#"{"reqType":"subdev_online_stat_report","data":{"online":["a1","b2"],"offline":["a1"]}}"#),
            r#"{"reqType":"subdev_online_stat_report","data":{"online":["01","02"],"offline":["01"]}}"#
        );
        assert_eq!(masked(r#"{"protocol":4,"data":{"a1b2c3d4e5":0}}"#), r#"{"protocol":4,"data":{"k000000001":1}}"#);
    }

    #[test]
    fn refusals_stay_other_text_goes() {
        assert_eq!(masked("json obj data unvalid"), "json obj data unvalid");
        assert_eq!(masked("my data unvalid!\0"), "xx data unvalidx\0");
        assert_eq!(masked("Kitchen lamp"), "xxxxxxx xxxx");
    }

    #[test]
    fn what_is_no_json_stays_none() {
        for broken in [r#"{"a":01}"#, r#"{"a":tru}"#, r#"{"a":"b}"#, "{\"a\":é}", r#"{"a":falsetrue}"#, "[", "{\"\\"] {
            let mut ids = Pseudonyms::default();
            let bytes = payload(broken.as_bytes(), &mut ids, Filler::FIRST);
            assert_eq!(bytes.len(), broken.len(), "{broken}");
            assert!(serde_json::from_slice::<serde_json::Value>(&bytes).is_err(), "{broken}");
            assert_eq!(Payload::new(&bytes).report().is_some(), Payload::new(broken.as_bytes()).report().is_some());
        }
    }

    #[test]
    fn commands_keep_the_length_that_they_have_on_the_wire() {
        let mut ids = Pseudonyms::default();
        assert_eq!(
            command("{ \"1\": false, \"2\": \"é😀a\\n\" }", &mut ids),
            format!("{{ \"1\": \"xxx\", \"2\": \"{}\" }}", "x".repeat(6 + 12 + 3))
        );
        let mut quoted = String::new();
        quote(&mut quoted, "a\"é\u{1}😀".chars());
        assert_eq!(quoted, r#""a\"\u00e9\u0001\ud83d\ude00""#);
    }

    /// Arbitrary texts, and JSON that was damaged in places.
    #[test]
    fn no_text_changes_its_length_or_what_a_machine_reads_in_it() {
        const SAMPLES: [&str; 4] = [
            r#"{"devId":"bf01","dps":{"1":false,"2":[0,-1.50e3,null],"101":"a\\u00e9 \" é"},"cid":"c1","t":17}"#,
            r#"{"reqType":"x","data":{"online":["c1","c2"],"offline":[],"nearby":["c1"]},"t":"809"}"#,
            "{ \"data\" : {\"cid\":\"\u{e9}\",\"dps\":{\"9\":{\"a\":[true,false]}}} , \"protocol\" : 4 } \0",
            "json obj data unvalid",
        ];
        let mut rng = SeededRng::new(1);
        let mut below = |limit: usize| rng.index(limit);
        for round in 0..20_000 {
            let mut text = SAMPLES[below(4)].as_bytes().to_vec();
            for _ in 0..below(5) {
                let at = below(text.len());
                match below(4) {
                    0 => text.truncate(at + 1),
                    1 => text[at] = u8::try_from(below(256)).expect("a byte"),
                    2 => text.insert(at, b"\"\\{}[]:,0f "[below(11)]),
                    _ => text[at] = b"\"\\{}[]:,0f "[below(11)],
                }
            }
            let mut ids = Pseudonyms::default();
            let masked = payload(&text, &mut ids, Filler::attempt(u8::try_from(round % 30).expect("small")));
            assert_eq!(masked.len(), text.len(), "{}", text.escape_ascii());
            let (was, is) = (Payload::new(&text), Payload::new(&masked));
            assert_eq!(was.as_bytes().len(), is.as_bytes().len(), "{was:?} {is:?}");
            assert_eq!(was.error().is_some(), is.error().is_some(), "{was:?} {is:?}");
            let read = |payload: &Payload<'_>| {
                let report = payload.report()?;
                let dps: Option<Vec<_>> = report.dps.map(|dps| dps.map(|(id, _)| id).collect());
                let count = |list: Option<rustuya_proto::CidList<'_>>| list.map(Iterator::count);
                Some((dps, report.cid.is_some(), count(report.online), count(report.offline), count(report.nearby)))
            };
            assert_eq!(read(&was), read(&is), "{was:?} {is:?}");
        }
    }
}
