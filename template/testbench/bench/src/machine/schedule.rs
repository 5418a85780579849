//! The scheduler. A thread runs until it waits. Then another thread runs.
//!
//! Each wait is a call of [`block_until`]. While a thread waits, other threads continue when their wait is satisfied,
//! and queued work starts. If no thread can run, the threads are in a deadlock.

use std::cell::Cell;
use std::rc::Rc;

use super::enter::{into_driver, is_unloading};
use super::events::{end, here};
use super::state::with;
use super::threads::{self, new_thread};
use crate::objects::work::Item;
use crate::trace::{Ending, Routine, Wait, Waiting};

/// The queued work that can run while a thread waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Queued {
    /// No work.
    Nothing,
    /// Work for which the unload waits. While no unload is in progress, all work.
    Kept,
    /// All work, including work for which the unload does not wait.
    Everything,
}

impl Queued {
    fn includes(self, item: &Item, unloading: bool, time: i64) -> bool {
        if self == Queued::Kept && item.due.is_some_and(|due| due > time) {
            return false;
        }
        match self {
            Queued::Nothing => false,
            Queued::Kept => item.holds_back || !unloading,
            Queued::Everything => true,
        }
    }
}

/// Waits until a condition holds.
pub fn block_until(queued: Queued, wait: impl Fn() -> Wait, mut ready: impl FnMut() -> bool) {
    while !try_until(queued, &mut ready) {
        let waiting = Waiting {
            routine: threads::routine(),
            at: here(),
            wait: wait(),
        };
        if !threads::suspend(waiting.clone()) {
            let mut waits = threads::waiting();
            waits.push(waiting);
            end(Ending::Hang { waits });
        }
    }
}

/// Runs other threads until a condition holds. Returns `false` if it does not hold and no other thread can run.
#[must_use]
pub fn try_until(queued: Queued, mut ready: impl FnMut() -> bool) -> bool {
    loop {
        if ready() {
            return true;
        }
        if !run_another(queued) {
            return false;
        }
    }
}

/// Resumes a waiting thread, or starts queued work. Returns `false` if there is neither.
fn run_another(queued: Queued) -> bool {
    let waiting = threads::to_try();
    let unloading = is_unloading();
    let items = with(|state| {
        let items = state.work.queue.iter().enumerate();
        let items = items.filter(|(_, item)| queued.includes(item, unloading, state.clock));
        items.map(|(at, _)| at).collect::<Vec<_>>()
    });
    let count = waiting.len() + items.len();
    if count == 0 {
        return false;
    }
    let choice = choose(count);
    if let Some(index) = waiting.get(choice) {
        threads::resume(*index);
    } else {
        let item = with(|state| {
            let item = state.work.queue.remove(items[choice - waiting.len()]);
            if let Some(due) = item
                .due
                .filter(|_| item.period != 0 && queued == Queued::Kept)
            {
                state.work.queue.push(Item {
                    due: Some(due + item.period),
                    ..item.clone()
                });
            }
            item
        });
        start(&item);
    }
    true
}

/// Returns the index of the thread to run, according to the schedule of the scenario.
fn choose(count: usize) -> usize {
    if count == 1 {
        return 0;
    }
    with(|state| {
        let choice = state.scenario.schedule.get(state.choices).copied();
        state.choices += 1;
        choice.map_or(0, |choice| choice as usize % count)
    })
}

fn start(item: &Item) {
    let routine = Routine::Other {
        callback: item.callback,
    };
    let (irql, address, arguments) = (item.irql, item.routine, item.arguments);
    threads::start(new_thread(), move || {
        let _ = into_driver(routine, irql, address, &arguments);
    });
}

/// Runs the queued work that [`Queued`] includes.
pub fn run_queued(queued: Queued) {
    let _ = try_until(queued, || false);
}

/// Ends the scenario if a thread is still waiting.
pub fn must_be_idle() {
    let waits = threads::waiting();
    if !waits.is_empty() {
        end(Ending::Hang { waits });
    }
}

/// Calls a driver routine at an IRQL, in a thread, and waits until it returns.
#[must_use]
pub fn enter(routine: Routine, irql: u8, thread: u32, address: u64, arguments: &[u64]) -> u64 {
    if thread == threads::current() {
        return into_driver(routine, irql, address, arguments);
    }
    let answer = Rc::new(Cell::new(None));
    let (given, called, arguments) = (answer.clone(), routine.clone(), arguments.to_vec());
    threads::start(thread, move || {
        given.set(Some(into_driver(called, irql, address, &arguments)));
    });
    let wait = || Wait::Return {
        routine: routine.clone(),
    };
    block_until(Queued::Nothing, wait, || answer.get().is_some());
    answer.get().unwrap_or_default()
}
