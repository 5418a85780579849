//! The layout of the address space of a scenario.

use crate::image::Image;
use crate::os::PAGE;
use crate::trace::Target;

/// The lowest address that can be mapped. Both operating systems reserve the first 64 KiB.
pub const LOWEST: u64 = 0x1_0000;
/// The end of the user address range. It is followed by non-canonical addresses and the kernel address range.
pub const USER_END: u64 = 0x8000_0000_0000;
/// The end of the addresses that a program can use, `MmUserProbeAddress`.
pub const USER_PROBE_ADDRESS: u64 = 0x7FFF_FFFF_0000;
/// The start of the kernel address range.
pub const KERNEL: u64 = 0xFFFF_8000_0000_0000;
/// The address space that is reserved for blocks. It is committed on use.
pub const ARENA: usize = 4 << 30;
/// The maximum amount of pool that the driver can have allocated.
pub const POOL: usize = 256 << 20;
/// The address space that is reserved for handles, one page each.
pub const HANDLES: usize = 1 << 28;

/// The purpose of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Pool that the driver allocated.
    Pool,
    /// Paged pool that the driver allocated.
    PagedPool,
    /// The registry path argument of `DriverEntry`.
    RegistryPath,
    /// The callback data of an operation.
    CallbackData,
    /// A file object.
    FileObject,
    /// An IRP.
    Irp,
    /// A buffer of a program that became invalid.
    UserBuffer,
    /// An error log entry.
    ErrorLogEntry,
    /// Another structure of the system that the driver can access.
    System,
}

/// A block: its pages, and the bytes in them that the driver can access.
#[derive(Debug, Clone)]
pub struct Block {
    /// The address of the first page.
    pub pages: usize,
    /// The number of pages.
    pub page_count: usize,
    /// The address of the first byte.
    pub address: usize,
    /// The size.
    pub size: usize,
    /// The purpose.
    pub purpose: Purpose,
    /// The description for a report.
    pub what: String,
    /// The block was freed. `true` if it was freed while the driver was being unloaded or undoing a failed start.
    pub freed: Option<bool>,
}

/// The state of the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loaded {
    /// `DriverEntry` has not returned yet.
    Starting,
    /// The driver is loaded.
    Running,
    /// The driver was unloaded.
    Gone,
}

/// The mapped image.
#[derive(Debug)]
pub struct Mapped {
    /// The parsed file.
    pub image: Image,
    /// The base address.
    pub base: usize,
    /// The state.
    pub state: Loaded,
}

/// The address space of a scenario.
#[derive(Debug, Default)]
pub struct Memory {
    /// The driver's image.
    pub image: Option<Mapped>,
    /// The base address of the blocks.
    pub arena: usize,
    /// The address of the next block.
    pub next: usize,
    /// The blocks, sorted by address.
    pub blocks: Vec<Block>,
    /// The base address of the handles.
    pub handle_base: usize,
    /// The description of each handle.
    pub handles: Vec<String>,
    /// The IRQL is `DISPATCH_LEVEL`, at which pageable memory is inaccessible.
    pub dispatch: bool,
    /// The number of bytes of pool that are allocated, in whole pages.
    pub pool: usize,
    /// The number of bytes of pool that the driver can allocate, or `None` without a limit.
    pub limit: Option<u64>,
    /// The stacks of the driver: the lowest address of the guard area, that of the stack, and the end of the stack.
    pub stacks: Vec<(usize, usize, usize)>,
}

impl Memory {
    /// Returns the description of a handle.
    #[must_use]
    pub fn handle_in(&self, address: u64) -> Option<&str> {
        let offset = (address as usize).checked_sub(self.handle_base)?;
        if offset >= HANDLES {
            return None;
        }
        let index = (offset / PAGE).checked_sub(1)?;
        self.handles.get(index).map(String::as_str)
    }

    /// Returns the description of an inaccessible address.
    #[must_use]
    pub fn target(&self, address: u64) -> Target {
        if address < LOWEST {
            return Target::Null;
        }
        if address >= KERNEL {
            return Target::Kernel;
        }
        let stack = |(guard, begin, _): &(usize, usize, usize)| {
            (*guard..*begin).contains(&(address as usize))
        };
        if self.stacks.iter().any(stack) {
            return Target::Stack;
        }
        if let Some(what) = self.handle_in(address) {
            let what = what.to_owned();
            return Target::Opaque { what };
        }
        self.in_image(address)
            .or_else(|| self.in_arena(address))
            .unwrap_or(Target::Nothing)
    }

    fn in_image(&self, address: u64) -> Option<Target> {
        let mapped = self.image.as_ref()?;
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
            _ if self.dispatch && section.is_some_and(|section| section.pageable) => {
                Target::Pageable {
                    what: format!("section {name}"),
                }
            }
            _ => Target::Protected { section: name },
        })
    }

    fn in_arena(&self, address: u64) -> Option<Target> {
        let address = address as usize;
        if !(self.arena..self.next).contains(&address) {
            return None;
        }
        let index = self.blocks.partition_point(|block| block.pages <= address);
        let block = self.blocks.get(index.checked_sub(1)?)?;
        let what = block.what.clone();
        let inside = address < block.pages + block.page_count * PAGE;
        Some(match (block.freed, block.purpose) {
            (Some(_), Purpose::RegistryPath) => Target::RegistryPath,
            (Some(in_teardown), _) => Target::Freed { what, in_teardown },
            (None, Purpose::PagedPool) if inside && self.dispatch => Target::Pageable { what },
            (None, Purpose::UserBuffer) if inside => Target::UserBuffer { what },
            (None, _) if inside => Target::Nothing,
            (None, _) => Target::Beyond { what },
        })
    }
}
