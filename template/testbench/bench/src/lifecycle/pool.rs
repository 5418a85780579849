//! Pool blocks and memory descriptor lists.

use crate::machine::call::in_teardown;
use crate::machine::events::{misuse, must};
use crate::machine::ledger::{acquire, bad_handle, held_once, release};
use crate::machine::space::Purpose;
use crate::machine::{guest, memory, threads};
use crate::trace::{Kind, Misuse};
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
    let tag: String = tag
        .to_le_bytes()
        .iter()
        .map(|byte| {
            if byte.is_ascii_graphic() {
                char::from(*byte)
            } else {
                '.'
            }
        })
        .collect();
    let what = format!("of {size} bytes, tag '{tag}'");
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

/// Frees a pool block. If it cannot be freed, ends the scenario with the reason.
pub fn free(address: u64) {
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
