//! The connection of a test to the worker that runs its driver.

use std::cell::RefCell;

use crate::act::{Act, Reply};
use crate::bench::{Session, findings_of};
use crate::expect::Expectations;
use crate::report::Finding;
use crate::scenario::Scenario;
use crate::trace::{Ending, Event, Trace};

/// The connection of a test to its worker.
#[derive(Debug)]
pub struct Link {
    session: RefCell<Option<Session>>,
    /// The trace after the worker ended.
    ended: RefCell<Option<Trace>>,
    /// The scenario, which contains the faults.
    pub scenario: Scenario,
    expectations: Option<Expectations>,
    /// The rules whose findings the test expects.
    pub expected: Vec<String>,
    /// The functions whose next call was to fail.
    to_fail: RefCell<Vec<String>>,
    /// The acts that were not possible or not modelled.
    not_performed: RefCell<Vec<String>>,
}

/// What a worker replied.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The reply, or `None` if the worker has ended.
    pub reply: Option<Reply>,
    /// The number of events before the act.
    pub since: usize,
}

impl Link {
    /// Creates a connection.
    #[must_use]
    pub fn new(
        session: Session,
        scenario: Scenario,
        expectations: Option<Expectations>,
        expected: Vec<String>,
        to_fail: Vec<String>,
    ) -> Self {
        Link {
            session: RefCell::new(Some(session)),
            ended: RefCell::new(None),
            scenario,
            expectations,
            expected,
            to_fail: RefCell::new(to_fail),
            not_performed: RefCell::default(),
        }
    }

    /// Sends an act.
    pub fn act(&self, act: &Act) -> Answer {
        let since = self.with_events(<[Event]>::len);
        let mut session = self.session.borrow_mut();
        let reply = session.as_mut().and_then(|session| session.act(act));
        let possible = reply.as_ref().is_some_and(|reply| reply.refused.is_none());
        if let (Act::FailNext { function, .. }, true) = (act, possible) {
            self.to_fail.borrow_mut().push(function.clone());
        }
        // With a fault, what the act needs may be missing.
        let counts = |reply: &Reply| reply.refused.is_none() || self.scenario.faults.is_empty();
        let not_performed = reply.as_ref().filter(|reply| counts(reply));
        let not_performed = not_performed.and_then(Reply::not_performed);
        self.not_performed.borrow_mut().extend(not_performed);
        Answer { reply, since }
    }

    /// Accesses the events so far.
    pub fn with_events<T>(&self, action: impl FnOnce(&[Event]) -> T) -> T {
        match (&*self.session.borrow(), &*self.ended.borrow()) {
            (Some(session), _) => action(&session.trace().events),
            (None, Some(trace)) => action(&trace.events),
            (None, None) => action(&[]),
        }
    }

    /// Returns whether the driver is running.
    #[must_use]
    pub fn is_running(&self) -> bool {
        let session = self.session.borrow();
        session.as_ref().is_some_and(|session| !session.has_ended())
    }

    /// Ends the machine: the driver is stopped. Returns the findings, or `None` if it had ended before.
    pub fn end(&self) -> Option<Vec<Finding>> {
        let mut session = self.session.borrow_mut().take()?;
        let _ = session.act(&Act::End);
        let trace = session.finish();
        *self.ended.borrow_mut() = Some(trace);
        Some(self.findings())
    }

    /// Returns the findings of the rules so far.
    #[must_use]
    pub fn findings(&self) -> Vec<Finding> {
        let events = self.with_events(<[Event]>::to_vec);
        let trace = Trace { events };
        findings_of(&self.scenario, &trace, self.expectations.as_ref())
    }

    /// Returns whether the test expects a finding.
    #[must_use]
    pub fn expects(&self, finding: &Finding) -> bool {
        self.expected.iter().any(|rule| rule == finding.rule)
    }

    /// Returns why an act was not performed, if there is one.
    #[must_use]
    pub fn not_performed(&self) -> Option<String> {
        self.not_performed.borrow().first().cloned()
    }

    /// Returns a function that was to fail and was not called again. In a run with a fault, it need not be called.
    #[must_use]
    pub fn unused_fault(&self) -> Option<String> {
        let expected = self.to_fail.borrow();
        let injected = self.with_events(|events| {
            let injected = |event: &&Event| matches!(event, Event::Return { injected: true, .. });
            events.iter().filter(injected).count()
        });
        let unused = self.scenario.faults.is_empty() && injected < expected.len();
        expected.last().filter(|_| unused).cloned()
    }

    /// Returns the call that the bench does not model and that ended the machine.
    #[must_use]
    pub fn unmodelled(&self) -> Option<String> {
        self.with_events(|events| match events.last() {
            Some(Event::End {
                ending: Ending::Unmodelled { import, .. },
            }) => Some(import.clone()),
            _ => None,
        })
    }
}
