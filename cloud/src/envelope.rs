//! Envelope of every answer.

use serde_json::Value;

use crate::error::{ApiError, FetchError, shown};
use crate::http::Answer;
use crate::json::{self, Wiped};
use crate::secret::Secret;

/// A successful answer.
pub(crate) struct Opened {
    /// Requested data.
    pub(crate) result: Wiped,
    /// The cloud's clock, in milliseconds since 1970.
    pub(crate) server_time: Option<u64>,
}

/// Unwraps an answer: the result, or why there is none. The `secrets` are not repeated in errors.
///
/// ```
/// use rustuya_cloud::{Answer, Cause, open};
/// let good = Answer::new(200, r#"{"success":true,"result":{"a":1},"t":1700000000123}"#);
/// assert_eq!(open(&good, "token", &[])?["a"], 1);
/// let bad = Answer::new(200, r#"{"success":false,"code":"1106","msg":"permission deny"}"#);
/// let error = open(&bad, "token", &[]).expect_err("refused");
/// assert_eq!(error.api().map(|error| error.cause()), Some(Cause::Permission));
/// # Ok::<(), rustuya_cloud::FetchError>(())
/// ```
///
/// # Errors
/// [`FetchError`] of every kind that an answer can give.
pub fn open(answer: &Answer, what: &'static str, secrets: &[&Secret]) -> Result<Value, FetchError> {
    opened(answer, what, secrets).map(|mut opened| opened.result.0.take())
}

pub(crate) fn opened(answer: &Answer, what: &'static str, secrets: &[&Secret]) -> Result<Opened, FetchError> {
    let parsed = serde_json::from_slice::<Value>(&answer.body).map(Wiped);
    let mut whole = match parsed {
        // The cloud's own words say more than the status.
        Ok(whole) if whole.get("success").is_some() => whole,
        _ if answer.status == 429 || answer.status >= 500 => {
            return Err(FetchError::Status { what, status: answer.status });
        }
        Ok(_) => return Err(FetchError::Incomplete { what, missing: "member \"success\"" }),
        Err(error) => {
            let start = answer.body.iter().find(|byte| !byte.is_ascii_whitespace());
            let kind = match start {
                Some(b'<') => "a web page",
                None => "empty",
                Some(b'{' | b'[') if error.is_eof() => "cut off",
                Some(_) => "no JSON",
            };
            return Err(FetchError::NotJson { what, kind });
        }
    };
    let server_time = json::integer(&whole, &["t"]).and_then(|t| u64::try_from(t).ok());
    if json::truth(&whole, &["success"]) == Some(true) {
        let result = whole.get_mut("result").map(Value::take).unwrap_or_default();
        return Ok(Opened { result: Wiped(result), server_time });
    }
    let message = json::text(&whole, &["msg", "message"]).unwrap_or_else(|| "it does not say why".to_owned());
    let tid = json::text(&whole, &["tid"]).unwrap_or_default();
    Err(FetchError::Api(ApiError {
        what,
        code: json::integer(&whole, &["code"]),
        message: shown(&message, secrets),
        tid: tid.chars().filter(char::is_ascii_alphanumeric).take(64).collect(),
        server_time,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(status: u16, body: &str) -> String {
        let answer = Answer::new(status, body);
        open(&answer, "token", &[&"hunter2".into()]).expect_err("is no success").to_string()
    }

    #[test]
    fn what_is_not_the_clouds_is_named() {
        assert_eq!(error(200, "\n <!DOCTYPE html><p>log in"), "token: the answer is a web page");
        assert_eq!(error(200, r#"{"success":true,"result":{"access_"#), "token: the answer is cut off");
        assert_eq!(error(200, ""), "token: the answer is empty");
        assert_eq!(error(200, "nope"), "token: the answer is no JSON");
        assert_eq!(error(200, "[]"), "token: the answer has no member \"success\"");
        assert_eq!(error(503, "<html>"), "token: the server answers with HTTP status 503");
        assert_eq!(error(429, r#"{"a":1}"#), "token: the server answers with HTTP status 429");
    }

    #[test]
    fn refusals_are_read_in_every_spelling_without_secrets() {
        let text = error(200, r#"{"success":false,"code":1004,"msg":"sign hunter2 invalid","tid":"<a>1"}"#);
        assert_eq!(text, "the cloud refused the token: sign (hidden) invalid (code 1004, tid a1)");
        assert!(error(500, r#"{"success":false,"code":"1110","msg":"busy"}"#).contains("1110"));
        assert!(error(200, r#"{"success":"false"}"#).contains("does not say why"));
    }
}
