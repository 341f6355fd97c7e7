//! `rustuya set`: write DPs.

use clap_complete::ArgValueCompleter;
use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use rustuya_entities::IntentError;
use rustuya_runtime_tokio::{CommandError, Device, Pacing, Reply, SubDevice};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::block_on;
use crate::completions;
use crate::each::each;
use crate::input::{UsageError, is_dp, shown, unfit};
use crate::names::Product;
use crate::output::{complain, dp_line, json_line_now, line_now, short};
use crate::target::{Target, TargetArgs};

/// Set devices, and wait until they acknowledge it, or as --wait says
///
/// What a device has is set by name, such as brightness=50% color=red, where the devices file has a mapping for it
/// (`entities` lists the names), or by DP number, such as 1=true. All of it is one command; for names, the device is asked
/// for its state before. Several devices are set at the same time, and each is printed in a line when it is done. Failures are printed on
/// stderr, with --json as {"id":..,"error":..}; the exit status is 1 then.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Device ids, with a devices file also names; then what to set: by name, such as brightness=50% color=red
    /// switch_2=off, or by DP number, such as 1=true 2=50 5='"red"'. Values of DPs that are not JSON are taken as text
    #[arg(required = true, value_name = "ID|NAME=VALUE|DP=VALUE", add = ArgValueCompleter::new(completions::devices_and_names))]
    words: Vec<String>,
    /// Let the gateway ID set them on this sub-device
    #[arg(long, value_name = "CID", conflicts_with = "all")]
    cid: Option<String>,
    /// Point to wait for: effect waits until the device shows the values, and fails with those that it shows instead;
    /// ack for its acknowledgement; written until the command is sent; none only for the connection. Some devices obey
    /// and never acknowledge
    #[arg(long, value_name = "WHAT", value_enum, default_value_t = Wait::Ack)]
    wait: Wait,
    /// Send each DP in a frame of its own, for devices that accept no more at a time
    #[arg(long)]
    one_by_one: bool,
    /// Print one JSON object for each device
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: TargetArgs,
}

/// Event that the command waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Wait {
    /// Until the device shows the values
    Effect,
    /// Until the device acknowledges it
    Ack,
    /// Until it is written to the connection
    Written,
    /// Not at all, once there is a connection
    None,
}

impl Wait {
    /// Returns the text for the event that has happened.
    const fn past(self) -> &'static str {
        match self {
            Self::Effect => "confirmed in",
            Self::Ack => "acknowledged in",
            Self::Written => "written in",
            Self::None => "handed over in",
        }
    }
}

/// A command that was done.
struct Done {
    reply: Option<Reply>,
    took: Duration,
    /// DPs that were written.
    dps: Map<String, Value>,
}

#[derive(Serialize)]
struct Line<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    cid: Option<&'a str>,
    set: &'a Map<String, Value>,
    /// Event that was waited for.
    #[serde(serialize_with = "name_of")]
    wait: Wait,
    /// Name of the command that answered.
    answer: Option<&'static str>,
    retcode: Option<u32>,
    /// Time from sending the command to its answer, on an open connection.
    micros: u128,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let (ids, assigned) = words(&args.words, args.target.is_all())?;
    let assigned = Arc::new(assigned);
    block_on(async {
        let mut selected = args.target.resolve(ids, args.cid.as_deref())?;
        if let (Some((name, _)), Some(target)) = (assigned.named.first(), selected.targets.first())
            && !selected.several
            && target.product.is_bare()
        {
            let name = shown(name);
            return Err(unfit(&format!("{name}: {NO_NAMES}")).into());
        }
        if args.one_by_one {
            selected.targets.iter_mut().for_each(|target| target.pacing = Pacing::NONE.max_dps(1));
        }
        let timeout = args.target.timeout();
        let show = |target: &Target, Done { reply, took, dps }: Done| {
            if !args.json {
                let past = args.wait.past();
                return line_now(&format!("{}: {} {past} {}", target.name, assigned.line(), short(took)));
            }
            json_line_now(&Line {
                id: target.id.as_str(),
                name: target.display_name(),
                cid: target.cid.as_ref().map(|cid| cid.as_str()),
                set: &dps,
                wait: args.wait,
                answer: reply.as_ref().and_then(|reply| reply.command.name()),
                retcode: reply.as_ref().and_then(|reply| reply.retcode),
                micros: took.as_micros(),
            })
        };
        each(
            &args.target,
            selected,
            args.json,
            |device, target| set(device, target, Arc::clone(&assigned), args.wait, timeout),
            show,
        )
        .await
    })
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde lends the field")]
fn name_of<S: serde::Serializer>(wait: &Wait, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(match wait {
        Wait::Effect => "effect",
        Wait::Ack => "ack",
        Wait::Written => "written",
        Wait::None => "none",
    })
}

/// Least time limit of a command once there is a connection.
const LEAST: Duration = Duration::from_millis(100);

/// Sets one device.
fn set(
    device: Device,
    target: &Target,
    assigned: Arc<Assigned>,
    wait: Wait,
    timeout: Duration,
) -> impl Future<Output = Result<Done, CommandError>> + Send + use<> {
    let sub = target.cid.as_ref().and_then(|cid| device.sub(cid.as_str()).ok());
    let product = Arc::clone(&target.product);
    async move {
        let ends = Instant::now() + timeout;
        device.wait_connected(timeout).await?;
        let mut dps = assigned.dps.clone();
        if !assigned.named.is_empty() {
            let left = ends.saturating_duration_since(Instant::now()).max(LEAST);
            let present = present(&device, sub.as_ref(), left).await;
            let writes =
                product.assign(&assigned.named, &present).map_err(|error| explained(error, &product, &present))?;
            for (dp, value) in writes.dps {
                if dps.insert(dp.to_string(), value).is_some() {
                    return Err(CommandError::InvalidValue(format!("DP {dp} is given by number and by name")));
                }
            }
        }
        let begun = Instant::now();
        let sending = sub.map_or_else(|| device.set_dps(dps.clone()), |sub| sub.set_dps(dps.clone()));
        // Limits the whole to `timeout`, with a short time left if the connection took all of it.
        let sending = sending.timeout(ends.saturating_duration_since(begun).max(LEAST));
        let reply = match wait {
            Wait::Effect => Some(sending.confirmed().await?),
            Wait::Ack => Some(sending.acknowledged().await?),
            Wait::Written => sending.await.map(|()| None)?,
            Wait::None => sending.queue().map(|()| None)?,
        };
        Ok(Done { reply, took: begun.elapsed(), dps })
    }
}

/// Returns the DPs that the device has now. Some devices do not answer a query: what they have reported by themselves
/// counts then.
async fn present(device: &Device, sub: Option<&SubDevice>, limit: Duration) -> BTreeMap<u16, Value> {
    let query = sub.map_or_else(|| device.status(), SubDevice::status).timeout(limit);
    let reply = query.acknowledged().await;
    let state = sub.map_or_else(|| device.state(), SubDevice::state);
    if let (Err(error), true) = (reply, state.dps.is_empty()) {
        complain(&format!("the device did not report its state: {error}"));
    }
    state.dps.into_iter().map(|(dp, reading)| (dp, reading.value)).collect()
}

/// Reason why a device has no names, and what helps.
const NO_NAMES: &str = "there is no mapping for this device in a devices file, so that it must be DP=VALUE, the DP being a \
                        number, such as 1=true; `rustuya wizard` fetches the mapping";

/// Says where names come from, when the device has none.
fn explained(error: IntentError, product: &Product, present: &BTreeMap<u16, Value>) -> CommandError {
    let has_names = product.is_known() || !product.entities(present).iter().all(|entity| !entity.is_enabled);
    CommandError::InvalidValue(match has_names {
        true => error.to_string(),
        false => {
            "the devices file has no mapping for this device, so that only DP numbers can be set, such as 1=true; \
                  `rustuya wizard` fetches it"
                .to_owned()
        }
    })
}

/// Splits ids, which come first, from assignments.
fn words(words: &[String], all: bool) -> Result<(&[String], Assigned), UsageError> {
    // The first word is always an id, because names may contain any characters.
    let least = if all { 0 } else { 1.min(words.len()) };
    let found = words.iter().skip(least).position(|word| word.contains('='));
    let (ids, dps) = words.split_at(found.map_or(words.len(), |at| at + least));
    if dps.is_empty() {
        return Err(unfit(
            "nothing to set: after the ids, give NAME=VALUE or DP=VALUE, such as brightness=50% or 1=true",
        ));
    }
    match (all, ids.first()) {
        (true, Some(id)) => {
            let id = shown(id);
            Err(unfit(&format!("{id}: --all takes no ids, and what to set must be NAME=VALUE or DP=VALUE")))
        }
        _ => Ok((ids, Assigned::parse(dps)?)),
    }
}

/// What to set.
#[derive(Debug, Default)]
struct Assigned {
    /// By DP number.
    dps: Map<String, Value>,
    /// By name, with the text of the value.
    named: Vec<(String, String)>,
}

impl Assigned {
    fn parse(texts: &[String]) -> Result<Self, UsageError> {
        let is_number = |text: &&String| text.split_once('=').is_none_or(|(name, _)| !is_name(name));
        let (numbers, names): (Vec<&String>, Vec<&String>) = texts.iter().partition(is_number);
        let numbers: Vec<String> = numbers.into_iter().cloned().collect();
        let mut named: Vec<(String, String)> = Vec::new();
        for (name, text) in names.into_iter().filter_map(|text| text.split_once('=')) {
            if named.iter().any(|(known, _)| known == name) {
                return Err(unfit(&format!("{name} is given twice")));
            }
            named.push((name.to_owned(), text.to_owned()));
        }
        Ok(Self { dps: assignments(&numbers)?, named })
    }

    /// Formats it in one line.
    fn line(&self) -> String {
        let numbers = Some(dp_line(&self.dps)).filter(|line| !line.is_empty());
        let names = self.named.iter().map(|(name, text)| format!("{name}={text}"));
        numbers.into_iter().chain(names).collect::<Vec<_>>().join(" ")
    }
}

/// Returns whether a text can be a name: it has a letter at its beginning.
fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_') && !text.chars().any(char::is_whitespace)
}

pub(crate) fn assignments(texts: &[String]) -> Result<Map<String, Value>, UsageError> {
    let mut dps = Map::new();
    for text in texts {
        let (dp, value) = text.split_once('=').filter(|(dp, _)| is_dp(dp)).ok_or_else(|| {
            let text = shown(text);
            unfit(&format!("{text}: must be DP=VALUE, the DP being a number, such as 1=true"))
        })?;
        let value = parse_value(value).ok_or_else(|| {
            unfit(&format!(
                "{text}: no DP can be set to that; if the text is meant, give it in quotes, such as '{dp}=\"NaN\"'"
            ))
        })?;
        if dps.insert(dp.to_owned(), value).is_some() {
            return Err(unfit(&format!("DP {dp} is given twice")));
        }
    }
    Ok(dps)
}

/// Reads a value as JSON, or else as text; `None` for one that no DP can have.
fn parse_value(text: &str) -> Option<Value> {
    const NONE: [&str; 5] = ["nan", "inf", "infinity", "none", "null"];
    match serde_json::from_str(text) {
        Ok(value) => Some(value).filter(|value| !has_null(value)),
        Err(_) => {
            let word = text.strip_prefix(['-', '+']).unwrap_or(text);
            let is_none = NONE.iter().any(|none| word.eq_ignore_ascii_case(none));
            (!is_none).then(|| Value::from(text))
        }
    }
}

fn has_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.iter().any(has_null),
        Value::Object(map) => map.values().any(has_null),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_json_or_else_text() {
        let texts = ["1=true", "2=-50", "3=white", "4=\"12\"", "5=", "24=01e0=", "6={\"a\":[1]}"].map(str::to_owned);
        let expected = serde_json::json!({
            "1": true, "2": -50, "3": "white", "4": "12", "5": "", "24": "01e0=", "6": { "a": [1] }
        });
        assert_eq!(assignments(&texts).map(Value::Object).ok(), Some(expected));
    }

    #[test]
    fn ids_come_first() {
        let split = |texts: &[&str], all| {
            let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
            words(&texts, all)
                .map(|(ids, assigned)| (ids.len(), assigned.dps.len() + assigned.named.len()))
                .map_err(|error| error.to_string())
        };
        assert_eq!(split(&["a", "1=true"], false), Ok((1, 1)));
        assert_eq!(split(&["a", "b", "1=true", "2=1"], false), Ok((2, 2)));
        assert_eq!(split(&["a=b", "1=c=d"], false), Ok((1, 1)));
        assert_eq!(split(&["a", "brightness=50%", "1=true", "switch_2=off"], false), Ok((1, 3)));
        assert!(split(&["a", "color=red", "color=blue"], false).is_err_and(|error| error.contains("twice")));
        assert_eq!(split(&["1=true"], true), Ok((0, 1)));
        for (bad, all) in [(&["a"][..], false), (&["1=true"], false), (&["a", "1=true", "b"], false), (&[], true)] {
            assert!(split(bad, all).is_err_and(|error| error.contains("DP=VALUE")), "{bad:?}");
        }
        assert!(split(&["a", "1=true"], true).is_err_and(|error| error.contains("--all takes no ids")));
    }

    #[test]
    fn anything_else_is_refused() {
        for none in ["1=null", "1=NaN", "1=-inf", "1=Infinity", "1=None", "1=[1,null]", "1={\"a\":[null]}"] {
            let refused = assignments(&[none.to_owned()]).map_err(|error| error.to_string());
            assert!(refused.is_err_and(|error| error.contains("no DP can be set to that")), "{none}");
        }
        assert!(assignments(&["1=\"NaN\"".to_owned(), "2=nancy".to_owned()]).is_ok());
        for bad in [&["1"][..], &["switch=true"], &["=1"], &["70000=1"], &["01=1"], &["1=true", "1=false"]] {
            let texts: Vec<String> = bad.iter().map(|text| (*text).to_owned()).collect();
            assert!(assignments(&texts).is_err(), "{bad:?}");
        }
    }
}
