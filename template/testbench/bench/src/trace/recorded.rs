//! The events of one scenario.

use super::ending::Ending;
use super::event::{Event, Registration};
use super::routine::Routine;
use crate::vocabulary::status::Status;

/// The events of one scenario.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Trace {
    /// The events, in order.
    pub events: Vec<Event>,
}

impl Trace {
    /// Returns the ending of the scenario.
    ///
    /// A trace without an ending comes from a worker that ended unexpectedly.
    #[must_use]
    pub fn ending(&self) -> Option<&Ending> {
        self.events.iter().rev().find_map(|event| match event {
            Event::End { ending } => Some(ending),
            _ => None,
        })
    }

    /// Returns whether all steps of the script were performed.
    #[must_use]
    pub fn completed(&self) -> bool {
        matches!(self.ending(), Some(Ending::Completed))
    }

    /// Returns the status that `DriverEntry` returned, if it returned.
    #[must_use]
    pub fn driver_entry_status(&self) -> Option<Status> {
        let mut depth = Vec::new();
        for event in &self.events {
            match event {
                Event::Enter { routine, .. } => depth.push(routine),
                Event::Leave { answer } => {
                    if let Some(Routine::DriverEntry) = depth.pop() {
                        return Some(Status(*answer as u32));
                    }
                }
                _ => {}
            }
        }
        None
    }

    /// Returns the registration of the driver, if there is one.
    #[must_use]
    pub fn registration(&self) -> Option<&Registration> {
        self.events.iter().find_map(|event| match event {
            Event::Registered { registration } => Some(registration),
            _ => None,
        })
    }
}
