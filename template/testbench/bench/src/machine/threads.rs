//! Runs threads: starts one, suspends it, lets it go on, and calls the driver in it.

use std::sync::atomic::Ordering;

use corosensei::{Coroutine, CoroutineResult, Yielder};

use super::events::{emit, internal, must};
use super::memory;
use super::state::{machine, with_thread};
use super::switch::{self, SWITCH};
use super::thread::{Frame, KernelStack, Saved, Thread, Threads};
use crate::os;
use crate::trace::{Event, Routine, Waiting};
use crate::vocabulary::irql::DISPATCH;

fn with<T>(action: impl FnOnce(&mut Threads) -> T) -> T {
    action(&mut machine().threads.borrow_mut())
}

/// The number of the thread that is running.
#[must_use]
pub fn current() -> u32 {
    with(|threads| threads.current_number())
}

/// A thread that nothing runs in yet.
#[must_use]
pub fn new_thread() -> u32 {
    with(|threads| {
        threads.all.push(Thread::default());
        threads.all.len() as u32
    })
}

/// The IRQL.
#[must_use]
pub fn irql() -> u8 {
    with_thread(|thread| thread.irql)
}

/// Changes the IRQL.
pub fn set_irql(irql: u8) {
    with_thread(|thread| thread.irql = irql);
    must(memory::set_dispatch(irql >= DISPATCH));
}

/// Something happened that a thread may wait for.
pub fn note_progress() {
    with(|threads| threads.progress += 1);
}

/// The driver's routine that the running thread is in, the innermost one.
#[must_use]
pub fn routine() -> Option<Routine> {
    with_thread(|thread| innermost(&thread.frames).cloned())
}

/// The driver's routine that a thread is in, the innermost one.
#[must_use]
pub fn routine_of(number: u32) -> Option<Routine> {
    with(|threads| {
        let thread = threads.all.get((number as usize).checked_sub(1)?)?;
        innermost(&thread.frames).cloned()
    })
}

fn innermost(frames: &[Frame]) -> Option<&Routine> {
    frames.iter().rev().find_map(|frame| match frame {
        Frame::Driver { routine, .. } => Some(routine),
        Frame::System(_) => None,
    })
}

/// Whether any thread is in a routine for which the condition holds.
pub fn any_is_in(condition: impl Fn(&Routine) -> bool) -> bool {
    with(|threads| {
        let mut frames = threads.all.iter().flat_map(|thread| &thread.frames);
        frames.any(|frame| matches!(frame, Frame::Driver { routine, .. } if condition(routine)))
    })
}

/// Gives the first thread its stack.
///
/// # Errors
///
/// The operating system's own.
pub fn set_up() -> std::io::Result<()> {
    let stack = kernel_stack()?;
    with_thread(|thread| thread.stack = Some(stack));
    load(saved_for(stack));
    Ok(())
}

/// A kernel stack.
fn kernel_stack() -> std::io::Result<KernelStack> {
    if let Some(stack) = with(|threads| threads.kernel_stacks.pop()) {
        return Ok(stack);
    }
    let stack = KernelStack::new()?;
    let range = (stack.guard(), stack.low(), stack.high());
    machine().memory.borrow_mut().stacks.push(range);
    Ok(stack)
}

fn saved_for(stack: KernelStack) -> Saved {
    Saved {
        driver_stack: stack.top(),
        driver_limits: (stack.high() as u64, os::stack_limit(stack.low()) as u64),
        ..Saved::default()
    }
}

fn save() -> Saved {
    let pair = |one: &std::sync::atomic::AtomicU64, other: &std::sync::atomic::AtomicU64| {
        (one.load(Ordering::Relaxed), other.load(Ordering::Relaxed))
    };
    Saved {
        site: SWITCH.site.load(Ordering::Relaxed),
        running: SWITCH.running.load(Ordering::Relaxed),
        driver_stack: SWITCH.driver_stack.load(Ordering::Relaxed),
        host_stack: SWITCH.host_stack.load(Ordering::Relaxed),
        driver_limits: pair(&SWITCH.driver_base, &SWITCH.driver_limit),
        host_limits: pair(&SWITCH.host_base, &SWITCH.host_limit),
    }
}

fn load(saved: Saved) {
    SWITCH.site.store(saved.site, Ordering::Relaxed);
    SWITCH.running.store(saved.running, Ordering::Relaxed);
    let words = [
        (&SWITCH.driver_stack, saved.driver_stack),
        (&SWITCH.host_stack, saved.host_stack),
        (&SWITCH.driver_base, saved.driver_limits.0),
        (&SWITCH.driver_limit, saved.driver_limits.1),
        (&SWITCH.host_base, saved.host_limits.0),
        (&SWITCH.host_limit, saved.host_limits.1),
    ];
    for (place, value) in words {
        place.store(value, Ordering::Relaxed);
    }
}

/// Calls the driver's code at an address, with as many arguments as any callback takes, in the running thread.
#[must_use]
pub fn call(address: u64, arguments: &[u64]) -> u64 {
    let mut all = [0; switch::MOST_ARGUMENTS];
    all[..arguments.len()].copy_from_slice(arguments);
    let before = save();
    // SAFETY: the top of the stack is where the driver's last call left it, or that of an unused stack: both are aligned.
    // The driver's routines have this calling convention, in which the caller passes what it likes and the callee takes
    // what it needs. What the driver does wrong is what the bench is there to see: it happens in a process of its own.
    let answer = unsafe { switch::call_driver(address, all.as_ptr(), before.driver_stack) };
    load(before);
    answer
}

/// Starts work in a thread, and runs it until it is done or waits.
pub fn start(number: u32, work: impl FnOnce() + 'static) {
    let index = number as usize - 1;
    let kernel_stack = must(kernel_stack());
    let host_stack = must(with(Threads::host_stack));
    let work = Coroutine::with_stack(host_stack, move |yielder: &Yielder<(), ()>, ()| {
        with_thread(|thread| thread.yielder = Some(std::ptr::from_ref(yielder)));
        work();
    });
    with(|threads| {
        let thread = &mut threads.all[index];
        if thread.work.is_some() || thread.is_running {
            internal("a thread is started that is not done");
        }
        thread.stack = Some(kernel_stack);
        thread.saved = saved_for(kernel_stack);
        thread.work = Some(work);
    });
    resume(index);
}

/// Lets a thread go on until it is done or waits again.
pub fn resume(index: usize) {
    let (before, work, waited, irql) = with(|threads| {
        let before = threads.current;
        threads.all[before].saved = save();
        threads.current = index;
        let thread = &mut threads.all[index];
        thread.is_running = true;
        load(thread.saved);
        (
            before,
            thread.work.take(),
            thread.waiting.take(),
            thread.irql,
        )
    });
    if waited.is_some() {
        let thread = index as u32 + 1;
        emit(&Event::Resume { thread });
    }
    must(memory::set_dispatch(irql >= DISPATCH));
    let Some(mut work) = work else {
        internal("a thread goes on that has no work")
    };
    let result = work.resume(());
    let irql = with(|threads| {
        let thread = &mut threads.all[index];
        thread.saved = save();
        thread.is_running = false;
        match result {
            CoroutineResult::Yield(()) => thread.work = Some(work),
            CoroutineResult::Return(()) => {
                thread.yielder = None;
                let kernel_stack = thread.stack.take();
                threads.kernel_stacks.extend(kernel_stack);
                threads.host_stacks.push(work.into_stack());
            }
        }
        threads.current = before;
        load(threads.all[before].saved);
        threads.all[before].irql
    });
    must(memory::set_dispatch(irql >= DISPATCH));
}

/// Lets the thread go on that started this one or let it go on. False for the first thread, which nothing started.
#[must_use]
pub fn suspend(waiting: Waiting) -> bool {
    let (yielder, thread) = with(|threads| {
        let (number, progress) = (threads.current_number(), threads.progress);
        let current = threads.current;
        let thread = &mut threads.all[current];
        if thread.yielder.is_some() {
            thread.waiting = Some(waiting);
            thread.tried = progress;
        }
        (thread.yielder, number)
    });
    let Some(yielder) = yielder else { return false };
    emit(&Event::Suspend { thread });
    // SAFETY: the pointer is that of the coroutine which is running, whose yielder lives as long as its work.
    unsafe { &*yielder }.suspend(());
    true
}

/// The threads that wait and for which something has happened since they looked, in the order in which they began to wait.
#[must_use]
pub fn to_try() -> Vec<usize> {
    with(|threads| {
        let all = threads.all.iter().enumerate();
        let waiting = all.filter(|(_, thread)| {
            thread.waiting.is_some() && !thread.is_running && thread.tried != threads.progress
        });
        let mut waiting: Vec<(u64, usize)> = waiting
            .map(|(index, thread)| (thread.tried, index))
            .collect();
        waiting.sort_unstable();
        waiting.into_iter().map(|(_, index)| index).collect()
    })
}

/// What each thread waits for, the one that waits since the shortest time first.
#[must_use]
pub fn waiting() -> Vec<Waiting> {
    with(|threads| {
        let all = threads.all.iter();
        let mut waiting: Vec<(u64, Waiting)> = all
            .filter_map(|thread| Some((thread.tried, thread.waiting.clone()?)))
            .collect();
        waiting.sort_by_key(|(tried, _)| std::cmp::Reverse(*tried));
        waiting.into_iter().map(|(_, waiting)| waiting).collect()
    })
}
