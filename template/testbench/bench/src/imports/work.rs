//! Deferred work: work items, timers and callback data queues.
//!
//! Documents: "System Worker Threads", "`KeXxxTimer` Routines, KTIMER Objects, and DPCs", "`FltQueueGenericWorkItem`
//! function (fltkernel.h)". A queued work item of the filter manager or of the I/O manager holds a reference to the
//! filter or the device until its routine has run. An executive work item and a timer hold no reference. They run after
//! the unload if the driver does not wait for them.

use crate::imports::locks::{dispatcher, in_nonpaged_memory, initialized, set_up};
use crate::lifecycle::{filter, operations, parameters, volumes};
use crate::machine::declare::functions;
use crate::machine::enter::call_back;
use crate::machine::events::must;
use crate::machine::function::{Fails, Optional};
use crate::machine::ledger::{acquire, bad_handle, held_once, holds, must_release, unfit};
use crate::machine::schedule::{Queued, run_queued};
use crate::machine::state::{is_test, with};
use crate::machine::system::system_block;
use crate::machine::{guest, memory};
use crate::objects::work::{Item, Queue};
use crate::trace::{Callback, Kind};
use crate::vocabulary::irql::{ANY, DISPATCH, PASSIVE};
use crate::vocabulary::status::{self, Status};

functions! { pub WORK = "ntoskrnl.exe", "wdm.h";
    /// Allocates a work item that holds a reference to its device while it is queued.
    [DISPATCH, Fails::Null]
    fn IoAllocateWorkItem(device: u64) -> u64 {
        if device == 0 {
            bad_handle("device object", device);
        }
        new_item(IO_ITEM)
    }
    /// Queues a work item.
    [DISPATCH, Fails::Never]
    fn IoQueueWorkItem(item: u64, routine: u64, _queue: u32, context: u64) {
        check(item, IO_ITEM);
        queue(Callback::IoWorkItem, routine, [0, context, 0, 0], PASSIVE, true, item);
    }
    /// Frees a work item.
    [DISPATCH, Fails::Never]
    fn IoFreeWorkItem(item: u64) { free(item, IO_ITEM); }
    /// Queues an executive work item, which holds no reference.
    [DISPATCH, Fails::Never]
    fn ExQueueWorkItem(item: u64, _queue: u32) {
        let (routine, parameter) = (guest::read(set_up(item, "work item") + 0x10), guest::read(item + 0x18));
        idle(item);
        queue(Callback::WorkerThread, routine, [parameter, 0, 0, 0], PASSIVE, false, item);
    }
    /// Initializes a timer.
    [DISPATCH, Fails::Quiet]
    fn KeInitializeTimer(timer: u64) { new_timer(timer); }
    /// Initializes a timer.
    [DISPATCH, Fails::Quiet]
    fn KeInitializeTimerEx(timer: u64, _kind: u32) { new_timer(timer); }
    /// Initializes a DPC.
    [ANY, Fails::Quiet]
    fn KeInitializeDpc(dpc: u64, routine: u64, context: u64) {
        in_nonpaged_memory(dpc, "DPC");
        guest::fill(dpc, 0, 0x40);
        guest::write(dpc + 0x18, routine);
        guest::write(dpc + 0x20, context);
    }
    /// Starts a timer.
    [DISPATCH, Fails::Never]
    fn KeSetTimer(timer: u64, due: i64, dpc: Optional) -> u8 { set_timer(timer, due, 0, dpc) }
    /// Starts a periodic timer.
    [DISPATCH, Fails::Never]
    fn KeSetTimerEx(timer: u64, due: i64, period: u32, dpc: Optional) -> u8 { set_timer(timer, due, period, dpc) }
    /// Cancels a timer.
    [DISPATCH, Fails::Never]
    fn KeCancelTimer(timer: u64) -> u8 {
        guest::touch(initialized(timer), TIMER_SIZE);
        u8::from(remove(timer))
    }
    /// Waits for queued DPCs.
    [PASSIVE, Fails::Never]
    fn KeFlushQueuedDpcs() { run_queued(Queued::Everything); }
    /// Queues a DPC.
    [ANY, Fails::Never]
    fn KeInsertQueueDpc(dpc: u64, first: u64, second: u64) -> u8 {
        let (routine, context) = (guest::read(dpc + 0x18), guest::read(dpc + 0x20));
        if is_queued(dpc) {
            return 0;
        }
        queue(Callback::Dpc, routine, [dpc, context, first, second], DISPATCH, false, dpc);
        1
    }
}

functions! { pub FLT_WORK = "FLTMGR.SYS", "fltkernel.h";
    /// Allocates a work item that holds a reference to the filter while it is queued.
    [DISPATCH, Fails::Null]
    fn FltAllocateGenericWorkItem() -> u64 { new_item(GENERIC_ITEM) }
    /// Frees a work item.
    [DISPATCH, Fails::Never]
    fn FltFreeGenericWorkItem(item: u64) { free(item, GENERIC_ITEM); }
    /// Queues a work item.
    [DISPATCH, Fails::With(&[status::FLT_DELETING_OBJECT])]
    fn FltQueueGenericWorkItem(item: u64, object: u64, routine: u64, _queue: u32, context: u64) -> Status {
        check(item, GENERIC_ITEM);
        filter::check_object(object);
        queue(Callback::GenericWorkItem, routine, [item, object, context, 0], PASSIVE, true, item);
        status::SUCCESS
    }
    /// Allocates a work item for an operation.
    [DISPATCH, Fails::Null]
    fn FltAllocateDeferredIoWorkItem() -> u64 { new_item(DEFERRED_ITEM) }
    /// Frees a work item.
    [DISPATCH, Fails::Never]
    fn FltFreeDeferredIoWorkItem(item: u64) { free(item, DEFERRED_ITEM); }
    /// Queues a work item for an operation.
    [DISPATCH, Fails::With(&[status::FLT_NOT_SAFE_TO_POST_OPERATION])]
    fn FltQueueDeferredIoWorkItem(item: u64, data: u64, routine: u64, _queue: u32, context: u64) -> Status {
        check(item, DEFERRED_ITEM);
        if !operations::can_be_posted(parameters::checked(data)) {
            return status::FLT_NOT_SAFE_TO_POST_OPERATION;
        }
        with(|state| state.work.posted.push(data));
        queue(Callback::DeferredIoWorkItem, routine, [item, data, context, 0], PASSIVE, true, item);
        status::SUCCESS
    }
}

functions! { pub QUEUES = "FLTMGR.SYS", "fltkernel.h";
    /// Initializes a queue for operations that the driver pends. The model cancels no operation.
    [ANY, Fails::With(&[status::INSUFFICIENT_RESOURCES])]
    fn FltCbdqInitialize(
        instance: u64, address: u64, insert: u64, remove: u64, peek: u64, acquire: u64, release: u64, _cancel: u64,
    ) -> Status {
        if volumes::by_instance(instance).is_none() {
            bad_handle("instance handle", instance);
        }
        with(|state| {
            state.work.queues.retain(|queue| queue.address != address);
            state.work.queues.push(Queue { address, insert, remove, peek, acquire, release, enabled: true });
        });
        status::SUCCESS
    }
    /// Enables insertion of operations.
    [DISPATCH, Fails::Never]
    fn FltCbdqEnable(address: u64) { enable(address, true); }
    /// Disables insertion of operations.
    [DISPATCH, Fails::Never]
    fn FltCbdqDisable(address: u64) { enable(address, false); }
    /// Inserts an operation into the queue.
    [DISPATCH, Fails::With(&[status::FLT_CBDQ_DISABLED])]
    fn FltCbdqInsertIo(address: u64, data: u64, context: Optional, insert_context: u64) -> Status {
        let queue = queue_at(address);
        if !queue.enabled {
            return status::FLT_CBDQ_DISABLED;
        }
        // FLT_CALLBACK_DATA_QUEUE_IO_CONTEXT identifies the operation.
        if context != 0 {
            guest::write(context, data);
        }
        let data = parameters::checked(data);
        let status = locked(queue, || Status(call_back(queue.insert, &[address, data, insert_context]) as u32));
        if status.is_success() {
            with(|state| state.work.posted.push(data));
        }
        status
    }
    /// Removes the next operation from the queue.
    [DISPATCH, Fails::Never]
    fn FltCbdqRemoveNextIo(address: u64, peek_context: u64) -> u64 {
        let queue = queue_at(address);
        locked(queue, || {
            let data = call_back(queue.peek, &[address, 0, peek_context]);
            if data != 0 {
                let _ = call_back(queue.remove, &[address, data]);
            }
            data
        })
    }
    /// Removes a specific operation from the queue.
    [DISPATCH, Fails::Never]
    fn FltCbdqRemoveIo(address: u64, context: u64) -> u64 {
        let queue = queue_at(address);
        let data = guest::read::<u64>(context);
        locked(queue, || {
            if data != 0 {
                let _ = call_back(queue.remove, &[address, data]);
                guest::write(context, 0_u64);
            }
            data
        })
    }
}

fn queue_at(address: u64) -> Queue {
    let queue = with(|state| {
        let mut queues = state.work.queues.iter();
        queues.find(|queue| queue.address == address).copied()
    });
    queue.unwrap_or_else(|| bad_handle("callback data queue", address))
}

fn enable(address: u64, enabled: bool) {
    let _ = queue_at(address);
    with(|state| {
        for queue in &mut state.work.queues {
            if queue.address == address {
                queue.enabled = enabled;
            }
        }
    });
}

/// Runs an action while the driver's lock for the queue is held.
fn locked<T>(queue: Queue, action: impl FnOnce() -> T) -> T {
    let irql = system_block(8, "the IRQL of a queue's lock");
    let _ = call_back(queue.acquire, &[queue.address, irql]);
    let result = action();
    let old = u64::from(guest::read::<u8>(irql));
    let _ = call_back(queue.release, &[queue.address, old]);
    must(memory::free(irql, false));
    result
}

/// The families of work items, by the function that allocates.
const IO_ITEM: &str = "IoAllocateWorkItem";
const GENERIC_ITEM: &str = "FltAllocateGenericWorkItem";
const DEFERRED_ITEM: &str = "FltAllocateDeferredIoWorkItem";

/// Ends the scenario if a work item was not allocated by a function, or is queued.
fn check(item: u64, by: &str) {
    if !holds(Kind::WorkItem, item) {
        bad_handle("work item", item);
    }
    match held_once(Kind::WorkItem, item) {
        Some(what) if what != by => unfit("work item", format!("a work item of {what}")),
        _ => idle(item),
    }
}

/// Ends the scenario if a work item is queued.
fn idle(item: u64) {
    if is_queued(item) {
        unfit("work item", "a work item that is queued");
    }
}

fn is_queued(key: u64) -> bool {
    with(|state| state.work.queue.iter().any(|item| item.key == key))
}

fn new_item(by: &str) -> u64 {
    let item = memory::handle("a work item".to_owned());
    acquire(Kind::WorkItem, item, by);
    item
}

fn free(item: u64, by: &str) {
    if holds(Kind::WorkItem, item) {
        check(item, by);
    }
    must_release(Kind::WorkItem, item);
}

fn new_timer(timer: u64) {
    const NOTIFICATION_TIMER: u8 = 8;
    guest::fill(timer, 0, TIMER_SIZE);
    dispatcher(timer, NOTIFICATION_TIMER, 0);
}

fn queue(
    callback: Callback,
    routine: u64,
    arguments: [u64; 4],
    irql: u8,
    holds_back: bool,
    key: u64,
) {
    with(|state| {
        state.work.queue.push(Item {
            callback,
            routine,
            arguments,
            irql,
            holds_back,
            key,
            due: None,
            period: 0,
        });
    });
}

fn remove(key: u64) -> bool {
    with(|state| {
        let queue = &mut state.work.queue;
        let before = queue.len();
        queue.retain(|item| item.key != key);
        queue.len() != before
    })
}

/// The size of `KTIMER`.
const TIMER_SIZE: usize = 0x40;

fn set_timer(timer: u64, due: i64, period: u32, dpc: u64) -> u8 {
    guest::touch(initialized(timer), TIMER_SIZE);
    let was_set = remove(timer);
    if dpc != 0 {
        let (routine, context) = (guest::read(dpc + 0x18), guest::read(dpc + 0x20));
        queue(
            Callback::TimerDpc,
            routine,
            [dpc, context, 0, 0],
            DISPATCH,
            false,
            timer,
        );
        if is_test() {
            with(|state| {
                // A time that is not positive is relative.
                let due = if due > 0 { due } else { state.clock - due };
                if let Some(item) = state.work.queue.last_mut() {
                    item.due = Some(due);
                    item.period = i64::from(period) * 10_000;
                }
            });
        }
    }
    u8::from(was_set)
}
