//! The result of an act.

use std::fmt;
use std::panic::panic_any;
use std::rc::Rc;

use super::link::{Answer, Link};
use super::text;
use crate::act::Reply;
use crate::vocabulary::status::{self, Status};

/// The panic of a machine that ended with a finding which the test expects.
#[derive(Debug, Clone, Copy)]
pub struct Stopped;

/// The result of an act: what was done, what came back, and what the driver did meanwhile.
///
/// A completion that is dropped is not checked: use [`unwrap`](Completion::unwrap) to require success.
#[must_use = "an act can fail: require success with unwrap(), or a failure with fails_with()"]
pub struct Completion<T> {
    link: Rc<Link>,
    what: String,
    answer: Answer,
    value: Option<T>,
}

impl<T> Completion<T> {
    /// Creates the result of an act. `value` is computed from the reply to a successful act.
    pub(super) fn new(
        link: &Rc<Link>,
        what: String,
        answer: Answer,
        value: impl FnOnce(&Reply) -> Option<T>,
    ) -> Self {
        let value = match &answer.reply {
            Some(reply) if is_success(reply) => value(reply),
            _ => None,
        };
        Completion {
            link: link.clone(),
            what,
            answer,
            value,
        }
    }

    /// Returns the value, and requires success.
    ///
    /// # Panics
    ///
    /// Panics if the act failed.
    #[track_caller]
    pub fn unwrap(self) -> T {
        self.require_running();
        match self.value {
            Some(value) => value,
            None => self.fail("it must succeed"),
        }
    }

    /// Requires a failure with a status.
    ///
    /// # Panics
    ///
    /// Panics if the act succeeded, failed with another status, or is not modelled.
    #[track_caller]
    pub fn fails_with(self, expected: Status) {
        self.require_running();
        let not_performed = self.answer.reply.as_ref().and_then(Reply::not_performed);
        if self.status() != expected || not_performed.is_some() {
            self.fail(&format!("it must fail with {expected}"));
        }
    }

    /// Requires success and a value.
    ///
    /// # Panics
    ///
    /// Panics if the act failed, or returned another value.
    #[track_caller]
    pub fn returns<U>(self, expected: &U)
    where
        T: PartialEq<U> + Shown,
        U: ?Sized + Shown,
    {
        self.require_running();
        match &self.value {
            Some(value) if value == expected => {}
            Some(value) => self.fail(&format!(
                "it must return {}, and returned {}",
                expected.shown(),
                value.shown()
            )),
            None => self.fail(&format!("it must return {}", expected.shown())),
        }
    }

    /// Returns the value if the act succeeded.
    #[must_use]
    pub fn ok(self) -> Option<T> {
        self.value
    }

    /// Returns whether the act succeeded.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.value.is_some()
    }

    /// Returns the status. It is `STATUS_PENDING` for a request that is not complete.
    #[must_use]
    pub fn status(&self) -> Status {
        let reply = self.answer.reply.as_ref();
        reply.map_or(status::UNSUCCESSFUL, |reply| reply.status)
    }

    /// Returns `IoStatus.Information`.
    #[must_use]
    pub fn information(&self) -> u64 {
        let reply = self.answer.reply.as_ref();
        reply.map_or(0, |reply| reply.information)
    }

    /// Returns the data in the buffer of the request. A request that fails with a warning, such as
    /// `STATUS_BUFFER_OVERFLOW`, has data too.
    #[must_use]
    pub fn data(&self) -> &[u8] {
        let reply = self.answer.reply.as_ref();
        reply.map_or(&[], |reply| &reply.data)
    }

    /// Returns why the act was not possible, if it was not.
    #[must_use]
    pub fn refusal(&self) -> Option<&str> {
        let reply = self.answer.reply.as_ref()?;
        reply.refused.as_deref()
    }

    /// Returns what was done and what came back, in one line.
    #[must_use]
    pub fn line(&self) -> String {
        format!("{}: {}", self.what, self.result())
    }

    /// Returns what the driver did during the act, one line for each call, indented by the nesting.
    #[must_use]
    pub fn account(&self) -> String {
        self.link.with_events(|events| {
            let since = self.answer.since.min(events.len());
            text::account(&events[since..])
        })
    }

    /// Replaces the value.
    pub(super) fn map<U>(self, change: impl FnOnce(T) -> U) -> Completion<U> {
        Completion {
            link: self.link,
            what: self.what,
            answer: self.answer,
            value: self.value.map(change),
        }
    }

    /// Replaces the description of what was done.
    pub(super) fn named(mut self, what: String) -> Self {
        self.what = what;
        self
    }

    /// Makes the result of a series of requests a success: the last one failed because there is no more.
    pub(super) fn end_with<U>(mut self, value: U) -> Completion<U> {
        self.answer.reply = Some(Reply::default());
        Completion {
            link: self.link,
            what: self.what,
            answer: self.answer,
            value: Some(value),
        }
    }

    /// Continues with another act if this one succeeded. Its description and its events are those of both.
    pub(super) fn then<U>(self, next: impl FnOnce(T) -> Completion<U>) -> Completion<U> {
        match self.value {
            Some(value) => {
                let mut next = next(value);
                next.answer.since = self.answer.since;
                next.what = self.what;
                next
            }
            None => Completion {
                link: self.link,
                what: self.what,
                answer: self.answer,
                value: None,
            },
        }
    }

    /// Fails the test if the machine has ended.
    #[track_caller]
    fn require_running(&self) {
        if self.answer.reply.is_none() {
            let findings = self.link.findings();
            let expected = |finding| self.link.expects(finding);
            if !findings.is_empty() && findings.iter().all(expected) {
                panic_any(Stopped);
            }
            self.fail("the driver must go on");
        }
    }

    /// Fails the test.
    #[track_caller]
    fn fail(&self, expected: &str) -> ! {
        panic!("{}", self.message(expected))
    }

    fn message(&self, expected: &str) -> String {
        let mut message = format!("{}\n  {expected}\n", self.line());
        if self.answer.reply.is_none() {
            let findings = text::findings(&self.link.findings());
            message.push_str(&text::indented(&findings));
        }
        let account = self.account();
        let is_refused = |reply: &Reply| reply.refused.is_some();
        if self.answer.reply.as_ref().is_some_and(is_refused) {
            return message;
        }
        if account.is_empty() {
            message.push_str("  the driver was not called");
        } else {
            message.push_str("  meanwhile:\n");
            message.push_str(&text::indented(&account));
        }
        message
    }

    /// Returns what came back, in words.
    fn result(&self) -> String {
        let Some(reply) = &self.answer.reply else {
            return match self.link.unmodelled() {
                Some(import) => format!(
                    "the driver called {import}, which the bench does not model; give its result with assume()"
                ),
                None => "the driver has stopped".to_owned(),
            };
        };
        if let Some(why) = reply.not_performed() {
            return why;
        }
        let mut result = reply.status.to_string();
        if let Some(note) = &reply.note {
            result = format!("{result}; {note}");
        }
        if !reply.data.is_empty() {
            result = format!("{result}, {}", text::bytes(&reply.data));
        }
        result
    }
}

fn is_success(reply: &Reply) -> bool {
    let pending = reply.status == status::PENDING;
    reply.status.is_success() && !pending && reply.not_performed().is_none()
}

impl<T> fmt::Debug for Completion<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.line())
    }
}

/// A value in the message of a failed comparison.
pub trait Shown {
    /// Returns the text.
    fn shown(&self) -> String;
}

impl Shown for Vec<u8> {
    fn shown(&self) -> String {
        text::bytes(self)
    }
}

impl Shown for [u8] {
    fn shown(&self) -> String {
        text::bytes(self)
    }
}

impl<const N: usize> Shown for [u8; N] {
    fn shown(&self) -> String {
        text::bytes(self)
    }
}

impl Shown for Vec<String> {
    fn shown(&self) -> String {
        format!("{self:?}")
    }
}

impl<const N: usize> Shown for [&str; N] {
    fn shown(&self) -> String {
        format!("{self:?}")
    }
}

impl Shown for u64 {
    fn shown(&self) -> String {
        self.to_string()
    }
}
