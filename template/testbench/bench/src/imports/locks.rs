//! Locks, events and IRQL.
//!
//! Documents: "Introduction to Spin Locks", "ERESOURCE Structure and Routines", "Fast Mutexes and Guarded Mutexes",
//! "Introduction to Kernel Dispatcher Objects", "Managing Hardware Priorities".

use crate::machine::declare::functions;
use crate::machine::events::{misuse, refuse, running};
use crate::machine::function::{Fails, Optional};
use crate::machine::ledger::{acquire, bad_handle, held_once, release, unfit};
use crate::machine::memory::FILL;
use crate::machine::schedule::{Queued, block_until, run_queued, try_until};
use crate::machine::space::Purpose;
use crate::machine::state::{with, with_thread};
use crate::machine::threads::{self, set_irql};
use crate::machine::{guest, memory};
use crate::objects::locks::Lock;
use crate::trace::{Kind, Misuse, Wait};
use crate::vocabulary::irql::{self, ANY, APC, DISPATCH, PASSIVE};
use crate::vocabulary::status::{self, Status};

functions! { pub LOCKS = "ntoskrnl.exe", "wdm.h";
    /// Initializes a spin lock.
    [ANY, Fails::Quiet]
    fn KeInitializeSpinLock(lock: u64) { guest::write(lock, 0_u64); }
    /// Raises the IRQL to `DISPATCH_LEVEL` and acquires a spin lock.
    [DISPATCH, Fails::Never]
    fn KeAcquireSpinLockRaiseToDpc(lock: u64) -> u8 { spin(lock, SPIN) }
    /// Releases a spin lock and restores the IRQL.
    [DISPATCH, Fails::Never]
    fn KeReleaseSpinLock(lock: u64, irql: u8) { release_spin(lock, SPIN); set_irql(irql); }
    /// Acquires a spin lock at `DISPATCH_LEVEL`.
    [DISPATCH, Fails::Never]
    fn KeAcquireSpinLockAtDpcLevel(lock: u64) { must_be_at(DISPATCH); let _ = spin(lock, SPIN); }
    /// Releases a spin lock. The IRQL remains `DISPATCH_LEVEL`.
    [DISPATCH, Fails::Never]
    fn KeReleaseSpinLockFromDpcLevel(lock: u64) { release_spin(lock, SPIN); }
    /// Raises the IRQL and acquires a queued spin lock. The handle stores the previous IRQL.
    [DISPATCH, Fails::Never]
    fn KeAcquireInStackQueuedSpinLock(lock: u64, handle: u64) {
        let irql = spin(lock, QUEUED);
        guest::write(handle + 8, lock);
        guest::write(handle + 16, irql);
    }
    /// Releases a queued spin lock and restores the IRQL.
    [DISPATCH, Fails::Never]
    fn KeReleaseInStackQueuedSpinLock(handle: u64) {
        release_spin(guest::read(handle + 8), QUEUED);
        set_irql(guest::read(handle + 16));
    }
    /// Returns the current IRQL.
    [ANY, Fails::Quiet]
    fn KeGetCurrentIrql() -> u8 { threads::irql() }
    /// Raises the IRQL.
    [ANY, Fails::Never]
    fn KfRaiseIrql(irql: u8) -> u8 { raise(irql) }
    /// Raises the IRQL.
    [DISPATCH, Fails::Never]
    fn KeRaiseIrqlToDpcLevel() -> u8 { raise(DISPATCH) }
    /// Lowers the IRQL.
    [ANY, Fails::Never]
    fn KeLowerIrql(irql: u8) {
        if irql > threads::irql() {
            wrong(format!("KeLowerIrql raises the IRQL to {}", irql::name(irql)));
        }
        set_irql(irql);
    }

    /// Raises the IRQL to `APC_LEVEL` and acquires a fast mutex.
    [APC, Fails::Never]
    fn ExAcquireFastMutex(mutex: u64) {
        check_mutex(mutex);
        lock_it(mutex, true, MUTEX);
        set_irql(APC);
    }
    /// Acquires a fast mutex if it is available.
    [APC, Fails::Null]
    fn ExTryToAcquireFastMutex(mutex: u64) -> u8 {
        check_mutex(mutex);
        let acquired = try_lock(mutex, true, MUTEX);
        if acquired {
            set_irql(APC);
        }
        u8::from(acquired)
    }
    /// Releases a fast mutex and restores the IRQL.
    [APC, Fails::Never]
    fn ExReleaseFastMutex(mutex: u64) {
        must_be_at(APC);
        set_irql(unlock(mutex, true, MUTEX));
    }
    /// Acquires a fast mutex. APCs must be disabled.
    [APC, Fails::Never]
    fn ExAcquireFastMutexUnsafe(mutex: u64) {
        without_apcs();
        check_mutex(mutex);
        lock_it(mutex, true, UNSAFE_MUTEX);
    }
    /// Releases a fast mutex.
    [APC, Fails::Never]
    fn ExReleaseFastMutexUnsafe(mutex: u64) { unlock(mutex, true, UNSAFE_MUTEX); }

    /// Initializes an ERESOURCE. `STATUS_SUCCESS` is the only documented result.
    [DISPATCH, Fails::Never]
    fn ExInitializeResourceLite(resource: u64) -> Status {
        in_nonpaged_memory(resource, RESOURCE);
        guest::fill(resource, 0, 0x68);
        with(|state| state.locks.resources.push(resource));
        acquire(Kind::Eresource, resource, "ExInitializeResourceLite");
        status::SUCCESS
    }
    /// Deletes an ERESOURCE.
    [APC, Fails::Never]
    fn ExDeleteResourceLite(resource: u64) -> Status {
        checked(resource, true);
        if with(|state| state.locks.held.iter().any(|lock| lock.address == resource)) {
            misuse(Misuse::Lock { problem: "an ERESOURCE is deleted while it is held".to_owned() });
        }
        let _ = release(Kind::Eresource, resource);
        with(|state| state.locks.resources.retain(|known| *known != resource));
        status::SUCCESS
    }
    /// Acquires an ERESOURCE for exclusive access.
    [APC, Fails::Null, unless wait != 0]
    fn ExAcquireResourceExclusiveLite(resource: u64, wait: u8) -> u8 { take_or_not(resource, true, wait) }
    /// Acquires an ERESOURCE for shared access.
    [APC, Fails::Null, unless wait != 0]
    fn ExAcquireResourceSharedLite(resource: u64, wait: u8) -> u8 { take_or_not(resource, false, wait) }
    /// Acquires an ERESOURCE for shared access before exclusive waiters.
    [APC, Fails::Null, unless wait != 0]
    fn ExAcquireSharedStarveExclusive(resource: u64, wait: u8) -> u8 { take_or_not(resource, false, wait) }
    /// Releases an ERESOURCE.
    [DISPATCH, Fails::Never]
    fn ExReleaseResourceLite(resource: u64) { without_apcs(); give_back(resource); }
    /// Returns whether this thread holds an ERESOURCE exclusively.
    [DISPATCH, Fails::Never]
    fn ExIsResourceAcquiredExclusiveLite(resource: u64) -> u8 { checked(resource, false); u8::from(holds(resource, true) != 0) }
    /// Returns the number of times that this thread has acquired an ERESOURCE.
    [DISPATCH, Fails::Never]
    fn ExIsResourceAcquiredSharedLite(resource: u64) -> u32 { checked(resource, false); holds(resource, false) }
    /// Disables normal kernel APCs.
    [APC, Fails::Quiet]
    fn KeEnterCriticalRegion() { enter_region(); }
    /// Enables normal kernel APCs.
    [APC, Fails::Quiet]
    fn KeLeaveCriticalRegion() { leave_region(); }
    /// Returns whether normal kernel APCs are disabled.
    [DISPATCH, Fails::Quiet]
    fn KeAreApcsDisabled() -> u8 { u8::from(are_apcs_disabled()) }
    /// Returns whether all APCs are disabled.
    [DISPATCH, Fails::Quiet]
    fn KeAreAllApcsDisabled() -> u8 { u8::from(threads::irql() >= APC) }

    /// Initializes an event.
    [ANY, Fails::Quiet]
    fn KeInitializeEvent(event: u64, kind: u32, state: u8) {
        dispatcher(event, kind as u8, i32::from(state));
    }
    /// Signals an event.
    [DISPATCH, Fails::Never]
    fn KeSetEvent(event: u64, _increment: i32, wait: u8) -> i32 {
        if wait != 0 && threads::irql() > APC {
            misuse(Misuse::Irql { problem: "KeSetEvent is called with Wait TRUE above APC_LEVEL".to_owned() });
        }
        signal(event, 1)
    }
    /// Resets an event.
    [DISPATCH, Fails::Never]
    fn KeClearEvent(event: u64) { let _ = signal(event, 0); }
    /// Resets an event and returns its previous state.
    [DISPATCH, Fails::Never]
    fn KeResetEvent(event: u64) -> i32 { signal(event, 0) }
    /// Returns whether an event is signalled.
    [DISPATCH, Fails::Never]
    fn KeReadStateEvent(event: u64) -> i32 { guest::read(initialized(event) + 4) }
    /// Initializes a mutex.
    [ANY, Fails::Quiet]
    fn KeInitializeMutex(mutex: u64, _level: u32) { dispatcher(mutex, MUTANT, 1); }
    /// Releases a mutex.
    [DISPATCH, Fails::Never]
    fn KeReleaseMutex(mutex: u64, _wait: u8) -> i32 {
        unlock(mutex, true, KMUTEX);
        signal(mutex, guest::read::<i32>(mutex + 4) + 1)
    }
    /// Initializes a semaphore.
    [PASSIVE, Fails::Never]
    fn KeInitializeSemaphore(semaphore: u64, count: i32, limit: i32) {
        if limit < 1 || !(0..=limit).contains(&count) {
            refuse((), format!("a semaphore has no count of {count} with the limit {limit}"));
        }
        dispatcher(semaphore, 5, count);
        guest::write(semaphore + LIMIT, limit);
    }
    /// Releases a semaphore.
    [DISPATCH, Fails::Never]
    fn KeReleaseSemaphore(semaphore: u64, _increment: i32, by: i32, _wait: u8) -> i32 {
        let count = guest::read::<i32>(initialized(semaphore) + 4).wrapping_add(by);
        let limit = guest::read::<i32>(semaphore + LIMIT);
        if by < 1 || count > limit {
            wrong(format!("KeReleaseSemaphore adds {by} to a semaphore with the limit {limit}: the count is to be {count}"));
        }
        signal(semaphore, count)
    }
    /// Waits for a dispatcher object.
    [DISPATCH, Fails::Never]
    fn KeWaitForSingleObject(object: u64, _reason: u32, _mode: u8, _alertable: u8, timeout: Optional) -> Status {
        wait(object, timeout)
    }
    /// Waits for a time interval.
    [APC, Fails::Never]
    fn KeDelayExecutionThread(_mode: u8, _alertable: u8, interval: u64) -> Status {
        guest::touch(interval, 8);
        run_queued(Queued::Everything);
        status::SUCCESS
    }

    /// Initializes rundown protection.
    [APC, Fails::Quiet]
    fn ExInitializeRundownProtection(rundown: u64) { guest::write(rundown, 0_u64); }
    /// Acquires rundown protection. Fails while the object is being run down.
    [DISPATCH, Fails::Null]
    fn ExAcquireRundownProtection(rundown: u64) -> u8 {
        let count = guest::read::<u64>(set_up(rundown, "rundown protection"));
        if count & 1 != 0 {
            return 0;
        }
        guest::write(rundown, count + 2);
        1
    }
    /// Releases rundown protection.
    [DISPATCH, Fails::Never]
    fn ExReleaseRundownProtection(rundown: u64) {
        let count = guest::read::<u64>(set_up(rundown, "rundown protection"));
        if count < 2 {
            wrong("rundown protection is released more often than it was acquired".to_owned());
        }
        guest::write(rundown, count - 2);
    }
    /// Waits until all rundown protection is released.
    [APC, Fails::Never]
    fn ExWaitForRundownProtectionRelease(rundown: u64) {
        block_until(Queued::Everything, || Wait::Rundown, || guest::read::<u64>(set_up(rundown, "rundown protection")) <= 1);
        guest::write(rundown, 1_u64);
    }
}

functions! { pub FLT_LOCKS = "FLTMGR.SYS", "fltkernel.h";
    /// Acquires an ERESOURCE for exclusive access.
    [APC, Fails::Never]
    fn FltAcquireResourceExclusive(resource: u64) { enter_region(); take(resource, true); }
    /// Acquires an ERESOURCE for shared access.
    [APC, Fails::Never]
    fn FltAcquireResourceShared(resource: u64) { enter_region(); take(resource, false); }
    /// Releases an ERESOURCE.
    [DISPATCH, Fails::Never]
    fn FltReleaseResource(resource: u64) { give_back(resource); leave_region(); }
    /// Initializes a push lock.
    [APC, Fails::Never]
    fn FltInitializePushLock(lock: u64) { guest::write(lock, 0_u64); }
    /// Deletes a push lock.
    [APC, Fails::Never]
    fn FltDeletePushLock(lock: u64) { set_up(lock, PUSH); }
    /// Acquires a push lock for exclusive access.
    [APC, Fails::Never]
    fn FltAcquirePushLockExclusive(lock: u64) { enter_region(); lock_it(lock, true, PUSH); }
    /// Acquires a push lock for shared access.
    [APC, Fails::Never]
    fn FltAcquirePushLockShared(lock: u64) { enter_region(); lock_it(lock, false, PUSH); }
    /// Releases a push lock.
    [APC, Fails::Never]
    fn FltReleasePushLock(lock: u64) { unlock(lock, holds_exclusively(lock), PUSH); leave_region(); }
    /// Acquires a push lock for exclusive access.
    [APC, Fails::Never]
    fn FltAcquirePushLockExclusiveEx(lock: u64, _flags: u32) { enter_region(); lock_it(lock, true, PUSH); }
    /// Acquires a push lock for shared access.
    [APC, Fails::Never]
    fn FltAcquirePushLockSharedEx(lock: u64, _flags: u32) { enter_region(); lock_it(lock, false, PUSH); }
    /// Releases a push lock.
    [APC, Fails::Never]
    fn FltReleasePushLockEx(lock: u64, _flags: u32) {
        unlock(lock, holds_exclusively(lock), PUSH);
        leave_region();
    }
    /// Waits for a dispatcher object. The wait is cancelled if the thread is terminated.
    [APC, Fails::With(&[status::CANCELLED])]
    fn FltCancellableWaitForSingleObject(object: u64, timeout: Optional, _data: u64) -> Status {
        wait(object, timeout)
    }
}

functions! { pub NTIFS_LOCKS = "ntoskrnl.exe", "ntifs.h";
    /// Disables normal kernel APCs.
    [APC, Fails::Quiet]
    fn FsRtlEnterFileSystem() { enter_region(); }
    /// Enables normal kernel APCs.
    [APC, Fails::Quiet]
    fn FsRtlExitFileSystem() { leave_region(); }
    /// Disables normal kernel APCs and acquires an ERESOURCE for exclusive access.
    [APC, Fails::Never]
    fn ExEnterCriticalRegionAndAcquireResourceExclusive(resource: u64) -> u64 { enter_region(); take(resource, true); 1 }
    /// Disables normal kernel APCs and acquires an ERESOURCE for shared access.
    [APC, Fails::Never]
    fn ExEnterCriticalRegionAndAcquireResourceShared(resource: u64) -> u64 { enter_region(); take(resource, false); 1 }
    /// Releases an ERESOURCE and enables normal kernel APCs.
    [APC, Fails::Never]
    fn ExReleaseResourceAndLeaveCriticalRegion(resource: u64) {
        give_back(resource);
        leave_region();
    }
    /// Initializes a push lock.
    [APC, Fails::Quiet]
    fn ExInitializePushLock(lock: u64) { guest::write(lock, 0_u64); }
    /// Acquires a push lock for exclusive access.
    [APC, Fails::Never]
    fn ExAcquirePushLockExclusiveEx(lock: u64, _flags: u32) { without_apcs(); lock_it(lock, true, PUSH); }
    /// Acquires a push lock for shared access.
    [APC, Fails::Never]
    fn ExAcquirePushLockSharedEx(lock: u64, _flags: u32) { without_apcs(); lock_it(lock, false, PUSH); }
    /// Releases a push lock.
    [APC, Fails::Never]
    fn ExReleasePushLockExclusiveEx(lock: u64, _flags: u32) { without_apcs(); unlock(lock, true, PUSH); }
    /// Releases a push lock.
    [APC, Fails::Never]
    fn ExReleasePushLockSharedEx(lock: u64, _flags: u32) { without_apcs(); unlock(lock, false, PUSH); }
}

/// The kinds of locks.
const SPIN: &str = "spin lock";
const QUEUED: &str = "queued spin lock";
const MUTEX: &str = "fast mutex";
const UNSAFE_MUTEX: &str = "fast mutex of ExAcquireFastMutexUnsafe";
const PUSH: &str = "push lock";
const RESOURCE: &str = "ERESOURCE";
const KMUTEX: &str = "mutex";

/// The offset of `Limit` in `KSEMAPHORE`.
const LIMIT: u64 = 0x18;

/// Returns a kind of lock with its article.
fn one(kind: &str) -> String {
    let article = if kind == RESOURCE { "an" } else { "a" };
    format!("{article} {kind}")
}

fn wrong(problem: String) -> ! {
    misuse(Misuse::Lock { problem })
}

fn raise(irql: u8) -> u8 {
    let before = threads::irql();
    if irql < before {
        wrong(format!(
            "the IRQL is raised from {} to {}",
            irql::name(before),
            irql::name(irql)
        ));
    }
    set_irql(irql);
    before
}

/// Ends the scenario if the IRQL of a call is too low.
fn must_be_at(lowest: u8) {
    let now = threads::irql();
    if now < lowest {
        let function = running().unwrap_or("the function");
        let problem = format!(
            "{function} is called at {}; its document requires {}",
            irql::name(now),
            irql::name(lowest)
        );
        misuse(Misuse::Irql { problem });
    }
}

fn enter_region() {
    with_thread(|thread| thread.regions += 1);
}

fn leave_region() {
    if with_thread(|thread| thread.regions) == 0 {
        wrong("the thread leaves a critical region that it did not enter".to_owned());
    }
    with_thread(|thread| thread.regions -= 1);
}

fn are_apcs_disabled() -> bool {
    // A thread that holds a mutex object is in a critical region.
    let thread = threads::current();
    with_thread(|thread| thread.regions) > 0
        || threads::irql() >= APC
        || with(|state| state.locks.of(thread).any(|lock| lock.kind == KMUTEX))
}

/// Ends the scenario if a lock is used in a thread that normal kernel APCs can interrupt. They do not interrupt the
/// threads of the system process.
fn without_apcs() {
    if !are_apcs_disabled() && threads::process_of(threads::current()) != 0 {
        let function = running().unwrap_or("the function");
        wrong(format!(
            "{function} is called while normal kernel APCs are enabled"
        ));
    }
}

/// Ends the scenario if an object is in paged pool.
pub fn in_nonpaged_memory(object: u64, what: &str) {
    if memory::purpose_at(object) == Some(Purpose::PagedPool) {
        let problem = format!("the {what} is in paged pool; it must be in nonpaged memory");
        misuse(Misuse::Irql { problem });
    }
}

/// Ends the scenario if an object was not initialized.
pub fn set_up(object: u64, what: &str) -> u64 {
    if guest::read::<u64>(object) == u64::from_ne_bytes([FILL; 8]) {
        bad_handle(what, u64::from_ne_bytes([FILL; 8]));
    }
    object
}

fn spin(lock: u64, kind: &'static str) -> u8 {
    let before = raise(DISPATCH.max(threads::irql()));
    lock_it(lock, true, kind);
    before
}

fn release_spin(lock: u64, kind: &'static str) {
    must_be_at(DISPATCH);
    unlock(lock, true, kind);
}

/// Returns the thread that keeps the current thread from acquiring a lock.
fn holder(address: u64, exclusive: bool, kind: &str) -> Option<u32> {
    let thread = threads::current();
    // The thread that holds an ERESOURCE exclusively can acquire it again.
    let recursive = kind == RESOURCE;
    with(|state| {
        let mut held = state.locks.held.iter();
        let by = held.find(|lock| {
            let again = recursive && lock.thread == thread && lock.exclusive;
            lock.address == address && (exclusive || lock.exclusive) && !again
        });
        by.map(|lock| lock.thread)
    })
}

/// Acquires a lock for the current thread.
fn lock_it(address: u64, exclusive: bool, kind: &'static str) {
    guest::touch(set_up(address, kind), 8);
    let thread = threads::current();
    if kind == PUSH && !exclusive && holds(address, false) != 0 && holds(address, true) == 0 {
        wrong("a push lock is acquired that the thread holds for shared access".to_owned());
    }
    let wait = || Wait::Lock {
        lock: kind.to_owned(),
        holder: holder(address, exclusive, kind)
            .filter(|holder| *holder != thread)
            .and_then(threads::routine_of),
    };
    block_until(Queued::Nothing, wait, || {
        holder(address, exclusive, kind).is_none()
    });
    hold(address, exclusive, kind);
}

/// Acquires a lock for the current thread if it is free.
fn try_lock(address: u64, exclusive: bool, kind: &'static str) -> bool {
    guest::touch(set_up(address, kind), 8);
    let free = holder(address, exclusive, kind).is_none();
    if free {
        hold(address, exclusive, kind);
    }
    free
}

fn hold(address: u64, exclusive: bool, kind: &'static str) {
    let lock = Lock {
        address,
        thread: threads::current(),
        kind,
        exclusive,
        irql: threads::irql(),
    };
    with(|state| state.locks.held.push(lock));
}

/// Releases a lock. Returns the IRQL at which it was acquired.
fn unlock(address: u64, exclusive: bool, kind: &'static str) -> u8 {
    guest::touch(address, 8);
    let thread = threads::current();
    let lock = with(|state| {
        let held = state.locks.held.iter().enumerate().rev();
        let here = held.filter(|(_, lock)| lock.address == address);
        here.max_by_key(|(_, lock)| lock.thread == thread)
            .map(|(at, lock)| (at, *lock))
    });
    let Some((at, lock)) = lock else {
        wrong(format!("{} that is not held is released", one(kind)))
    };
    if lock.thread != thread {
        wrong(format!(
            "{} that another thread holds is released",
            one(kind)
        ));
    }
    if lock.kind != kind {
        wrong(format!("{} is released as {}", one(lock.kind), one(kind)));
    }
    if lock.exclusive != exclusive {
        let how = |exclusive| if exclusive { "exclusive" } else { "shared" };
        wrong(format!(
            "{} that is held for {} access is released as one for {} access",
            one(kind),
            how(lock.exclusive),
            how(exclusive)
        ));
    }
    with(|state| state.locks.held.remove(at));
    lock.irql
}

/// Ends the scenario if a fast mutex was not initialized.
fn check_mutex(mutex: u64) {
    in_nonpaged_memory(mutex, MUTEX);
    // ExInitializeFastMutex is inline code. It sets the count to 1.
    let held = with(|state| state.locks.held.iter().any(|lock| lock.address == mutex));
    if !held && guest::read::<i32>(mutex) != 1 {
        let given = "memory that was never set up with ExInitializeFastMutex";
        unfit("fast mutex", given);
    }
}

fn checked(resource: u64, deleting: bool) {
    if with(|state| state.locks.resources.contains(&resource)) {
        return;
    }
    let before = held_once(Kind::Eresource, resource).is_some();
    if before && deleting {
        misuse(Misuse::ReleasedTwice {
            what: "an ERESOURCE".to_owned(),
        });
    }
    misuse(Misuse::Handle {
        expected: "ERESOURCE".to_owned(),
        given: if before {
            "an ERESOURCE that was deleted".to_owned()
        } else {
            "memory that was never set up with ExInitializeResourceLite".to_owned()
        },
        unset: !before,
        released_in_teardown: before,
    })
}

fn take(resource: u64, exclusive: bool) {
    checked(resource, false);
    lock_it(resource, exclusive, RESOURCE);
}

/// Acquires an ERESOURCE. Returns FALSE if `Wait` is FALSE and it is not free.
fn take_or_not(resource: u64, exclusive: bool, wait: u8) -> u8 {
    without_apcs();
    checked(resource, false);
    if wait == 0 {
        return u8::from(try_lock(resource, exclusive, RESOURCE));
    }
    lock_it(resource, exclusive, RESOURCE);
    1
}

fn give_back(resource: u64) {
    checked(resource, false);
    unlock(resource, holds_exclusively(resource), RESOURCE);
}

/// Returns whether the last acquisition of a lock by this thread is for exclusive access.
fn holds_exclusively(address: u64) -> bool {
    let thread = threads::current();
    with(|state| {
        let mut held = state.locks.held.iter().rev();
        let last = held.find(|lock| lock.address == address && lock.thread == thread);
        last.is_some_and(|lock| lock.exclusive)
    })
}

fn holds(resource: u64, exclusive: bool) -> u32 {
    let thread = threads::current();
    with(|state| {
        let held = state.locks.held.iter();
        held.filter(|lock| {
            lock.address == resource && lock.thread == thread && (lock.exclusive || !exclusive)
        })
        .count() as u32
    })
}

/// Initializes a `DISPATCHER_HEADER`: type, signal state, an empty wait list.
pub fn dispatcher(object: u64, kind: u8, state: i32) {
    in_nonpaged_memory(object, "dispatcher object");
    guest::write(object, u32::from(kind));
    guest::write(object + 4, state);
    guest::write(object + 8, object + 8);
    guest::write(object + 16, object + 8);
}

/// Ends the scenario if a dispatcher object was not initialized: its list of waits is not set up.
pub fn initialized(object: u64) -> u64 {
    if guest::read::<u64>(object + 8) != object + 8 {
        let given = "memory that was never set up as a dispatcher object";
        unfit("dispatcher object", given);
    }
    object
}

fn signal(object: u64, state: i32) -> i32 {
    let before = guest::read(initialized(object) + 4);
    guest::write(object + 4, state);
    before
}

fn wait(object: u64, timeout: u64) -> Status {
    if threads::irql() >= DISPATCH && (timeout == 0 || guest::read::<i64>(timeout) != 0) {
        misuse(Misuse::Lock {
            problem: "it waits at DISPATCH_LEVEL with a timeout that is not zero".to_owned(),
        });
    }
    let is_mutex = guest::read::<u8>(initialized(object)) == MUTANT;
    // The thread that holds a mutex can acquire it again.
    let signalled = || guest::read::<i32>(object + 4) > 0 || is_mutex && holds(object, true) != 0;
    if timeout == 0 {
        block_until(Queued::Everything, || Wait::Object, signalled);
    } else if !try_until(Queued::Everything, signalled) {
        return status::TIMEOUT;
    }
    let state = guest::read::<i32>(object + 4);
    // A notification event stays signalled. A synchronization event, a mutex and a semaphore do not.
    if guest::read::<u8>(object) != 0 {
        guest::write(object + 4, state - 1);
    }
    if is_mutex {
        hold(object, true, KMUTEX);
    }
    status::SUCCESS
}

/// `MutantObject`, the type of a mutex.
const MUTANT: u8 = 2;
