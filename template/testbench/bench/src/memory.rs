//! The address space of a scenario: the image, blocks that end at a guard page, opaque handles.
//!
//! - Every block lies on pages of its own and ends where an inaccessible page begins; freed blocks
//!   stay inaccessible and their addresses are never given out again. So a use after free and an
//!   overrun stop the driver at the very instruction.
//! - A handle that the filter manager documents as opaque is an address in memory that nobody may
//!   touch. So a dereference is caught and can be named.
//!
//! Nothing in this file touches the driver's memory while the lock is held: the fault handler needs
//! it to say what lies at an address.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::guest;
use crate::image::Image;
use crate::os::{self, Access, PAGE};
use crate::trace::{Place, Target};

/// Room for every block of a scenario; it costs nothing until used.
const ARENA: usize = 4 << 30;
/// Room for handles, a page each.
const HANDLES: usize = 1 << 28;
/// What fresh memory and the room beside a block are filled with.
pub const FILL: u8 = 0xF5;

/// What a block is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Pool that the driver allocated.
    Pool,
    /// Pool that may be paged out.
    PagedPool,
    /// The registry path of `DriverEntry`.
    RegistryPath,
    /// A structure of the system's that the driver may look into.
    System,
}

#[derive(Debug, Clone)]
struct Block {
    pages: usize,
    page_count: usize,
    address: usize,
    size: usize,
    purpose: Purpose,
    what: String,
    freed: Option<bool>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Loaded {
    Starting,
    Running,
    Gone,
}

#[derive(Debug)]
struct Mapped {
    image: Image,
    base: usize,
    state: Loaded,
}

#[derive(Debug, Default)]
struct Memory {
    image: Option<Mapped>,
    arena: usize,
    next: usize,
    blocks: Vec<Block>,
    handle_base: usize,
    handles: Vec<String>,
    dispatch: bool,
}

static MEMORY: Mutex<Option<Memory>> = Mutex::new(None);

fn memory() -> MutexGuard<'static, Option<Memory>> {
    MEMORY.lock().unwrap_or_else(PoisonError::into_inner)
}

fn with<T>(action: impl FnOnce(&mut Memory) -> T) -> T {
    action(memory().get_or_insert_default())
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
    let pages = with(|memory| {
        let pages = memory.next;
        memory.next += (page_count + 1) * PAGE;
        if memory.next > memory.arena + ARENA {
            return Err(io::Error::other("the bench's memory is used up"));
        }
        Ok(pages)
    })?;
    os::protect(pages, page_count * PAGE, Access::ReadWrite)?;
    guest::fill(pages as u64, FILL, page_count * PAGE);
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
            .any(|address| guest::read::<u8>(address) != FILL)
    };
    if spoilt(pages as u64..address) {
        Some("before its beginning")
    } else if spoilt(address + size as u64..end) {
        Some("after its end")
    } else {
        None
    }
}

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
        Some((block.pages, block.page_count * PAGE))
    });
    match pages {
        Some((pages, size)) => os::protect(pages, size, Access::None),
        None => Ok(()),
    }
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
    with(|memory| handle_in(memory, handle).map(str::to_owned))
}

fn handle_in(memory: &Memory, address: u64) -> Option<&str> {
    let offset = (address as usize).checked_sub(memory.handle_base)?;
    if offset >= HANDLES {
        return None;
    }
    let index = (offset / PAGE).checked_sub(1)?;
    memory.handles.get(index).map(String::as_str)
}

/// Maps the driver.
///
/// # Errors
///
/// The operating system's own.
pub fn load(image: Image, bind: impl FnMut(&crate::image::Import) -> u64) -> io::Result<u64> {
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

/// What lies at an address that faulted.
#[must_use]
pub fn target(address: u64, stack_pointer: u64) -> Target {
    if address < 0x1_0000 {
        return Target::Null;
    }
    if address >= 0xFFFF_8000_0000_0000 {
        return Target::Kernel;
    }
    let guess = with(|memory| in_image(memory, address).or_else(|| in_arena(memory, address)));
    guess.unwrap_or_else(|| {
        if let Some(what) = handle_name(address) {
            Target::Opaque { what }
        } else if address.abs_diff(stack_pointer) < 0x1_0000 {
            Target::Stack
        } else {
            Target::Nothing
        }
    })
}

fn in_image(memory: &Memory, address: u64) -> Option<Target> {
    let mapped = memory.image.as_ref()?;
    let offset = (address as usize).checked_sub(mapped.base)?;
    if offset >= mapped.image.size {
        return None;
    }
    let section = mapped.image.section_at(offset);
    let name = section.map_or_else(|| "its headers".to_owned(), |section| section.name.clone());
    Some(match mapped.state {
        Loaded::Gone => Target::Unloaded,
        Loaded::Running if section.is_some_and(|section| section.discardable) => {
            Target::Discarded { section: name }
        }
        _ if memory.dispatch && section.is_some_and(|section| section.pageable) => {
            Target::Pageable {
                what: format!("section {name}"),
            }
        }
        _ => Target::Protected { section: name },
    })
}

fn in_arena(memory: &Memory, address: u64) -> Option<Target> {
    let address = address as usize;
    if !(memory.arena..memory.next).contains(&address) {
        return None;
    }
    let index = memory
        .blocks
        .partition_point(|block| block.pages <= address);
    let block = memory.blocks.get(index.checked_sub(1)?)?;
    let what = block.what.clone();
    let inside = address < block.pages + block.page_count * PAGE;
    Some(match (block.freed, block.purpose) {
        (Some(_), Purpose::RegistryPath) => Target::RegistryPath,
        (Some(in_teardown), _) => Target::Freed { what, in_teardown },
        (None, Purpose::PagedPool) if inside && memory.dispatch => Target::Pageable { what },
        (None, _) if inside => Target::Nothing,
        (None, _) => Target::Beyond { what },
    })
}
