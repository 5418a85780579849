//! Which thread runs: a thread runs until it waits; then another one goes on.
//!
//! Every wait is one [`block_until`]. While a thread waits, the threads that waited before go on if what they wait for has
//! happened, and work that is queued is started. If nothing can go on, what the threads wait for is a deadlock.

use std::cell::Cell;
use std::rc::Rc;

use super::call::{into_driver, is_unloading};
use super::events::{end, here};
use super::state::{left_out, with};
use super::threads::{self, new_thread};
use crate::objects::work::Item;
use crate::trace::{Ending, Routine, Wait, Waiting};

/// The queued work that may run while a thread waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Queued {
    /// None.
    Nothing,
    /// What the unload waits for, and while no unload is under way everything.
    Kept,
    /// Everything: work that nothing waits for as well.
    Everything,
}

impl Queued {
    fn includes(self, item: &Item, unloading: bool) -> bool {
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

/// Lets others run until a condition holds. False if it does not hold and nothing can run any more.
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

/// Lets a thread go on that waited, or starts queued work. False if there is neither.
fn run_another(queued: Queued) -> bool {
    let waiting = threads::to_try();
    let unloading = is_unloading();
    let items = with(|state| {
        let items = state.work.queue.iter().enumerate();
        let items = items.filter(|(_, item)| queued.includes(item, unloading));
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
        let item = with(|state| state.work.queue.remove(items[choice - waiting.len()]));
        start(&item);
    }
    true
}

/// The next choice of the scenario's schedule: which of so many threads runs.
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
    if left_out(&routine) {
        return;
    }
    let (irql, address, arguments) = (item.irql, item.routine, item.arguments);
    threads::start(new_thread(), move || {
        let _ = into_driver(routine, irql, address, &arguments);
    });
}

/// Runs what is queued: everything that [`Queued`] includes.
pub fn run_queued(queued: Queued) {
    let _ = try_until(queued, || false);
}

/// Ends the scenario if a thread waits that nothing lets go on any more.
pub fn must_be_idle() {
    let waits = threads::waiting();
    if !waits.is_empty() {
        end(Ending::Hang { waits });
    }
}

/// Calls one of the driver's routines at an IRQL, in a thread, and waits until it returns.
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
