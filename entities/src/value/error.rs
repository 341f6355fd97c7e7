//! Values that a device does not take.

use core::fmt;

use super::Number;

/// Error of a value that a DP does not take. Says what the DP takes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ValueError {
    /// Name of what was to be set: a role such as `brightness`, or the code of a DP.
    pub subject: String,
    /// Accepted values.
    pub limit: Limit,
}

/// Limit of a DP's values.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Limit {
    /// Numbers of a range.
    Range {
        /// Least number; `None` if there is no limit.
        min: Option<Number>,
        /// Greatest number; `None` if there is no limit.
        max: Option<Number>,
        /// Unit; empty if there is none.
        unit: String,
    },
    /// Multiples of a step.
    Step {
        /// The step.
        step: Number,
        /// The least number, from which the steps are counted.
        from: Number,
        /// Unit; empty if there is none.
        unit: String,
    },
    /// These words.
    Words(Vec<String>),
    /// Text, or bytes, up to this length.
    Length(usize),
    /// Values of this kind, such as `a number`.
    Kind(&'static str),
    /// Nothing in the present state of the device.
    NotNow {
        /// Name of what decides.
        subject: String,
        /// Its present state; empty if it is unknown or secret.
        state: String,
        /// States of it in which the value is taken; empty if all others are.
        allowed: Vec<String>,
    },
    /// Nothing: it is only reported.
    ReadOnly,
}

impl Limit {
    /// Makes a range of numbers.
    pub(crate) fn range(min: impl Into<Number>, max: impl Into<Number>, unit: &str) -> Self {
        Self::Range { min: Some(min.into()), max: Some(max.into()), unit: unit.to_owned() }
    }
}

impl ValueError {
    /// Makes an error about the thing of this name.
    pub fn new(subject: impl Into<String>, limit: Limit) -> Self {
        Self { subject: subject.into(), limit }
    }

    /// Returns the error under another name: that of a verb's argument instead of a DP's code.
    #[must_use]
    pub fn about(self, subject: impl Into<String>) -> Self {
        Self { subject: subject.into(), ..self }
    }
}

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.subject)?;
        let gap = |unit: &str| if unit.is_empty() { "" } else { " " };
        match &self.limit {
            Limit::Range { min, max, unit } => match (min, max) {
                (Some(min), Some(max)) => {
                    write!(f, "goes from {} to {}{}{unit}", min.shortest(), max.shortest(), gap(unit))
                }
                (Some(min), None) => write!(f, "goes from {}{}{unit} up", min.shortest(), gap(unit)),
                (None, Some(max)) => write!(f, "goes up to {}{}{unit}", max.shortest(), gap(unit)),
                (None, None) => f.write_str("is a number of 64 bits"),
            },
            Limit::Step { step, from, unit } => {
                write!(f, "goes in steps of {}{}{unit}, from {} on", step.shortest(), gap(unit), from.shortest())
            }
            Limit::Words(words) => write!(f, "is one of {}", words.join(", ")),
            Limit::Length(most) => write!(f, "has a length of at most {most}"),
            Limit::Kind(kind) => write!(f, "is {kind}"),
            Limit::NotNow { subject, state, allowed } => {
                f.write_str("cannot be set now")?;
                if !state.is_empty() {
                    write!(f, ", while {subject} is {state}")?;
                }
                match allowed.as_slice() {
                    [] => Ok(()),
                    allowed => write!(f, "; it can while {subject} is {}", allowed.join(" or ")),
                }
            }
            Limit::ReadOnly => f.write_str("is only reported and cannot be set"),
        }
    }
}

impl core::error::Error for ValueError {}
