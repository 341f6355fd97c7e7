//! DP numbers and values in the form in which callers give them.

use std::io;

use rustuya_proto::{CommandCode, DpId, SendError};
use serde::Serialize;
use serde_json::Value;
use serde_json::ser::Formatter;

use crate::link::{Operation, Writes};
use crate::report::error::CommandError;

/// A DP: its number, or its number as text.
///
/// ```
/// # use rustuya_runtime::Dp;
/// assert_eq!(Dp::from(20).number(), Some(20));
/// assert_eq!(Dp::from("20").number(), Some(20));
/// assert_eq!(Dp::from("switch").number(), None);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dp(Result<u16, String>);

impl Dp {
    /// Returns the number; `None` if the text is not a number from 0 to 65535.
    pub fn number(&self) -> Option<u16> {
        self.0.as_ref().ok().copied()
    }
}

impl From<u16> for Dp {
    fn from(number: u16) -> Self {
        Self(Ok(number))
    }
}

impl From<&u16> for Dp {
    fn from(number: &u16) -> Self {
        Self(Ok(*number))
    }
}

impl From<&str> for Dp {
    fn from(text: &str) -> Self {
        Self(text.parse().map_err(|_| text.to_owned()))
    }
}

impl From<&&str> for Dp {
    fn from(text: &&str) -> Self {
        Self::from(*text)
    }
}

impl From<String> for Dp {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<&String> for Dp {
    fn from(text: &String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<DpId> for Dp {
    fn from(id: DpId) -> Self {
        Self(Ok(id.0))
    }
}

impl From<&DpId> for Dp {
    fn from(id: &DpId) -> Self {
        Self(Ok(id.0))
    }
}

/// Values for several DPs, to be written with one command. Only needed for values of different types: everything else
/// that [`IntoDps`] lists can be passed directly.
///
/// ```
/// # use rustuya_runtime::*;
/// # fn example(device: &Device) -> Result<(), CommandError> {
/// let mut dps = DpValues::new();
/// dps.set(1, true)?;
/// dps.set(2, 80)?;
/// dps.set("5", "red")?;
/// device.set_dps(dps).queue()
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DpValues {
    /// Members of a JSON object.
    members: Vec<u8>,
    numbers: Vec<u16>,
}

impl DpValues {
    /// Makes an empty set.
    pub const fn new() -> Self {
        Self { members: Vec::new(), numbers: Vec::new() }
    }

    /// Adds one DP and its value, which is anything that serializes to JSON without `null`.
    ///
    /// # Errors
    /// [`CommandError::InvalidDp`]; [`CommandError::InvalidValue`], also for a DP that was added before. On an error,
    /// nothing is added.
    pub fn set(&mut self, dp: impl Into<Dp>, value: impl Serialize) -> Result<(), CommandError> {
        let dp = dp.into().0.map_err(CommandError::InvalidDp)?;
        if self.numbers.contains(&dp) {
            return Err(CommandError::InvalidValue(format!("DP {dp} is given twice")));
        }
        let value = json(&value).map_err(|why| CommandError::InvalidValue(format!("DP {dp}: {why}")))?;
        let comma = if self.numbers.is_empty() { "" } else { "," };
        self.members.extend(format!("{comma}\"{dp}\":").into_bytes());
        self.members.extend(value);
        self.numbers.push(dp);
        Ok(())
    }

    fn into_operation(self) -> Result<Operation, CommandError> {
        if self.numbers.is_empty() {
            return Err(CommandError::InvalidValue("it holds no DPs".into()));
        }
        let json = [b"{", &self.members[..], b"}"].concat();
        // The members are valid UTF-8.
        Ok(Operation::Set(Writes {
            json: String::from_utf8(json).unwrap_or_default().into(),
            count: self.numbers.len(),
        }))
    }
}

/// Argument of [`Device::set_dps`](crate::Device::set_dps): anything that yields pairs of a DP and a value, such as
/// maps, arrays, vectors, slices and iterators of pairs; a JSON object; [`DpValues`]. The compiler infers `Form`.
///
/// ```
/// # use rustuya_runtime::*;
/// # use std::collections::BTreeMap;
/// # use serde_json::json;
/// # fn example(device: &Device, dim: Vec<u16>) {
/// device.set_dps([(1, true), (2, false)]);
/// device.set_dps(BTreeMap::from([("2", 80), ("3", 20)]));
/// device.set_dps(dim.iter().map(|dp| (dp, 10)));
/// device.set_dps(json!({ "1": true, "2": 80, "5": "red" }));
/// device.set_dps(serde_json::to_value(7).unwrap_or_default()); // fails: it is no object
/// # }
/// ```
///
/// Anything else does not compile:
///
/// ```compile_fail,E0277
/// # fn example(device: &rustuya_runtime::Device) {
/// device.set_dps(true);
/// # }
/// ```
/// ```compile_fail,E0277
/// # fn example(device: &rustuya_runtime::Device) {
/// device.set_dps([1, 2]);
/// # }
/// ```
/// ```compile_fail,E0277
/// # fn example(device: &rustuya_runtime::Device) {
/// device.set_dps(vec![(1.5, true)]);
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no set of DPs and values",
    label = "neither pairs of a DP and a value, nor a JSON object",
    note = "give a map, an array or an iterator of pairs such as `[(1, true)]`, `json!({{ \"1\": true }})`, or `DpValues`"
)]
pub trait IntoDps<Form> {
    /// Converts to DPs and values.
    ///
    /// # Errors
    /// As [`DpValues::set`], for the first invalid one.
    fn into_dps(self) -> Result<DpValues, CommandError>;
}

impl<I, D, V> IntoDps<(D, V)> for I
where
    I: IntoIterator<Item = (D, V)>,
    D: Into<Dp>,
    V: Serialize,
{
    fn into_dps(self) -> Result<DpValues, CommandError> {
        let mut dps = DpValues::new();
        self.into_iter().try_for_each(|(dp, value)| dps.set(dp, value))?;
        Ok(dps)
    }
}

impl<'a, I, D, V> IntoDps<&'a (D, V)> for I
where
    I: IntoIterator<Item = &'a (D, V)>,
    D: Clone + Into<Dp> + 'a,
    V: Serialize + 'a,
{
    fn into_dps(self) -> Result<DpValues, CommandError> {
        let mut dps = DpValues::new();
        self.into_iter().try_for_each(|(dp, value)| dps.set(dp.clone(), value))?;
        Ok(dps)
    }
}

impl IntoDps<Value> for &Value {
    fn into_dps(self) -> Result<DpValues, CommandError> {
        let object = self.as_object();
        object.ok_or_else(|| CommandError::InvalidValue("it is no JSON object of DPs and values".into()))?.into_dps()
    }
}

impl IntoDps<Self> for Value {
    fn into_dps(self) -> Result<DpValues, CommandError> {
        (&self).into_dps()
    }
}

impl IntoDps<Self> for DpValues {
    fn into_dps(self) -> Result<DpValues, CommandError> {
        Ok(self)
    }
}

/// Makes the operation that writes one DP.
pub(crate) fn set_value(dp: Dp, value: impl Serialize) -> Result<Operation, CommandError> {
    let mut dps = DpValues::new();
    dps.set(dp, value)?;
    dps.into_operation()
}

/// Makes the operation that writes several DPs.
pub(crate) fn set_dps<Form>(dps: impl IntoDps<Form>) -> Result<Operation, CommandError> {
    dps.into_dps()?.into_operation()
}

/// Makes the operation of any command. Controls write values, as the others do.
pub(crate) fn request(command: CommandCode, data: Option<Value>) -> Result<Operation, CommandError> {
    let data = match data {
        Some(data) if matches!(command, CommandCode::CONTROL | CommandCode::CONTROL_NEW) => {
            let text = json(&data).map_err(CommandError::InvalidValue)?;
            Some(String::from_utf8(text).map_err(|_| CommandError::Invalid(SendError::InvalidData))?)
        }
        data => data.map(|data| data.to_string()),
    };
    Ok(Operation::Raw(command, data))
}

/// Serializes a value to JSON in the form that devices accept.
fn json(value: &impl Serialize) -> Result<Vec<u8>, String> {
    let mut text = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut text, WithoutNull);
    value.serialize(&mut serializer).map_err(|error| error.to_string())?;
    Ok(text)
}

/// Compact JSON formatter that refuses `null`: firmware takes it for a value, and no caller means it by NaN.
struct WithoutNull;

impl Formatter for WithoutNull {
    fn write_null<W: ?Sized + io::Write>(&mut self, _writer: &mut W) -> io::Result<()> {
        Err(io::Error::other("null, which None, () and numbers that are not finite become, is no value of a DP"))
    }

    fn write_raw_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let text = json(&serde_json::from_str::<Value>(fragment)?).map_err(io::Error::other)?;
        writer.write_all(&text)
    }
}

#[cfg(test)]
mod tests;
