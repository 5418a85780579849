//! Locks, events and IRQL.
//!
//! Documents: "Introduction to Spin Locks", "ERESOURCE Structure and Routines", "Fast Mutexes and Guarded Mutexes",
//! "Introduction to Kernel Dispatcher Objects", "Managing Hardware Priorities".

use crate::machine::declare::functions;
use crate::machine::events::misuse;
use crate::machine::function::{Fails, Optional};
use crate::machine::guest;
use crate::machine::ledger::{acquire, held_once, release};
use crate::machine::schedule::{Queued, block_until, run_queued, try_until};
use crate::machine::state::with;
use crate::machine::threads::{self, set_irql};
use crate::objects::locks::Lock;
use crate::trace::{Kind, Misuse, Wait};
use crate::vocabulary::irql::{self, ANY, APC, DISPATCH};
use crate::vocabulary::status::{self, Status};

functions! { pub LOCKS = "ntoskrnl.exe", "wdm.h";
    /// Initializes a spin lock.
    [ANY, Fails::Quiet]
    fn KeInitializeSpinLock(lock: u64) { guest::write(lock, 0_u64); }
    /// Raises the IRQL to `DISPATCH_LEVEL` and acquires a spin lock.
    [DISPATCH, Fails::Never]
    fn KeAcquireSpinLockRaiseToDpc(lock: u64) -> u8 { spin(lock) }
    /// Releases a spin lock and restores the IRQL.
    [DISPATCH, Fails::Never]
    fn KeReleaseSpinLock(lock: u64, irql: u8) { unlock(lock, "spin lock"); set_irql(irql); }
    /// Acquires a spin lock at `DISPATCH_LEVEL`.
    [DISPATCH, Fails::Never]
    fn KeAcquireSpinLockAtDpcLevel(lock: u64) { let _ = spin(lock); }
    /// Releases a spin lock. The IRQL remains `DISPATCH_LEVEL`.
    [DISPATCH, Fails::Never]
    fn KeReleaseSpinLockFromDpcLevel(lock: u64) { unlock(lock, "spin lock"); }
    /// Raises the IRQL and acquires a queued spin lock. The handle stores the previous IRQL.
    [DISPATCH, Fails::Never]
    fn KeAcquireInStackQueuedSpinLock(lock: u64, handle: u64) {
        let irql = spin(lock);
        guest::write(handle + 8, lock);
        guest::write(handle + 16, irql);
    }
    /// Releases a queued spin lock and restores the IRQL.
    [DISPATCH, Fails::Never]
    fn KeReleaseInStackQueuedSpinLock(handle: u64) {
        unlock(guest::read(handle + 8), "spin lock");
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
    fn KeLowerIrql(irql: u8) { set_irql(irql); }

    /// Raises the IRQL to `APC_LEVEL` and acquires a fast mutex.
    [APC, Fails::Never]
    fn ExAcquireFastMutex(mutex: u64) { fast_mutex(mutex); set_irql(APC); }
    /// Acquires a fast mutex if it is available.
    [APC, Fails::Null]
    fn ExTryToAcquireFastMutex(mutex: u64) -> u8 { fast_mutex(mutex); set_irql(APC); 1 }
    /// Releases a fast mutex and restores the IRQL.
    [APC, Fails::Never]
    fn ExReleaseFastMutex(mutex: u64) {
        let irql = unlock(mutex, "fast mutex");
        set_irql(irql);
    }
    /// Acquires a fast mutex. APCs must be disabled.
    [APC, Fails::Never]
    fn ExAcquireFastMutexUnsafe(mutex: u64) { fast_mutex(mutex); }
    /// Releases a fast mutex.
    [APC, Fails::Never]
    fn ExReleaseFastMutexUnsafe(mutex: u64) { unlock(mutex, "fast mutex"); }

    /// Initializes an ERESOURCE. `STATUS_SUCCESS` is the only documented result.
    [DISPATCH, Fails::Never]
    fn ExInitializeResourceLite(resource: u64) -> Status {
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
    [APC, Fails::Never]
    fn ExAcquireResourceExclusiveLite(resource: u64, _wait: u8) -> u8 { take(resource, true); 1 }
    /// Acquires an ERESOURCE for shared access.
    [APC, Fails::Never]
    fn ExAcquireResourceSharedLite(resource: u64, _wait: u8) -> u8 { take(resource, false); 1 }
    /// Acquires an ERESOURCE for shared access before exclusive waiters.
    [APC, Fails::Never]
    fn ExAcquireSharedStarveExclusive(resource: u64, _wait: u8) -> u8 { take(resource, false); 1 }
    /// Releases an ERESOURCE.
    [DISPATCH, Fails::Never]
    fn ExReleaseResourceLite(resource: u64) { checked(resource, false); unlock(resource, "ERESOURCE"); }
    /// Returns whether this thread holds an ERESOURCE exclusively.
    [DISPATCH, Fails::Never]
    fn ExIsResourceAcquiredExclusiveLite(resource: u64) -> u8 { u8::from(holds(resource, true) != 0) }
    /// Returns the number of times that this thread has acquired an ERESOURCE.
    [DISPATCH, Fails::Never]
    fn ExIsResourceAcquiredSharedLite(resource: u64) -> u32 { holds(resource, false) }
    /// Disables normal kernel APCs.
    [APC, Fails::Quiet]
    fn KeEnterCriticalRegion() {}
    /// Enables normal kernel APCs.
    [APC, Fails::Quiet]
    fn KeLeaveCriticalRegion() {}
    /// Returns whether normal kernel APCs are disabled.
    [ANY, Fails::Quiet]
    fn KeAreApcsDisabled() -> u8 { 0 }
    /// Returns whether all APCs are disabled.
    [ANY, Fails::Quiet]
    fn KeAreAllApcsDisabled() -> u8 { u8::from(threads::irql() >= APC) }

    /// Initializes an event.
    [ANY, Fails::Quiet]
    fn KeInitializeEvent(event: u64, kind: u32, state: u8) {
        dispatcher(event, kind as u8, i32::from(state));
    }
    /// Signals an event.
    [DISPATCH, Fails::Never]
    fn KeSetEvent(event: u64, _increment: i32, _wait: u8) -> i32 { signal(event, 1) }
    /// Resets an event.
    [DISPATCH, Fails::Never]
    fn KeClearEvent(event: u64) { let _ = signal(event, 0); }
    /// Resets an event and returns its previous state.
    [DISPATCH, Fails::Never]
    fn KeResetEvent(event: u64) -> i32 { signal(event, 0) }
    /// Returns whether an event is signalled.
    [DISPATCH, Fails::Never]
    fn KeReadStateEvent(event: u64) -> i32 { guest::read(event + 4) }
    /// Initializes a mutex.
    [ANY, Fails::Quiet]
    fn KeInitializeMutex(mutex: u64, _level: u32) { dispatcher(mutex, 2, 1); }
    /// Releases a mutex.
    [DISPATCH, Fails::Never]
    fn KeReleaseMutex(mutex: u64, _wait: u8) -> i32 { signal(mutex, 1) }
    /// Initializes a semaphore.
    [ANY, Fails::Quiet]
    fn KeInitializeSemaphore(semaphore: u64, count: i32, _limit: i32) { dispatcher(semaphore, 5, count); }
    /// Releases a semaphore.
    [DISPATCH, Fails::Never]
    fn KeReleaseSemaphore(semaphore: u64, _increment: i32, by: i32, _wait: u8) -> i32 {
        let count = guest::read::<i32>(semaphore + 4);
        signal(semaphore, count.wrapping_add(by))
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
    [ANY, Fails::Quiet]
    fn ExInitializeRundownProtection(rundown: u64) { guest::write(rundown, 0_u64); }
    /// Acquires rundown protection. Fails while the object is being run down.
    [DISPATCH, Fails::Null]
    fn ExAcquireRundownProtection(rundown: u64) -> u8 {
        let count = guest::read::<u64>(rundown);
        if count & 1 != 0 {
            return 0;
        }
        guest::write(rundown, count + 2);
        1
    }
    /// Releases rundown protection.
    [DISPATCH, Fails::Never]
    fn ExReleaseRundownProtection(rundown: u64) {
        let count = guest::read::<u64>(rundown);
        guest::write(rundown, count.wrapping_sub(2));
    }
    /// Waits until all rundown protection is released.
    [APC, Fails::Never]
    fn ExWaitForRundownProtectionRelease(rundown: u64) {
        block_until(Queued::Everything, || Wait::Rundown, || guest::read::<u64>(rundown) <= 1);
        guest::write(rundown, 1_u64);
    }
}

functions! { pub FLT_LOCKS = "FLTMGR.SYS", "fltkernel.h";
    /// Acquires an ERESOURCE for exclusive access.
    [APC, Fails::Never]
    fn FltAcquireResourceExclusive(resource: u64) { take(resource, true); }
    /// Acquires an ERESOURCE for shared access.
    [APC, Fails::Never]
    fn FltAcquireResourceShared(resource: u64) { take(resource, false); }
    /// Releases an ERESOURCE.
    [DISPATCH, Fails::Never]
    fn FltReleaseResource(resource: u64) { checked(resource, false); unlock(resource, "ERESOURCE"); }
    /// Initializes a push lock.
    [APC, Fails::Never]
    fn FltInitializePushLock(lock: u64) { guest::write(lock, 0_u64); }
    /// Deletes a push lock.
    [APC, Fails::Never]
    fn FltDeletePushLock(lock: u64) { guest::touch(lock, 8); }
    /// Acquires a push lock for exclusive access.
    [APC, Fails::Never]
    fn FltAcquirePushLockExclusive(lock: u64) { lock_it(lock, true, "push lock"); }
    /// Acquires a push lock for shared access.
    [APC, Fails::Never]
    fn FltAcquirePushLockShared(lock: u64) { lock_it(lock, false, "push lock"); }
    /// Releases a push lock.
    [APC, Fails::Never]
    fn FltReleasePushLock(lock: u64) { unlock(lock, "push lock"); }
    /// Acquires a push lock for exclusive access.
    [APC, Fails::Never]
    fn FltAcquirePushLockExclusiveEx(lock: u64, _flags: u32) { lock_it(lock, true, "push lock"); }
    /// Acquires a push lock for shared access.
    [APC, Fails::Never]
    fn FltAcquirePushLockSharedEx(lock: u64, _flags: u32) { lock_it(lock, false, "push lock"); }
    /// Releases a push lock.
    [APC, Fails::Never]
    fn FltReleasePushLockEx(lock: u64, _flags: u32) { unlock(lock, "push lock"); }
    /// Waits for a dispatcher object. The wait is cancelled if the thread is terminated.
    [APC, Fails::With(&[status::CANCELLED])]
    fn FltCancellableWaitForSingleObject(object: u64, timeout: Optional, _data: u64) -> Status {
        wait(object, timeout)
    }
}

functions! { pub NTIFS_LOCKS = "ntoskrnl.exe", "ntifs.h";
    /// Disables normal kernel APCs.
    [APC, Fails::Quiet]
    fn FsRtlEnterFileSystem() {}
    /// Enables normal kernel APCs.
    [APC, Fails::Quiet]
    fn FsRtlExitFileSystem() {}
    /// Disables normal kernel APCs and acquires an ERESOURCE for exclusive access.
    [APC, Fails::Never]
    fn ExEnterCriticalRegionAndAcquireResourceExclusive(resource: u64) -> u64 { take(resource, true); 1 }
    /// Disables normal kernel APCs and acquires an ERESOURCE for shared access.
    [APC, Fails::Never]
    fn ExEnterCriticalRegionAndAcquireResourceShared(resource: u64) -> u64 { take(resource, false); 1 }
    /// Releases an ERESOURCE and enables normal kernel APCs.
    [APC, Fails::Never]
    fn ExReleaseResourceAndLeaveCriticalRegion(resource: u64) {
        checked(resource, false);
        unlock(resource, "ERESOURCE");
    }
    /// Initializes a push lock.
    [APC, Fails::Quiet]
    fn ExInitializePushLock(lock: u64) { guest::write(lock, 0_u64); }
    /// Acquires a push lock for exclusive access.
    [APC, Fails::Never]
    fn ExAcquirePushLockExclusiveEx(lock: u64, _flags: u32) { lock_it(lock, true, "push lock"); }
    /// Acquires a push lock for shared access.
    [APC, Fails::Never]
    fn ExAcquirePushLockSharedEx(lock: u64, _flags: u32) { lock_it(lock, false, "push lock"); }
    /// Releases a push lock.
    [APC, Fails::Never]
    fn ExReleasePushLockExclusiveEx(lock: u64, _flags: u32) { unlock(lock, "push lock"); }
    /// Releases a push lock.
    [APC, Fails::Never]
    fn ExReleasePushLockSharedEx(lock: u64, _flags: u32) { unlock(lock, "push lock"); }
}

fn raise(irql: u8) -> u8 {
    let before = threads::irql();
    if irql < before {
        misuse(Misuse::Lock {
            problem: format!(
                "the IRQL is raised from {} to {}",
                irql::name(before),
                irql::name(irql)
            ),
        });
    }
    set_irql(irql);
    before
}

fn spin(lock: u64) -> u8 {
    let before = raise(DISPATCH.max(threads::irql()));
    lock_it(lock, true, "spin lock");
    before
}

/// Acquires a lock for the current thread.
fn lock_it(address: u64, exclusive: bool, kind: &str) {
    guest::touch(address, 8);
    let thread = threads::current();
    // The thread that holds an ERESOURCE exclusively can acquire it again.
    let recursive = kind == "ERESOURCE";
    let holder = || {
        with(|state| {
            let mut held = state.locks.held.iter();
            let by = held.find(|lock| {
                let again = recursive && lock.thread == thread && lock.exclusive;
                lock.address == address && (exclusive || lock.exclusive) && !again
            });
            by.map(|lock| lock.thread)
        })
    };
    let wait = || Wait::Lock {
        lock: kind.to_owned(),
        holder: holder()
            .filter(|holder| *holder != thread)
            .and_then(threads::routine_of),
    };
    block_until(Queued::Nothing, wait, || holder().is_none());
    let irql = threads::irql();
    with(|state| {
        state.locks.held.push(Lock {
            address,
            thread,
            exclusive,
            irql,
        });
    });
}

/// Releases a lock. Returns the IRQL at which it was acquired.
fn unlock(address: u64, kind: &str) -> u8 {
    guest::touch(address, 8);
    let lock = with(|state| {
        let held = &mut state.locks.held;
        let at = held.iter().rposition(|lock| lock.address == address)?;
        Some(held.remove(at))
    });
    match lock {
        Some(lock) => lock.irql,
        None => misuse(Misuse::Lock {
            problem: format!("a {kind} that is not held is released"),
        }),
    }
}

fn fast_mutex(mutex: u64) {
    // ExInitializeFastMutex is inline code. It sets the count to 1.
    let held = with(|state| state.locks.held.iter().any(|lock| lock.address == mutex));
    if !held && guest::read::<i32>(mutex) != 1 {
        misuse(Misuse::Handle {
            expected: "fast mutex".to_owned(),
            given: "memory that was never set up with ExInitializeFastMutex".to_owned(),
            unset: true,
            released_in_teardown: false,
        });
    }
    lock_it(mutex, true, "fast mutex");
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
    lock_it(resource, exclusive, "ERESOURCE");
}

fn holds(resource: u64, exclusive: bool) -> u32 {
    checked(resource, false);
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
fn dispatcher(object: u64, kind: u8, state: i32) {
    guest::write(object, u32::from(kind));
    guest::write(object + 4, state);
    guest::write(object + 8, object + 8);
    guest::write(object + 16, object + 8);
}

fn signal(object: u64, state: i32) -> i32 {
    let before = guest::read(object + 4);
    guest::write(object + 4, state);
    before
}

fn wait(object: u64, timeout: u64) -> Status {
    if threads::irql() >= DISPATCH && (timeout == 0 || guest::read::<i64>(timeout) != 0) {
        misuse(Misuse::Lock {
            problem: "it waits at DISPATCH_LEVEL with a timeout that is not zero".to_owned(),
        });
    }
    let signalled = || guest::read::<i32>(object + 4) > 0;
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
    status::SUCCESS
}
