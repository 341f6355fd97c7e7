//! Intents that an entity does not take.

use crate::value::ValueError;

/// Error of an intent. Nothing is to be written then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IntentError {
    /// A value that the entity does not take. Says what it takes.
    #[error(transparent)]
    Value(#[from] ValueError),
    /// The entity has no such thing.
    #[error("{entity} has no {what}{}", list(supported))]
    Unsupported {
        /// Id of the entity.
        entity: String,
        /// Missing capability.
        what: String,
        /// Capabilities that can be set instead.
        supported: Vec<String>,
    },
    /// Two parts of the intent exclude each other.
    #[error("{one} and {other} exclude each other")]
    Conflict {
        /// The one.
        one: String,
        /// The other.
        other: String,
    },
    /// The intent starts from a state that is not known, such as the toggling of a switch.
    #[error("the present state of {entity} is not known")]
    UnknownState {
        /// Id of the entity.
        entity: String,
    },
    /// The entity is only reported. Locks are among these.
    #[error("{entity} is only reported and cannot be set")]
    ReadOnly {
        /// Id of the entity.
        entity: String,
    },
    /// The intent is one for another kind of entity.
    #[error("{entity} is not a {kind}")]
    WrongKind {
        /// Id of the entity.
        entity: String,
        /// The kind that the intent is for.
        kind: &'static str,
    },
    /// A text that cannot be read.
    #[error("{name}: {text:?} is not {expected}")]
    Unreadable {
        /// Name of the setting.
        name: String,
        /// The text, up to 40 characters.
        text: String,
        /// Expected form.
        expected: String,
    },
}

impl IntentError {
    pub(crate) fn unreadable(name: &str, text: &str, expected: impl Into<String>) -> Self {
        Self::Unreadable { name: name.into(), text: text.chars().take(40).collect(), expected: expected.into() }
    }

    pub(crate) fn conflict(one: &str, other: &str) -> Self {
        Self::Conflict { one: one.into(), other: other.into() }
    }
}

/// Most names in the text of an error.
const MOST_NAMES: usize = 40;

fn list(supported: &[String]) -> String {
    let named = supported.iter().take(MOST_NAMES).map(String::as_str).collect::<Vec<_>>().join(", ");
    match supported.len() {
        0 => String::new(),
        len if len > MOST_NAMES => format!("; it has {named} and {} more", len - MOST_NAMES),
        _ => format!("; it has {named}"),
    }
}
