//! Calls of the model's functions by the driver.

use std::sync::atomic::Ordering;

use super::events::{emit, internal};
use super::function::{Fails, Function, Word};
use super::state::{with, with_thread};
use super::switch::SWITCH;
use super::thread::{Answering, Frame, MOST_ARGUMENTS};
use super::threads;
use super::{exception, memory};
use crate::scenario::Injected;
use crate::trace::{Event, Routine};
use crate::vocabulary::status;

/// Runs a function of the model.
pub fn run<R: Word>(
    function: &'static Function,
    arguments: &[u64],
    cannot_fail: bool,
    clear: impl FnOnce(),
    body: impl FnOnce() -> R,
) -> R {
    let mut given = [0; MOST_ARGUMENTS];
    given[..arguments.len()].copy_from_slice(arguments);
    with_thread(|thread| {
        thread.answering = Some(Answering {
            function,
            arguments: given,
        });
    });
    threads::note_progress();
    if function.fails == Fails::Quiet && !is_notable(function) {
        let result = body();
        answered();
        return result;
    }
    let site = SWITCH.site.load(Ordering::Relaxed);
    let injected = begin(function, site, cannot_fail);
    // A call that fails stores NULL in its output.
    clear();
    let result = match injected {
        None => body(),
        Some(Injected::Zero) => R::from_word(0),
        Some(Injected::Status(status)) if matches!(function.fails, Fails::Raises(_)) => {
            exception::raise_status(status, function.name)
        }
        Some(Injected::Status(status)) if !status.is_success() => R::from_word(status.word()),
        Some(Injected::Status(status)) => {
            let result = body();
            // An informational status replaces STATUS_SUCCESS only.
            if result.word() as u32 == status::SUCCESS.0 {
                R::from_word(status.word())
            } else {
                result
            }
        }
    };
    with_thread(|thread| thread.frames.pop());
    emit(&Event::Return {
        result: result.word(),
        injected: injected.is_some(),
    });
    // A callback that ran during the call has overwritten the call address.
    SWITCH.site.store(site, Ordering::Relaxed);
    answered();
    result
}

/// Returns whether a rule may forbid a call that is otherwise not recorded.
fn is_notable(function: &Function) -> bool {
    let draining = matches!(
        threads::routine(),
        Some(Routine::Post { draining: true, .. })
    );
    draining || threads::irql() > function.irql
}

fn answered() {
    with_thread(|thread| thread.answering = None);
    SWITCH.running.store(0, Ordering::Relaxed);
}

/// Records a call and returns the result that the scenario injects.
fn begin(function: &'static Function, site: u64, cannot_fail: bool) -> Option<Injected> {
    let irql = with_thread(|thread| {
        thread.frames.push(Frame::System(function));
        thread.irql
    });
    let (point, fault, injected) = with(|state| {
        let fallible = !cannot_fail && !matches!(function.fails, Fails::Never | Fails::Quiet);
        let point = fallible.then_some(state.points);
        state.points += u32::from(fallible);
        let mut faults = state.scenario.faults.iter();
        let fault = faults.find(|fault| Some(fault.point) == point).cloned();
        let next = state
            .fail_next
            .take_if(|(name, _)| fallible && *name == function.name);
        let injected = match (&fault, next) {
            (Some(fault), _) => Some(fault.result),
            (None, next) => next.map(|(_, result)| result),
        };
        state.failed |= injected.is_some_and(Injected::is_failure);
        (point, fault, injected)
    });
    if let Some(fault) = fault.filter(|fault| fault.function != function.name) {
        internal(format!(
            "call {} is {} and not {}: the driver or the test behaves differently in repeated runs",
            fault.point, function.name, fault.function
        ));
    }
    emit(&Event::Call {
        function: function.name.to_owned(),
        site: memory::rva(site).unwrap_or_default(),
        irql,
        point,
    });
    injected
}
