//! Starts, suspends and resumes threads, and calls the driver in them.

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

/// Returns the number of the current thread.
#[must_use]
pub fn current() -> u32 {
    with(|threads| threads.current_number())
}

/// Creates a thread of the system process without work.
#[must_use]
pub fn new_thread() -> u32 {
    new_thread_of(0)
}

/// Creates a thread of a process without work.
#[must_use]
pub fn new_thread_of(process: usize) -> u32 {
    with(|threads| {
        threads.all.push(Thread {
            process,
            ..Thread::default()
        });
        threads.all.len() as u32
    })
}

/// Returns the index of the process of a thread.
#[must_use]
pub fn process_of(number: u32) -> usize {
    with(|threads| {
        let thread = threads.all.get((number as usize).wrapping_sub(1));
        thread.map_or(0, |thread| thread.process)
    })
}

/// Returns the IRQL.
#[must_use]
pub fn irql() -> u8 {
    with_thread(|thread| thread.irql)
}

/// Sets the IRQL.
pub fn set_irql(irql: u8) {
    with_thread(|thread| thread.irql = irql);
    must(memory::set_dispatch(irql >= DISPATCH));
}

/// Records progress: a wait of another thread can be satisfied.
pub fn note_progress() {
    with(|threads| threads.progress += 1);
}

/// Returns the innermost driver routine of the current thread.
#[must_use]
pub fn routine() -> Option<Routine> {
    with_thread(|thread| innermost(&thread.frames).cloned())
}

/// Returns the innermost driver routine of a thread.
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

/// Returns whether any thread is in a routine that meets the condition.
pub fn any_is_in(condition: impl Fn(&Routine) -> bool) -> bool {
    with(|threads| {
        let mut frames = threads.all.iter().flat_map(|thread| &thread.frames);
        frames.any(|frame| matches!(frame, Frame::Driver { routine, .. } if condition(routine)))
    })
}

/// Allocates the stack of the first thread.
///
/// # Errors
///
/// Returns the error of the operating system.
pub fn set_up() -> std::io::Result<()> {
    let stack = kernel_stack()?;
    with_thread(|thread| thread.stack = Some(stack));
    load(saved_for(stack));
    Ok(())
}

/// Returns an unused kernel stack.
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

/// Calls driver code at an address in the current thread. Passes the maximum number of arguments of a callback.
#[must_use]
pub fn call(address: u64, arguments: &[u64]) -> u64 {
    let mut all = [0; switch::MOST_ARGUMENTS];
    all[..arguments.len()].copy_from_slice(arguments);
    let before = save();
    // SAFETY: the top of the stack is that of the driver's last call or of an unused stack. Both are aligned. Driver
    // routines have this calling convention, in which a callee can ignore arguments. Invalid accesses of the driver are
    // what the bench detects. They occur in a separate process.
    let answer = unsafe { switch::call_driver(address, all.as_ptr(), before.driver_stack) };
    load(before);
    answer
}

/// Starts work in a thread and runs it until it completes or waits.
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
            internal("a thread with unfinished work is started");
        }
        thread.stack = Some(kernel_stack);
        thread.saved = saved_for(kernel_stack);
        thread.work = Some(work);
    });
    resume(index);
}

/// Resumes a thread until it completes or waits again.
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
        internal("a thread without work is resumed")
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

/// Suspends the current thread. The thread that started or resumed it continues. Returns `false` for the first thread,
/// which no thread started.
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
    // SAFETY: the pointer is that of the running coroutine, whose yielder lives as long as its work.
    unsafe { &*yielder }.suspend(());
    true
}

/// Returns the waiting threads for which there was progress since their last check, in the order in which they began to
/// wait.
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

/// Returns the waits of all threads, the most recent first.
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
