//! Freshness of the cached state, and the events by which listeners learn about it.

use std::sync::Arc;

use super::state_report::StateReport;
use crate::report::event::Event;
use crate::report::state::{Cache, Stale};

/// Freshness of the cached state, as listeners know it.
#[derive(Debug)]
pub(super) struct Freshness {
    /// Set if each connection begins with a query.
    pub(super) queries_state: bool,
    last_published: LastPublished,
}

/// Event that listeners last received about freshness.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum LastPublished {
    #[default]
    Nothing,
    Fresh,
    Stale,
}

impl Freshness {
    pub(super) fn new(queries_state: bool) -> Self {
        Self { queries_state, last_published: LastPublished::default() }
    }

    /// Returns why the cached state may be out of date.
    pub(super) fn stale(&self, cache: &Cache, report: &StateReport, up: bool) -> Option<Stale> {
        let fresh = cache.is_fresh();
        match report {
            _ if !up => Some(Stale::NotConnected),
            StateReport::Full | StateReport::Named if fresh == Some(false) => Some(Stale::Partly),
            StateReport::Full | StateReport::Named => None,
            StateReport::Failed(_) if fresh == Some(true) => None,
            StateReport::Failed(error) => Some(Stale::Failed(Arc::clone(error))),
            StateReport::Missing if fresh == Some(true) && !self.queries_state => None,
            StateReport::Missing => Some(Stale::NotReported),
        }
    }

    /// Forgets what listeners know, because the connection was closed on purpose: that is no outage.
    pub(super) const fn forget(&mut self) {
        self.last_published = LastPublished::Nothing;
    }

    /// Returns the event for listeners if `stale` is news to them.
    pub(super) fn change(&mut self, stale: Option<Stale>) -> Option<Event> {
        let (event, published) = match stale {
            None if self.last_published == LastPublished::Fresh => return None,
            None => (Event::Fresh, LastPublished::Fresh),
            Some(why @ (Stale::Partly | Stale::Failed(_))) if self.last_published != LastPublished::Stale => {
                (Event::Stale(why), LastPublished::Stale)
            }
            Some(why) if self.last_published == LastPublished::Fresh => (Event::Stale(why), LastPublished::Nothing),
            Some(Stale::NotConnected) => {
                // The next connection starts over.
                self.last_published = LastPublished::Nothing;
                return None;
            }
            Some(_) => return None,
        };
        self.last_published = published;
        Some(event)
    }
}
