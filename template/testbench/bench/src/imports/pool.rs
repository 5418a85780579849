//! Pool, lookaside lists and memory descriptor lists.
//!
//! Documents: "Allocating System-Space Memory", "Using Lookaside Lists", "Using MDLs". A lookaside list of the bench
//! caches no entries: each entry is a separate block, so that a use after free is detected.

use crate::imports::locks::in_nonpaged_memory;
use crate::lifecycle::pool;
use crate::machine::declare::functions;
use crate::machine::enter::in_teardown;
use crate::machine::events::{breach, misuse, must, refuse};
use crate::machine::exception::raise_status as raise;
use crate::machine::function::{Fails, Optional};
use crate::machine::ledger::{acquire, held_once, holds, must_release, release};
use crate::machine::space::Purpose;
use crate::machine::state::with;
use crate::machine::system::system_block;
use crate::machine::thunks::thunk;
use crate::machine::{guest, memory};
use crate::trace::{Breach, Kind, Misuse};
use crate::vocabulary::irql::{ANY, APC, DISPATCH};
use crate::vocabulary::status::{self, Status};

functions! { pub POOL = "ntoskrnl.exe", "wdm.h";
    /// Allocates zeroed pool.
    [DISPATCH, Fails::Null]
    fn ExAllocatePool2(flags: u64, size: u64, tag: u32) -> u64 { from_flags(flags, size, tag) }
    /// Allocates zeroed pool, with extended parameters.
    [DISPATCH, Fails::Null]
    fn ExAllocatePool3(flags: u64, size: u64, tag: u32, _parameters: u64, _count: u32) -> u64 {
        from_flags(flags, size, tag)
    }
    /// Allocates pool.
    [DISPATCH, Fails::Null]
    fn ExAllocatePoolWithTag(kind: u32, size: u64, tag: u32) -> u64 {
        of_kind(kind, size, tag)
    }
    /// Allocates pool.
    [DISPATCH, Fails::Null]
    fn ExAllocatePool(kind: u32, size: u64) -> u64 {
        of_kind(kind, size, u32::from_le_bytes(*b"None"))
    }
    /// Allocates pool, with a priority.
    [DISPATCH, Fails::Null]
    fn ExAllocatePoolWithTagPriority(kind: u32, size: u64, tag: u32, _priority: u32) -> u64 {
        of_kind(kind, size, tag)
    }
    /// Frees pool.
    [DISPATCH, Fails::Never]
    fn ExFreePool(block: u64) { pool::free_as(block, 0, 0); }
    /// Frees pool.
    [DISPATCH, Fails::Never]
    fn ExFreePoolWithTag(block: u64, tag: u32) { pool::free_as(block, tag, 0); }
    /// Frees pool.
    [DISPATCH, Fails::Never]
    fn ExFreePool2(block: u64, tag: u32, _parameters: u64, _count: u32) { pool::free_as(block, tag, 0); }

    /// Initializes a lookaside list of nonpaged entries.
    [DISPATCH, Fails::Never]
    fn ExInitializeNPagedLookasideList(
        list: u64, allocate: Optional, free: Optional, flags: u32, size: u64, tag: u32, _depth: u16,
    ) {
        initialize(list, allocate, free, flags & NX, size, tag);
    }
    /// Initializes a lookaside list of paged entries.
    [APC, Fails::Never]
    fn ExInitializePagedLookasideList(
        list: u64, allocate: Optional, free: Optional, _flags: u32, size: u64, tag: u32, _depth: u16,
    ) {
        initialize(list, allocate, free, 1, size, tag);
    }
    /// Initializes a lookaside list.
    [DISPATCH, Fails::With(&[status::INSUFFICIENT_RESOURCES])]
    fn ExInitializeLookasideListEx(
        list: u64, allocate: Optional, free: Optional, kind: u32, _flags: u32, size: u64, tag: u32, _depth: u16,
    ) -> Status {
        initialize(list, allocate, free, kind, size, tag);
        status::SUCCESS
    }
    /// Deletes a lookaside list.
    [DISPATCH, Fails::Never]
    fn ExDeleteNPagedLookasideList(list: u64) { delete(list); }
    /// Deletes a lookaside list.
    [APC, Fails::Never]
    fn ExDeletePagedLookasideList(list: u64) { delete(list); }
    /// Deletes a lookaside list.
    [DISPATCH, Fails::Never]
    fn ExDeleteLookasideListEx(list: u64) { delete(list); }
    /// Allocates an entry.
    [DISPATCH, Fails::Null]
    fn ExAllocateFromNPagedLookasideList(list: u64) -> u64 { from_list(list) }
    /// Allocates an entry.
    [APC, Fails::Null]
    fn ExAllocateFromPagedLookasideList(list: u64) -> u64 { from_list(list) }
    /// Allocates an entry.
    [DISPATCH, Fails::Null]
    fn ExAllocateFromLookasideListEx(list: u64) -> u64 { from_list(list) }
    /// Frees an entry.
    [DISPATCH, Fails::Never]
    fn ExFreeToNPagedLookasideList(list: u64, entry: u64) { to_list(list, entry); }
    /// Frees an entry.
    [APC, Fails::Never]
    fn ExFreeToPagedLookasideList(list: u64, entry: u64) { to_list(list, entry); }
    /// Frees an entry.
    [DISPATCH, Fails::Never]
    fn ExFreeToLookasideListEx(list: u64, entry: u64) { to_list(list, entry); }
    /// Returns the number of cached entries, which is 0.
    [DISPATCH, Fails::Quiet]
    fn ExQueryDepthSList(_list: u64) -> u16 { 0 }
    /// Caches an entry. It is not called for a list with depth 0.
    [ANY, Fails::Quiet]
    fn ExpInterlockedPushEntrySList(_list: u64, _entry: u64) -> u64 { 0 }
    /// Returns a cached entry. There is none.
    [ANY, Fails::Quiet]
    fn ExpInterlockedPopEntrySList(_list: u64) -> u64 { 0 }
}

functions! { pub MDL = "ntoskrnl.exe", "wdm.h";
    /// Allocates a memory descriptor list for a buffer.
    [DISPATCH, Fails::Null]
    fn IoAllocateMdl(buffer: u64, length: u32, _secondary: u8, _charge: u8, _irp: u64) -> u64 {
        let mdl = system_block(0x40, "a memory descriptor list");
        guest::write(mdl + 0x20, buffer & !0xFFF);
        guest::write(mdl + 0x28, length);
        guest::write(mdl + 0x2C, (buffer & 0xFFF) as u32);
        acquire(Kind::Mdl, mdl, "IoAllocateMdl");
        mdl
    }
    /// Frees a memory descriptor list.
    [DISPATCH, Fails::Never]
    fn IoFreeMdl(mdl: u64) {
        if holds(Kind::Mdl, mdl) && flags(mdl) & LOCKED != 0 {
            breach(Breach::LockedPages, "a memory descriptor list is freed while its pages are locked");
        }
        must_release(Kind::Mdl, mdl);
        must(memory::free(mdl, in_teardown()));
    }
    /// Fills in a memory descriptor list for nonpaged pool.
    [DISPATCH, Fails::Never]
    fn MmBuildMdlForNonPagedPool(mdl: u64) {
        in_nonpaged_memory(buffer_of(mdl), "buffer");
        map(mdl, NON_PAGED | MAPPED);
    }
    /// Locks the pages of a buffer.
    [DISPATCH, Fails::Raises(&[status::ACCESS_VIOLATION])]
    fn MmProbeAndLockPages(mdl: u64, _mode: u8, _access: u32) {
        if flags(mdl) & (LOCKED | NON_PAGED) != 0 {
            breach(Breach::LockedPages, "pages are locked that are locked or nonpaged already");
        }
        if memory::purpose_at(buffer_of(mdl)) == Some(Purpose::UserBuffer) {
            raise(status::ACCESS_VIOLATION, "MmProbeAndLockPages");
        }
        map(mdl, LOCKED);
    }
    /// Unlocks the pages of a buffer.
    [DISPATCH, Fails::Never]
    fn MmUnlockPages(mdl: u64) {
        if flags(mdl) & LOCKED == 0 {
            breach(Breach::LockedPages, "pages are unlocked that MmProbeAndLockPages did not lock");
        }
        guest::write(mdl + 0x0A, flags(mdl) & !(LOCKED | MAPPED));
    }
    /// Returns the system address of a buffer.
    [DISPATCH, Fails::Null]
    fn MmMapLockedPagesSpecifyCache(
        mdl: u64, _mode: u8, _cache: u32, _address: u64, bugcheck: u32, _priority: u32,
    ) -> u64 {
        if flags(mdl) & (LOCKED | NON_PAGED) == 0 {
            breach(Breach::LockedPages, "pages are mapped that are not locked");
        }
        if bugcheck != 0 {
            refuse((), "BugCheckOnFailure is not FALSE");
        }
        map(mdl, MAPPED);
        guest::read(mdl + 0x18)
    }
    /// Unmaps a buffer.
    [DISPATCH, Fails::Never]
    fn MmUnmapLockedPages(address: u64, mdl: u64) {
        guest::touch(mdl, MDL_SIZE);
        if flags(mdl) & MAPPED == 0 || address != guest::read::<u64>(mdl + 0x18) {
            breach(Breach::LockedPages, "pages are unmapped that are not mapped at the address");
        }
        guest::write(mdl + 0x0A, flags(mdl) & !MAPPED);
    }
}

/// The size of `MDL` without the page array.
const MDL_SIZE: usize = 0x30;

/// `MDL_MAPPED_TO_SYSTEM_VA`.
const MAPPED: u16 = 0x1;
/// `MDL_PAGES_LOCKED`.
const LOCKED: u16 = 0x2;
/// `MDL_SOURCE_IS_NONPAGED_POOL`.
const NON_PAGED: u16 = 0x4;

fn flags(mdl: u64) -> u16 {
    guest::read(mdl + 0x0A)
}

fn buffer_of(mdl: u64) -> u64 {
    guest::read::<u64>(mdl + 0x20) + u64::from(guest::read::<u32>(mdl + 0x2C))
}

fn map(mdl: u64, flag: u16) {
    let address = buffer_of(mdl);
    guest::write(mdl + 0x0A, flags(mdl) | flag);
    guest::write(mdl + 0x18, address);
}

// GENERAL_LOOKASIDE: the macros of wdm.h read these members.
const DEPTH: u64 = 0x10;

const TYPE: u64 = 0x24;

const TAG: u64 = 0x28;

const SIZE: u64 = 0x2C;

const ALLOCATE: u64 = 0x30;

const FREE: u64 = 0x38;

/// `POOL_NX_ALLOCATION`, which `NonPagedPoolNx` has.
const NX: u32 = 0x200;

/// Records an allocation of executable pool.
fn check_executable(kind: u32) {
    if kind & (1 | NX) == 0 {
        let problem = format!("pool of type {kind} can be executed; NonPagedPoolNx (512) cannot");
        breach(Breach::ExecutablePool, problem);
    }
}

/// Records a size of 0, or a tag without four printable characters.
fn check_block(size: u64, tag: u32) {
    let readable = tag
        .to_le_bytes()
        .iter()
        .all(|byte| (b' '..=b'~').contains(byte));
    if size == 0 {
        refuse((), "the size is 0");
    } else if !readable {
        let reason = format!("the tag 0x{tag:08x} does not consist of printable characters");
        refuse((), reason);
    }
}

/// Allocates pool of a `POOL_TYPE`.
pub fn of_kind(kind: u32, size: u64, tag: u32) -> u64 {
    const ZEROED: u32 = 0x400; // POOL_ZERO_ALLOCATION
    const RAISE: u32 = 0x10; // POOL_RAISE_IF_ALLOCATION_FAILURE
    check_executable(kind);
    check_block(size, tag);
    let block = pool::allocate(size, tag, kind & 1 != 0, kind & ZEROED != 0);
    if block == 0 && kind & RAISE != 0 {
        raise(status::INSUFFICIENT_RESOURCES, "the allocation of pool");
    }
    block
}

/// Allocates pool with `POOL_FLAGS`.
fn from_flags(flags: u64, size: u64, tag: u32) -> u64 {
    const UNINITIALIZED: u64 = 0x2;
    const NON_PAGED: u64 = 0x40;
    const EXECUTE: u64 = 0x80;
    const PAGED: u64 = 0x100;
    if (flags & (NON_PAGED | EXECUTE | PAGED)).count_ones() != 1 {
        return refuse(
            0,
            format!(
                "the flags 0x{flags:x} do not have exactly one of POOL_FLAG_NON_PAGED, POOL_FLAG_NON_PAGED_EXECUTE and POOL_FLAG_PAGED"
            ),
        );
    }
    if flags & EXECUTE != 0 {
        let problem = "pool with POOL_FLAG_NON_PAGED_EXECUTE can be executed";
        breach(Breach::ExecutablePool, problem);
    }
    check_block(size, tag);
    if tag == 0 || size == 0 {
        return 0;
    }
    pool::allocate(size, tag, flags & PAGED != 0, flags & UNINITIALIZED == 0)
}

fn initialize(list: u64, allocate: u64, free: u64, kind: u32, size: u64, tag: u32) {
    let or = |given: u64, name: &str| {
        if given == 0 {
            thunk("ntoskrnl.exe", name)
        } else {
            given
        }
    };
    check_executable(kind);
    in_nonpaged_memory(list, "lookaside list");
    if !list.is_multiple_of(16) {
        refuse((), "the lookaside list is not aligned to 16 bytes");
    }
    guest::fill(list, 0, 0x60);
    guest::write(list + DEPTH, 0_u16);
    guest::write(list + TYPE, kind);
    guest::write(list + TAG, tag);
    guest::write(list + SIZE, size as u32);
    guest::write(list + ALLOCATE, or(allocate, "ExAllocatePoolWithTag"));
    guest::write(list + FREE, or(free, "ExFreePool"));
    with(|state| state.lookasides.live.push(list));
    acquire(Kind::Lookaside, list, format!("of entries of {size} bytes"));
}

fn delete(list: u64) {
    check(list, true);
    let _ = release(Kind::Lookaside, list);
    with(|state| state.lookasides.live.retain(|live| *live != list));
}

fn check(list: u64, deleting: bool) {
    if with(|state| state.lookasides.live.contains(&list)) {
        return;
    }
    match held_once(Kind::Lookaside, list) {
        Some(what) if deleting => misuse(Misuse::ReleasedTwice {
            what: format!("the lookaside list {what}"),
        }),
        before => misuse(Misuse::Handle {
            expected: "lookaside list".to_owned(),
            given: if before.is_some() {
                "a lookaside list that was deleted".to_owned()
            } else {
                "memory that was never set up as a lookaside list".to_owned()
            },
            unset: before.is_none(),
            released_in_teardown: before.is_some(),
        }),
    }
}

fn from_list(list: u64) -> u64 {
    check(list, false);
    let (size, tag, kind) = (
        guest::read::<u32>(list + SIZE),
        guest::read::<u32>(list + TAG),
        guest::read::<u32>(list + TYPE),
    );
    owned(
        pool::allocate(u64::from(size), tag, kind & 1 != 0, false),
        list,
    )
}

/// Records the lookaside list or the instance to which a block is freed.
pub fn owned(block: u64, owner: u64) -> u64 {
    if block != 0 {
        with(|state| state.lookasides.owned.push((block, owner)));
    }
    block
}

fn to_list(list: u64, entry: u64) {
    check(list, false);
    pool::free_as(entry, 0, list);
}
