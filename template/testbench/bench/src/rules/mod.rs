//! The rules: requirements of the documentation, as functions from a trace to violations.
//!
//! A rule is a pure function of a [`Case`]. Each defect is to be reported by one rule. Consequences of a defect (a leak
//! after a crash, a late call after a missing teardown) are omitted, as declared by the rule that reports the cause.

mod breaches;
mod case;
#[cfg(test)]
mod demands;
mod device;
mod endings;
mod expected;
mod judge;
mod load;
mod log;
mod operations;
mod registration;
mod routines;
mod table;
mod unload;
pub mod view;

pub use case::{Case, Hides, Judgement, Level, Rule, Seen, Within};
pub use judge::{all, by_name, judge};

#[cfg(test)]
pub(crate) mod testing {
    //! Traces for the unit tests of the rules.

    use super::*;
    use crate::trace::{Ending, Event, Kind, Routine, Stage, Trace};
    use crate::vocabulary::status::Status;

    /// A trace that a test builds event by event.
    #[derive(Default)]
    pub struct Recording {
        trace: Trace,
        ids: u32,
    }

    impl Recording {
        pub fn new() -> Self {
            Recording::default().stage(Stage::Load)
        }

        pub fn event(mut self, event: Event) -> Self {
            self.trace.events.push(event);
            self
        }

        pub fn stage(self, stage: Stage) -> Self {
            self.event(Event::Stage { stage })
        }

        pub fn enter(self, routine: Routine) -> Self {
            self.event(Event::Enter {
                routine,
                irql: 0,
                thread: 1,
            })
        }

        pub fn leave(self, answer: Status) -> Self {
            self.event(Event::Leave {
                answer: u64::from(answer.0),
            })
        }

        pub fn begin(self, function: &str) -> Self {
            self.begin_at(function, 0)
        }

        pub fn begin_at(self, function: &str, irql: u8) -> Self {
            self.event(Event::Call {
                function: function.to_owned(),
                site: 0x1000,
                irql,
                point: Some(0),
            })
        }

        pub fn end(self, status: Status) -> Self {
            self.event(Event::Return {
                result: u64::from(status.0),
                injected: false,
            })
        }

        pub fn call(self, function: &str, status: Status) -> Self {
            self.begin(function).end(status)
        }

        pub fn fails(self, function: &str, status: Status) -> Self {
            self.begin(function).event(Event::Return {
                result: u64::from(status.0),
                injected: true,
            })
        }

        pub fn acquires(mut self, function: &str, kind: Kind) -> Self {
            self.ids += 1;
            let id = self.ids;
            self.begin(function)
                .event(Event::Acquire {
                    id,
                    kind,
                    what: function.to_owned(),
                })
                .end(Status(0))
        }

        pub fn releases(self, function: &str, id: u32) -> Self {
            self.begin(function)
                .event(Event::Release { id })
                .end(Status(0))
        }

        pub fn done(self) -> Trace {
            self.ends(Ending::Completed)
        }

        pub fn ends(self, ending: Ending) -> Trace {
            self.event(Event::End { ending }).trace
        }
    }

    /// Returns the names of the rules with violations, each once.
    pub fn names(case: &Case) -> Vec<&'static str> {
        let mut names: Vec<_> = judge(case)
            .iter()
            .map(|judgement| judgement.rule.name)
            .collect();
        names.dedup();
        names
    }
}
