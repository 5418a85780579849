//! The address space of a scenario: what is where.

use crate::image::Image;
use crate::os::PAGE;
use crate::trace::Target;

/// The lowest address that memory of a process can have: both systems keep the first 64 KiB free.
pub const LOWEST: u64 = 0x1_0000;
/// The end of the user half of the address space. Above it are addresses that are not canonical, then the kernel's.
pub const USER_END: u64 = 0x8000_0000_0000;
/// The end of what a program can have, `MmUserProbeAddress`.
pub const USER_PROBE_ADDRESS: u64 = 0x7FFF_FFFF_0000;
/// The beginning of the kernel's half.
pub const KERNEL: u64 = 0xFFFF_8000_0000_0000;
/// Room for every block of a scenario; it costs nothing until used.
pub const ARENA: usize = 4 << 30;
/// The pool that the driver can have at one time.
pub const POOL: usize = 256 << 20;
/// Room for handles, a page each.
pub const HANDLES: usize = 1 << 28;

/// What a block is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Pool that the driver allocated.
    Pool,
    /// Pool that may be paged out.
    PagedPool,
    /// The registry path of `DriverEntry`.
    RegistryPath,
    /// The callback data of an operation.
    CallbackData,
    /// A file object.
    FileObject,
    /// An IRP.
    Irp,
    /// An error log entry.
    ErrorLogEntry,
    /// Another structure of the system's that the driver may look into.
    System,
}

/// A block: its pages, and the bytes in them that are the driver's or shared with it.
#[derive(Debug, Clone)]
pub struct Block {
    /// The address of its first page.
    pub pages: usize,
    /// The number of its pages.
    pub page_count: usize,
    /// The address of its first byte.
    pub address: usize,
    /// Its size.
    pub size: usize,
    /// What it is for.
    pub purpose: Purpose,
    /// What it is, for a report.
    pub what: String,
    /// It was freed; with `true`, while the driver took itself down.
    pub freed: Option<bool>,
}

/// What has become of the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loaded {
    /// `DriverEntry` has not returned yet.
    Starting,
    /// The driver is loaded.
    Running,
    /// The driver was unloaded.
    Gone,
}

/// The image in memory.
#[derive(Debug)]
pub struct Mapped {
    /// The file.
    pub image: Image,
    /// Where it is.
    pub base: usize,
    /// What has become of it.
    pub state: Loaded,
}

/// The address space of a scenario.
#[derive(Debug, Default)]
pub struct Memory {
    /// The driver's image.
    pub image: Option<Mapped>,
    /// Where blocks are.
    pub arena: usize,
    /// Where the next block is.
    pub next: usize,
    /// The blocks, by address.
    pub blocks: Vec<Block>,
    /// Where handles are.
    pub handle_base: usize,
    /// What each handle stands for.
    pub handles: Vec<String>,
    /// Pageable memory is inaccessible.
    pub dispatch: bool,
    /// How many bytes of pool the driver has, in whole pages.
    pub pool: usize,
    /// The driver's stacks: the lowest address of the guard, that of the stack, and its end.
    pub stacks: Vec<(usize, usize, usize)>,
}

impl Memory {
    /// What a handle stands for.
    #[must_use]
    pub fn handle_in(&self, address: u64) -> Option<&str> {
        let offset = (address as usize).checked_sub(self.handle_base)?;
        if offset >= HANDLES {
            return None;
        }
        let index = (offset / PAGE).checked_sub(1)?;
        self.handles.get(index).map(String::as_str)
    }

    /// What is at an address that cannot be used.
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
            (None, _) if inside => Target::Nothing,
            (None, _) => Target::Beyond { what },
        })
    }
}
