//! The address space of a scenario: the image, blocks that end at a guard page, and opaque handles.
//!
//! - Each block has separate pages and ends at an inaccessible page. Freed blocks remain inaccessible, and their
//!   addresses are not reused. A use after free or an overrun therefore faults at the instruction.
//! - A handle that the filter manager documents as opaque is an address in inaccessible memory. A dereference faults
//!   and can be attributed to the handle.

use std::io;

use super::space::{ARENA, Block, HANDLES, Loaded, Mapped, Memory, POOL, Purpose};
use super::state::machine;
use crate::image::{Image, Import};
use crate::os::{self, Access, PAGE, raw};
use crate::trace::{Place, Target};

/// The byte that fills new memory and the space around a block.
pub const FILL: u8 = 0xF5;

fn with<T>(action: impl FnOnce(&mut Memory) -> T) -> T {
    action(&mut machine().memory.borrow_mut())
}

/// The description of a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its size.
    pub size: usize,
    /// The description for a report.
    pub what: String,
    /// The block was freed.
    pub freed: bool,
    /// The purpose.
    pub purpose: Purpose,
}

/// Reserves the address space.
///
/// # Errors
///
/// Returns the error of the operating system.
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

/// Allocates a block and fills it with [`FILL`].
///
/// # Errors
///
/// Returns the error of the operating system.
pub fn allocate(size: usize, purpose: Purpose, what: String) -> io::Result<u64> {
    let page_count = size.max(1).div_ceil(PAGE);
    let is_pool = matches!(purpose, Purpose::Pool | Purpose::PagedPool);
    let pages = with(|memory| {
        if is_pool && memory.pool + page_count * PAGE > POOL {
            return Err(io::Error::other("the pool is exhausted"));
        }
        let pages = memory.next;
        memory.next += (page_count + 1) * PAGE;
        if memory.next > memory.arena + ARENA {
            return Err(io::Error::other("the memory of the bench is exhausted"));
        }
        if is_pool {
            memory.pool += page_count * PAGE;
        }
        Ok(pages)
    })?;
    os::protect(pages, page_count * PAGE, Access::ReadWrite)?;
    raw::fill(pages as u64, FILL, page_count * PAGE);
    // On x64, pool is aligned to 16 bytes. Blocks of at least a page are aligned to a page.
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

/// Returns whether the driver can allocate that many bytes of pool within the limit of the test.
#[must_use]
pub fn has_pool(size: u64) -> bool {
    with(|memory| {
        memory.limit.is_none_or(|limit| {
            let blocks = memory.blocks.iter().filter(|block| block.freed.is_none());
            let pool =
                blocks.filter(|block| matches!(block.purpose, Purpose::Pool | Purpose::PagedPool));
            let used: usize = pool.map(|block| block.size).sum();
            used as u64 + size <= limit
        })
    })
}

/// Sets the number of bytes of pool that the driver can allocate.
pub fn limit_pool(limit: Option<u64>) {
    with(|memory| memory.limit = limit);
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

/// Makes a buffer of a program invalid.
///
/// # Errors
///
/// Returns the error of the operating system.
pub fn invalidate(address: u64) -> io::Result<()> {
    let pages = with(|memory| {
        let mut blocks = memory.blocks.iter_mut().rev();
        let block = blocks.find(|block| block.address as u64 == address)?;
        block.purpose = Purpose::UserBuffer;
        Some((block.pages, block.page_count * PAGE))
    });
    match pages {
        Some((pages, size)) => os::protect(pages, size, Access::None),
        None => Ok(()),
    }
}

/// Returns the purpose of the block that contains an address.
#[must_use]
pub fn purpose_at(address: u64) -> Option<Purpose> {
    with(|memory| {
        let at = address as usize;
        let next = memory.blocks.partition_point(|block| block.pages <= at);
        let block = memory.blocks.get(next.checked_sub(1)?)?;
        (block.address..block.address + block.size)
            .contains(&at)
            .then_some(block.purpose)
    })
}

/// Returns the side on which bytes next to a block were overwritten, if any.
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
        Some("before its start")
    } else if spoilt(address + size as u64..end) {
        Some("after its end")
    } else {
        None
    }
}

/// The size from which the memory of a freed block is returned to the operating system.
const RELEASED: usize = 64 << 10;

/// Frees a block. It becomes inaccessible permanently.
///
/// # Errors
///
/// Returns the error of the operating system.
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

/// Creates an opaque handle.
#[must_use]
pub fn handle(what: String) -> u64 {
    with(|memory| {
        memory.handles.push(what);
        // An offset in the page, so that the handle is not a page-aligned address.
        (memory.handle_base + memory.handles.len() * PAGE + 0x40) as u64
    })
}

/// Returns the description of a handle.
#[must_use]
pub fn handle_name(handle: u64) -> Option<String> {
    with(|memory| memory.handle_in(handle).map(str::to_owned))
}

/// Maps the driver.
///
/// # Errors
///
/// Returns the error of the operating system.
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

/// Makes the sections inaccessible that Windows discards after a successful `DriverEntry`.
///
/// # Errors
///
/// Returns the error of the operating system.
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

/// Makes the image inaccessible after an unload.
///
/// # Errors
///
/// Returns the error of the operating system.
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

/// Returns whether the image is loaded.
#[must_use]
pub fn is_loaded() -> bool {
    with(|memory| {
        memory
            .image
            .as_ref()
            .is_some_and(|mapped| mapped.state != Loaded::Gone)
    })
}

/// Sets whether the IRQL is `DISPATCH_LEVEL`, at which pageable memory is inaccessible.
///
/// # Errors
///
/// Returns the error of the operating system.
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

/// Returns the RVA of an address in the image.
#[must_use]
pub fn rva(address: u64) -> Option<u32> {
    with(|memory| {
        let mapped = memory.image.as_ref()?;
        let offset = (address as usize).checked_sub(mapped.base)?;
        (offset < mapped.image.size).then_some(offset as u32)
    })
}

/// Converts an address to a place in the driver.
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

/// Returns whether the code at an address has an exception handler.
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

/// Returns whether an address is executable code of the driver.
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

/// Returns whether a range is in the image or in an allocated block, so that the model can read it.
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

/// Returns a message of the driver's message table.
#[must_use]
pub fn message(id: u32) -> Option<String> {
    with(|memory| {
        let mapped = memory.image.as_ref()?;
        let message = mapped.image.messages.iter().find(|(known, _)| *known == id);
        message.map(|(_, text)| text.clone())
    })
}

/// Returns the description of an inaccessible address.
#[must_use]
pub fn target(address: u64) -> Target {
    with(|memory| memory.target(address))
}
