//! Reports of the state on one connection.

use std::sync::Arc;

use super::request::{Operation, Request};
use crate::report::error::CommandError;
use crate::report::reply::Reply;

/// State reports received on this connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum StateReport {
    /// None yet.
    #[default]
    Missing,
    /// Answer to a query for named DPs. Device22 firmware reports no others.
    Named,
    /// Answer to a query for everything.
    Full,
    /// Failure of the query that the link sends.
    Failed(Arc<CommandError>),
}

impl StateReport {
    /// Updates it with the result of a query.
    pub(super) fn update(&mut self, request: &Request, result: &Result<Reply, CommandError>) {
        match result {
            _ if !request.is_state_query() => {}
            Ok(_) if matches!(request.operation, Operation::StatusOf(_)) => {
                if *self != Self::Full {
                    *self = Self::Named;
                }
            }
            Ok(_) => *self = Self::Full,
            // The next connection queries anew.
            Err(CommandError::ConnectionLost { .. } | CommandError::NotConnected { .. }) => {}
            Err(error) if request.is_internal && *self == Self::Missing => {
                *self = Self::Failed(Arc::new(error.clone()));
            }
            Err(_) => {}
        }
    }
}
