//! The address space of a scenario: the image, blocks that end at a guard page, opaque handles.
//!
//! - Every block is on pages of its own and ends where an inaccessible page begins; freed blocks stay inaccessible and
//!   their addresses are never given out again. So a use after free and an overrun stop the driver at the instruction.
//! - A handle that the filter manager documents as opaque is an address in memory that nobody may touch. So a
//!   dereference is caught and can be named.

use std::io;

use super::space::{ARENA, Block, HANDLES, Loaded, Mapped, Memory, POOL, Purpose};
use super::state::machine;
use crate::image::{Image, Import};
use crate::os::{self, Access, PAGE, raw};
use crate::trace::{Place, Target};

/// What fresh memory and the room beside a block are filled with.
pub const FILL: u8 = 0xF5;

fn with<T>(action: impl FnOnce(&mut Memory) -> T) -> T {
    action(&mut machine().memory.borrow_mut())
}

/// What is known of a block that begins at an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its size.
    pub size: usize,
    /// What it is.
    pub what: String,
    /// It was freed before.
    pub freed: bool,
    /// What it is for.
    pub purpose: Purpose,
}

/// Reserves the address space.
///
/// # Errors
///
/// The operating system's own.
pub fn set_up() -> io::Result<()> {
    let arena = os::reserve(ARENA)?;
    let handle_base = os::reserve(HANDLES)?;
    with(|memory| {
        *memory = Memory {
            arena,
            next: arena + PAGE,
            handle_base,
            ..Memory::default()
        };
    });
    Ok(())
}

/// Allocates a block; it is filled with [`FILL`].
///
/// # Errors
///
/// The operating system's own.
pub fn allocate(size: usize, purpose: Purpose, what: String) -> io::Result<u64> {
    let page_count = size.max(1).div_ceil(PAGE);
    let is_pool = matches!(purpose, Purpose::Pool | Purpose::PagedPool);
    let pages = with(|memory| {
        if is_pool && memory.pool + page_count * PAGE > POOL {
            return Err(io::Error::other("the pool is used up"));
        }
        let pages = memory.next;
        memory.next += (page_count + 1) * PAGE;
        if memory.next > memory.arena + ARENA {
            return Err(io::Error::other("the bench's memory is used up"));
        }
        if is_pool {
            memory.pool += page_count * PAGE;
        }
        Ok(pages)
    })?;
    os::protect(pages, page_count * PAGE, Access::ReadWrite)?;
    raw::fill(pages as u64, FILL, page_count * PAGE);
    // Pool is aligned to 16 bytes on x64, and to a page from a page on.
    let address = if size >= PAGE {
        pages
    } else {
        pages + page_count * PAGE - size.next_multiple_of(16)
    };
    with(|memory| {
        memory.blocks.push(Block {
            pages,
            page_count,
            address,
            size,
            purpose,
            what,
            freed: None,
        });
    });
    Ok(address as u64)
}

/// Finds the block that begins at an address.
#[must_use]
pub fn block_at(address: u64) -> Option<Found> {
    with(|memory| {
        memory
            .blocks
            .iter()
            .rev()
            .find(|block| block.address as u64 == address)
            .map(|block| Found {
                size: block.size,
                what: block.what.clone(),
                freed: block.freed.is_some(),
                purpose: block.purpose,
            })
    })
}

/// The side on which bytes beside a block were overwritten, if any were.
#[must_use]
pub fn overrun(address: u64) -> Option<&'static str> {
    let (pages, page_count, size) = with(|memory| {
        memory
            .blocks
            .iter()
            .find(|block| block.address as u64 == address && block.freed.is_none())
            .map(|block| (block.pages, block.page_count, block.size))
    })?;
    let end = (pages + page_count * PAGE) as u64;
    let spoilt = |range: std::ops::Range<u64>| {
        range
            .into_iter()
            .any(|address| raw::read::<u8>(address) != FILL)
    };
    if spoilt(pages as u64..address) {
        Some("before its beginning")
    } else if spoilt(address + size as u64..end) {
        Some("after its end")
    } else {
        None
    }
}

/// Blocks of at least this size are given back to the system when they are freed.
const RELEASED: usize = 64 << 10;

/// Makes a block inaccessible for ever.
///
/// # Errors
///
/// The operating system's own.
pub fn free(address: u64, in_teardown: bool) -> io::Result<()> {
    let pages = with(|memory| {
        let block = memory
            .blocks
            .iter_mut()
            .rev()
            .find(|block| block.address as u64 == address && block.freed.is_none())?;
        block.freed = Some(in_teardown);
        let size = block.page_count * PAGE;
        if matches!(block.purpose, Purpose::Pool | Purpose::PagedPool) {
            memory.pool -= size;
        }
        Some((block.pages, size))
    });
    let Some((pages, size)) = pages else {
        return Ok(());
    };
    os::protect(pages, size, Access::None)?;
    if size >= RELEASED {
        os::release(pages, size);
    }
    Ok(())
}

/// Makes an opaque handle.
#[must_use]
pub fn handle(what: String) -> u64 {
    with(|memory| {
        memory.handles.push(what);
        // Not the page's first byte, so that a handle never looks like a round address.
        (memory.handle_base + memory.handles.len() * PAGE + 0x40) as u64
    })
}

/// What a handle stands for.
#[must_use]
pub fn handle_name(handle: u64) -> Option<String> {
    with(|memory| memory.handle_in(handle).map(str::to_owned))
}

/// Maps the driver.
///
/// # Errors
///
/// The operating system's own.
pub fn load(image: Image, bind: impl FnMut(&Import) -> u64) -> io::Result<u64> {
    let base = image.map(bind)?;
    with(|memory| {
        memory.image = Some(Mapped {
            image,
            base,
            state: Loaded::Starting,
        });
    });
    Ok(base as u64)
}

/// Makes what Windows discards after a successful `DriverEntry` inaccessible.
///
/// # Errors
///
/// The operating system's own.
pub fn discard_init() -> io::Result<()> {
    let ranges = with(|memory| {
        let Some(mapped) = &mut memory.image else {
            return Vec::new();
        };
        mapped.state = Loaded::Running;
        let base = mapped.base;
        mapped
            .image
            .sections
            .iter()
            .filter(|section| section.discardable)
            .map(|section| (base + section.rva, section.size))
            .collect()
    });
    for (base, size) in ranges {
        os::protect(base, size, Access::None)?;
    }
    Ok(())
}

/// Makes the image inaccessible: it was unloaded.
///
/// # Errors
///
/// The operating system's own.
pub fn unload() -> io::Result<()> {
    let range = with(|memory| {
        memory.image.as_mut().map(|mapped| {
            mapped.state = Loaded::Gone;
            (mapped.base, mapped.image.size)
        })
    });
    match range {
        Some((base, size)) => os::protect(base, size, Access::None),
        None => Ok(()),
    }
}

/// Whether the image is still there.
#[must_use]
pub fn is_loaded() -> bool {
    with(|memory| {
        memory
            .image
            .as_ref()
            .is_some_and(|mapped| mapped.state != Loaded::Gone)
    })
}

/// Says whether pageable memory may be touched: not at `DISPATCH_LEVEL`.
///
/// # Errors
///
/// The operating system's own.
pub fn set_dispatch(dispatch: bool) -> io::Result<()> {
    let ranges = with(|memory| {
        if memory.dispatch == dispatch {
            return Vec::new();
        }
        memory.dispatch = dispatch;
        let mut ranges: Vec<(usize, usize, Access)> = memory
            .blocks
            .iter()
            .filter(|block| block.purpose == Purpose::PagedPool && block.freed.is_none())
            .map(|block| (block.pages, block.page_count * PAGE, Access::ReadWrite))
            .collect();
        if let Some(mapped) = memory
            .image
            .as_ref()
            .filter(|mapped| mapped.state != Loaded::Gone)
        {
            let sections = mapped
                .image
                .sections
                .iter()
                .filter(|section| section.pageable)
                .map(|section| (mapped.base + section.rva, section.size, section.access));
            ranges.extend(sections);
        }
        ranges
    });
    for (base, size, access) in ranges {
        os::protect(base, size, if dispatch { Access::None } else { access })?;
    }
    Ok(())
}

/// An address relative to the image, if it lies there.
#[must_use]
pub fn rva(address: u64) -> Option<u32> {
    with(|memory| {
        let mapped = memory.image.as_ref()?;
        let offset = (address as usize).checked_sub(mapped.base)?;
        (offset < mapped.image.size).then_some(offset as u32)
    })
}

/// An address as a place in the driver.
#[must_use]
pub fn place(address: u64, function: Option<&str>) -> Place {
    let rva = rva(address);
    let section = rva.and_then(|rva| {
        with(|memory| {
            let mapped = memory.image.as_ref()?;
            let section = mapped.image.section_at(rva as usize)?;
            Some(section.name.clone())
        })
    });
    Place {
        rva,
        section,
        function: function.map(str::to_owned),
    }
}

/// Whether there is an exception handler for the code at an address.
#[must_use]
pub fn has_handler(address: u64) -> bool {
    rva(address).is_some_and(|rva| {
        with(|memory| {
            memory
                .image
                .as_ref()
                .is_some_and(|mapped| mapped.image.has_handler(rva))
        })
    })
}

/// Whether an address is code of the driver's that may run.
#[must_use]
pub fn is_code(address: u64) -> bool {
    rva(address).is_some_and(|rva| {
        with(|memory| {
            memory
                .image
                .as_ref()
                .and_then(|mapped| mapped.image.section_at(rva as usize))
                .is_some_and(|section| matches!(section.access, Access::ReadExecute | Access::All))
        })
    })
}

/// Whether an address lies in the image or in a live block, so that the model may look there.
#[must_use]
pub fn is_known(address: u64, size: usize) -> bool {
    let range = |begin: usize, length: usize| {
        (begin as u64..=(begin + length) as u64).contains(&address)
            && address + size as u64 <= (begin + length) as u64
    };
    with(|memory| {
        memory
            .image
            .as_ref()
            .is_some_and(|mapped| range(mapped.base, mapped.image.size))
            || memory
                .blocks
                .iter()
                .any(|block| block.freed.is_none() && range(block.address, block.size))
    })
}

/// The messages of the driver's message table.
#[must_use]
pub fn message(id: u32) -> Option<String> {
    with(|memory| {
        let mapped = memory.image.as_ref()?;
        let message = mapped.image.messages.iter().find(|(known, _)| *known == id);
        message.map(|(_, text)| text.clone())
    })
}

/// What is at an address that cannot be used.
#[must_use]
pub fn target(address: u64) -> Target {
    with(|memory| memory.target(address))
}
