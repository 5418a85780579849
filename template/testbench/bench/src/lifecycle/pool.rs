//! Pool blocks and memory descriptor lists.

use crate::machine::enter::in_teardown;
use crate::machine::events::{breach, misuse, must};
use crate::machine::ledger::{acquire, bad_handle, held_once, holds, release, unfit};
use crate::machine::space::Purpose;
use crate::machine::state::with;
use crate::machine::{guest, memory, threads};
use crate::trace::{Breach, Kind, Misuse};
use crate::vocabulary::irql::DISPATCH;

/// Fills in a memory descriptor list for a buffer that is locked and mapped.
pub fn describe(mdl: u64, buffer: u64, length: u32) {
    guest::write::<u16>(mdl + 0x08, 0x38);
    guest::write::<u16>(mdl + 0x0A, 0x3); // MDL_MAPPED_TO_SYSTEM_VA, MDL_PAGES_LOCKED
    guest::write(mdl + 0x18, buffer);
    guest::write(mdl + 0x20, buffer & !0xFFF);
    guest::write(mdl + 0x28, length);
    guest::write(mdl + 0x2C, (buffer & 0xFFF) as u32);
}

/// Allocates a pool block.
#[must_use]
pub fn allocate(size: u64, tag: u32, paged: bool, zeroed: bool) -> u64 {
    let what = format!("of {size} bytes, {}", described(tag));
    let purpose = if paged {
        Purpose::PagedPool
    } else {
        Purpose::Pool
    };
    if size > 1 << 28 {
        return 0;
    }
    paged_at_dispatch(purpose, "allocated");
    if !memory::has_pool(size) {
        return 0;
    }
    let block = memory::allocate(size as usize, purpose, format!("the pool block {what}"));
    let Ok(address) = block else { return 0 };
    if zeroed {
        guest::fill(address, 0, size as usize);
    }
    acquire(Kind::Pool, address, what);
    address
}

/// Returns the description of a pool tag.
fn described(tag: u32) -> String {
    let readable = |byte: u8| {
        if byte.is_ascii_graphic() {
            char::from(byte)
        } else {
            '.'
        }
    };
    let tag: String = tag.to_le_bytes().map(readable).iter().collect();
    format!("tag '{tag}'")
}

/// Ends the scenario if a pool block is not freed as it was allocated: with its tag, unless the tag is 0, and to its
/// lookaside list or instance.
pub fn free_as(address: u64, tag: u32, owner: u64) {
    let what = held_once(Kind::Pool, address).unwrap_or_default();
    let belongs_to = with(|state| {
        let blocks = &mut state.lookasides.owned;
        let at = blocks.iter().position(|(block, _)| *block == address);
        at.map_or(0, |at| blocks.remove(at).1)
    });
    let wrong = if holds(Kind::Pool, address) && belongs_to != owner {
        "which another function, lookaside list or instance allocated".to_owned()
    } else if holds(Kind::Pool, address) && tag != 0 && !what.ends_with(&described(tag)) {
        format!("with the {}", described(tag))
    } else {
        return free(address);
    };
    unfit("block to free", format!("the pool block {what}, {wrong},"))
}

/// Records a breach if memory that is freed contains an object in use.
pub fn check_contents(address: u64) {
    let Some(block) = memory::block_at(address).filter(|block| !block.freed) else {
        return;
    };
    let inside = |object: u64| (address..address + block.size as u64).contains(&object);
    let object = with(|state| {
        let locks = &state.locks;
        if let Some(lock) = locks.held.iter().find(|lock| inside(lock.address)) {
            Some(format!("a held {}", lock.kind))
        } else if locks.resources.iter().any(|resource| inside(*resource)) {
            Some("an ERESOURCE that is not deleted".to_owned())
        } else if state.lookasides.live.iter().any(|list| inside(*list)) {
            Some("a lookaside list that is not deleted".to_owned())
        } else {
            let mut queue = state.work.queue.iter();
            let item = queue.find(|item| inside(item.key) || inside(item.arguments[0]));
            item.map(|item| format!("what a queued {} uses", item.callback))
        }
    });
    if let Some(object) = object {
        breach(
            Breach::FreedObject,
            format!("{} is freed with {object}", block.what),
        );
    }
}

/// Frees a pool block. If it cannot be freed, ends the scenario with the reason.
pub fn free(address: u64) {
    check_contents(address);
    if let Some(block) = memory::block_at(address) {
        paged_at_dispatch(block.purpose, "freed");
    }
    if let Some(side) = memory::overrun(address) {
        let what = held_once(Kind::Pool, address).unwrap_or_default();
        misuse(Misuse::PoolOverrun {
            what: format!("the pool block {what}"),
            side: side.to_owned(),
        });
    }
    if !release(Kind::Pool, address) {
        match held_once(Kind::Pool, address) {
            Some(what) => misuse(Misuse::ReleasedTwice {
                what: format!("the pool block {what}"),
            }),
            None => bad_handle("pool block", address),
        }
    }
    must(memory::free(address, in_teardown()));
}

fn paged_at_dispatch(purpose: Purpose, what: &str) {
    if purpose == Purpose::PagedPool && threads::irql() >= DISPATCH {
        misuse(Misuse::Irql {
            problem: format!("paged pool is {what} at DISPATCH_LEVEL"),
        });
    }
}
