//! Parses and checks the driver file, and maps it as the Windows loader does.
//!
//! Documents: "PE Format"; for the sections that are discarded after `DriverEntry`, "Locking Pageable Code or Data" and
//! the INIT segment of "Making Drivers Pageable".

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::{fs, io};

use object::LittleEndian as LE;
use object::pe;
use object::read::pe::{
    ImageNtHeaders as _, ImageOptionalHeader as _, ImageThunkData as _, Import as PeImport,
    PeFile64, ResourceDirectoryEntryData,
};

use crate::os::{self, Access, PAGE};

/// The reason why a file cannot be loaded, as one sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal(pub String);

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refusal {}

/// A parsed driver file.
#[derive(Debug, Clone)]
pub struct Image {
    /// The path of the file.
    pub path: PathBuf,
    /// The content of the file.
    pub data: Vec<u8>,
    /// The size of the mapped image.
    pub size: usize,
    /// The RVA of `DriverEntry`.
    pub entry: u32,
    /// The sections, sorted by address.
    pub sections: Vec<Section>,
    /// The imports.
    pub imports: Vec<Import>,
    /// The messages of the message table: identifier and text.
    pub messages: Vec<(u32, String)>,
    preferred_base: u64,
    header_size: usize,
    relocations: Vec<u32>,
    cookie: Option<u32>,
    routines: Vec<RoutineEntry>,
}

/// A section of the image.
#[derive(Debug, Clone)]
pub struct Section {
    /// The name.
    pub name: String,
    /// The RVA.
    pub rva: usize,
    /// The size in memory, rounded up to pages.
    pub size: usize,
    /// The access protection.
    pub access: Access,
    /// Windows discards the section after `DriverEntry`.
    pub discardable: bool,
    /// The section is pageable and must not be accessed at `DISPATCH_LEVEL`.
    pub pageable: bool,
    file: std::ops::Range<usize>,
}

/// An imported function or variable.
#[derive(Debug, Clone)]
pub struct Import {
    /// The name of the module.
    pub dll: String,
    /// The name of the import, or `#` and the ordinal.
    pub name: String,
    slot: u32,
}

/// A `RUNTIME_FUNCTION`, which is an entry of the exception directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoutineEntry {
    /// The RVA of the first byte of the routine.
    pub begin: u32,
    /// The RVA after the last byte of the routine.
    pub end: u32,
    /// The RVA of the `UNWIND_INFO`.
    pub unwind: u32,
    /// The routine has an exception handler.
    pub has_handler: bool,
    /// The RVA of the entry.
    pub at: u32,
}

/// The value that the linker gives the security cookie. A driver that finds it unchanged stops.
const SECURITY_COOKIE: u64 = 0x0000_5EED_C00C_1E57;

/// The maximum image size. A larger value indicates a damaged header.
const LARGEST_IMAGE: usize = 256 << 20;

impl Image {
    /// Reads and parses a file.
    ///
    /// # Errors
    ///
    /// Returns one sentence that states why the file cannot be loaded.
    pub fn open(path: &Path) -> Result<Self, Refusal> {
        let data = fs::read(path)
            .map_err(|error| Refusal(format!("{} cannot be read: {error}.", path.display())))?;
        Self::parse(path, data)
    }

    /// Parses the content of a file.
    ///
    /// # Errors
    ///
    /// Returns one sentence that states why the file cannot be loaded.
    pub fn parse(path: &Path, data: Vec<u8>) -> Result<Self, Refusal> {
        let shown = path.display();
        if data.get(..2) != Some(b"MZ") {
            return Err(Refusal(format!(
                "{shown} is no Windows program file: it does not begin with MZ; give the .sys that the build made."
            )));
        }
        match machine(&data) {
            Some(pe::IMAGE_FILE_MACHINE_AMD64) => {}
            Some(machine) => {
                let name = match machine {
                    pe::IMAGE_FILE_MACHINE_ARM64 => "ARM64",
                    pe::IMAGE_FILE_MACHINE_I386 => "x86",
                    _ => "another processor",
                };
                return Err(Refusal(format!(
                    "{shown} is built for {name} (machine 0x{machine:04x}); the bench runs x64 drivers only, so build it for x86_64-pc-windows-msvc."
                )));
            }
            None => return Err(damaged(path, "it ends before its headers do")),
        }
        take_apart(path, data)
    }

    /// Returns whether the driver imports from the filter manager.
    #[must_use]
    pub fn is_minifilter(&self) -> bool {
        self.imports
            .iter()
            .any(|import| import.dll.eq_ignore_ascii_case("FLTMGR.SYS"))
    }

    /// Returns the section that contains an RVA.
    #[must_use]
    pub fn section_at(&self, rva: usize) -> Option<&Section> {
        self.sections
            .iter()
            .find(|section| (section.rva..section.rva + section.size).contains(&rva))
    }

    /// Returns whether the routine at an RVA has an exception handler.
    #[must_use]
    pub fn has_handler(&self, rva: u32) -> bool {
        self.routine_at(rva).is_some_and(|entry| entry.has_handler)
    }

    /// Returns the entry of the routine at an RVA. A leaf routine has none.
    #[must_use]
    pub fn routine_at(&self, rva: u32) -> Option<&RoutineEntry> {
        let mut routines = self.routines.iter();
        routines.find(|entry| (entry.begin..entry.end).contains(&rva))
    }

    /// Returns the code ranges: each routine of the exception directory, and each range between two routines.
    fn code(&self) -> Vec<Range<usize>> {
        let mut edges: Vec<usize> = self
            .routines
            .iter()
            .flat_map(|entry| [entry.begin as usize, entry.end as usize])
            .collect();
        edges.sort_unstable();
        edges.dedup();
        let mut code = Vec::new();
        for section in &self.sections {
            if !matches!(section.access, Access::ReadExecute | Access::All) {
                continue;
            }
            let whole = section.rva..section.rva + section.file.len();
            let inside = edges.iter().copied().filter(|edge| whole.contains(edge));
            let mut begin = whole.start;
            for edge in inside.chain([whole.end]) {
                code.push(begin..edge);
                begin = edge;
            }
        }
        code
    }

    /// Maps the image at an address that the operating system selects. `bind` returns the address for each import.
    ///
    /// # Errors
    ///
    /// Returns the error of the operating system.
    pub fn map(&self, mut bind: impl FnMut(&Import) -> u64) -> io::Result<usize> {
        // An inaccessible page precedes the image and another one follows it.
        let base = os::reserve(self.size + 2 * PAGE)? + PAGE;
        os::protect(base, self.size, Access::ReadWrite)?;
        // SAFETY: the pages were reserved above, are writable, and are not referenced elsewhere.
        let memory = unsafe { std::slice::from_raw_parts_mut(base as *mut u8, self.size) };
        memory[..self.header_size].copy_from_slice(&self.data[..self.header_size]);
        for section in &self.sections {
            let bytes = &self.data[section.file.clone()];
            memory[section.rva..section.rva + bytes.len()].copy_from_slice(bytes);
        }
        let delta = (base as u64).wrapping_sub(self.preferred_base);
        for rva in &self.relocations {
            let place = &mut memory[*rva as usize..*rva as usize + 8];
            let value = u64::from_le_bytes(place.try_into().unwrap_or_default());
            place.copy_from_slice(&value.wrapping_add(delta).to_le_bytes());
        }
        for import in &self.imports {
            let slot = import.slot as usize;
            memory[slot..slot + 8].copy_from_slice(&bind(import).to_le_bytes());
        }
        if let Some(cookie) = self.cookie {
            memory[cookie as usize..cookie as usize + 8]
                .copy_from_slice(&SECURITY_COOKIE.to_le_bytes());
        }
        os::patch(memory, base as u64, &self.code());
        os::protect(base, self.size, Access::None)?;
        os::protect(base, self.header_size.next_multiple_of(PAGE), Access::Read)?;
        for section in &self.sections {
            os::protect(base + section.rva, section.size, section.access)?;
        }
        Ok(base)
    }
}

fn damaged(path: &Path, why: &str) -> Refusal {
    Refusal(format!(
        "{} is damaged: {why}; build it again.",
        path.display()
    ))
}

fn machine(data: &[u8]) -> Option<u16> {
    let at = u32::from_le_bytes(data.get(0x3C..0x40)?.try_into().ok()?) as usize;
    if data.get(at..at.checked_add(4)?)? != b"PE\0\0" {
        return None;
    }
    let machine = data.get(at + 4..at + 6)?;
    Some(u16::from_le_bytes(machine.try_into().ok()?))
}

fn take_apart(path: &Path, data: Vec<u8>) -> Result<Image, Refusal> {
    let file = PeFile64::parse(&*data).map_err(|error| damaged(path, &why(error)))?;
    let header = file.nt_headers().optional_header();
    if header.subsystem() != pe::IMAGE_SUBSYSTEM_NATIVE {
        return Err(Refusal(format!(
            "{} is no kernel driver: its subsystem is {}, not 1 (native); link it with /DRIVER /SUBSYSTEM:NATIVE.",
            path.display(),
            header.subsystem()
        )));
    }
    let size = header.size_of_image() as usize;
    if size == 0 || size > LARGEST_IMAGE {
        return Err(damaged(
            path,
            &format!("its header asks for {size} bytes of memory"),
        ));
    }
    let size = size.next_multiple_of(PAGE);
    let header_size = header.size_of_headers() as usize;
    if header_size > data.len() || header_size > size {
        return Err(damaged(
            path,
            "its headers are larger than the file or the image",
        ));
    }
    let sections = sections(path, &file, &data, size)?;
    let entry = header.address_of_entry_point();
    let runs = |rva: u32| {
        sections.iter().any(|section| {
            matches!(section.access, Access::ReadExecute | Access::All)
                && (section.rva..section.rva + section.size).contains(&(rva as usize))
        })
    };
    if !runs(entry) {
        return Err(damaged(
            path,
            "its entry point (DriverEntry) is not in a section with code",
        ));
    }
    let fits = |rva: u32| {
        if (rva as usize).checked_add(8).is_some_and(|end| end <= size) {
            Ok(rva)
        } else {
            Err(format!(
                "it refers to offset 0x{rva:x} of an image of 0x{size:x} bytes"
            ))
        }
    };

    let imports = imports(&file, fits).map_err(|why| damaged(path, &why))?;
    let relocations = relocations(&file, &data, fits).map_err(|why| damaged(path, &why))?;
    let table = file.section_table();
    let base = header.image_base();
    let directory = |index| {
        file.data_directory(index)
            .and_then(|directory| directory.data(&*data, &table).ok())
            .unwrap_or_default()
    };
    let cookie = word(directory(pe::IMAGE_DIRECTORY_ENTRY_LOAD_CONFIG), 0x58)
        .filter(|address| *address != 0)
        .and_then(|address| u32::try_from(address.wrapping_sub(base)).ok())
        .filter(|rva| (*rva as usize) + 8 <= size);
    let exceptions = file
        .data_directory(pe::IMAGE_DIRECTORY_ENTRY_EXCEPTION)
        .map_or(0, |directory| directory.virtual_address.get(LE));
    let routines = routines(
        (exceptions, directory(pe::IMAGE_DIRECTORY_ENTRY_EXCEPTION)),
        |rva| table.pe_data_at(&*data, rva),
    );
    let messages = messages(&file, &data).unwrap_or_default();

    Ok(Image {
        path: path.to_path_buf(),
        size,
        entry,
        preferred_base: base,
        header_size,
        sections,
        imports,
        messages,
        relocations,
        cookie,
        routines,
        data,
    })
}

/// Returns the description of a parser error, for the end of a sentence.
fn why(error: object::read::Error) -> String {
    error.to_string().to_lowercase()
}

fn imports(
    file: &PeFile64<'_>,
    fits: impl Fn(u32) -> Result<u32, String>,
) -> Result<Vec<Import>, String> {
    let mut imports = Vec::new();
    let Some(table) = file.import_table().map_err(why)? else {
        return Ok(imports);
    };
    let mut descriptors = table.descriptors().map_err(why)?;
    while let Some(descriptor) = descriptors.next().map_err(why)? {
        let dll = table.name(descriptor.name.get(LE)).map_err(why)?;
        let dll = String::from_utf8_lossy(dll).into_owned();
        let names = match descriptor.original_first_thunk.get(LE) {
            0 => descriptor.first_thunk.get(LE),
            names => names,
        };
        let mut thunks = table.thunks(names).map_err(why)?;
        let mut slot = descriptor.first_thunk.get(LE);
        while let Some(thunk) = thunks.next::<pe::ImageNtHeaders64>().map_err(why)? {
            let name = match table.import::<pe::ImageNtHeaders64>(thunk).map_err(why)? {
                PeImport::Ordinal(_) => format!("#{}", thunk.ordinal()),
                PeImport::Name(_, name) => String::from_utf8_lossy(name).into_owned(),
            };
            imports.push(Import {
                dll: dll.clone(),
                name,
                slot: fits(slot)?,
            });
            slot += 8;
        }
    }
    Ok(imports)
}

fn relocations(
    file: &PeFile64<'_>,
    data: &[u8],
    fits: impl Fn(u32) -> Result<u32, String>,
) -> Result<Vec<u32>, String> {
    let mut relocations = Vec::new();
    let table = file.section_table();
    let blocks = file.data_directories().relocation_blocks(data, &table);
    let Some(mut blocks) = blocks.map_err(why)? else {
        return Ok(relocations);
    };
    while let Some(block) = blocks.next().map_err(why)? {
        for relocation in block {
            match relocation.typ {
                pe::IMAGE_REL_BASED_ABSOLUTE => {}
                pe::IMAGE_REL_BASED_DIR64 => relocations.push(fits(relocation.virtual_address)?),
                other => {
                    return Err(format!(
                        "it has a relocation of type {other}, which x64 does not have"
                    ));
                }
            }
        }
    }
    Ok(relocations)
}

fn word(data: &[u8], offset: usize) -> Option<u64> {
    let bytes = data.get(offset..offset + 8)?;
    Some(u64::from_le_bytes(bytes.try_into().ok()?))
}

fn sections(
    path: &Path,
    file: &PeFile64<'_>,
    data: &[u8],
    size: usize,
) -> Result<Vec<Section>, Refusal> {
    let mut sections = Vec::new();
    for header in file.section_table().iter() {
        let name = String::from_utf8_lossy(header.raw_name()).into_owned();
        let rva = header.virtual_address.get(LE) as usize;
        let in_file = header.size_of_raw_data.get(LE) as usize;
        let in_memory = match header.virtual_size.get(LE) as usize {
            0 => in_file,
            in_memory => in_memory,
        };
        let begin = header.pointer_to_raw_data.get(LE) as usize;
        let file = begin..begin.saturating_add(in_file.min(in_memory));
        if !rva.is_multiple_of(PAGE)
            || rva.saturating_add(in_memory) > size
            || file.end > data.len()
        {
            return Err(damaged(
                path,
                &format!("section {name} lies outside the file or the image"),
            ));
        }
        let flags = header.characteristics.get(LE);
        let access = match (
            flags & pe::IMAGE_SCN_MEM_WRITE != 0,
            flags & pe::IMAGE_SCN_MEM_EXECUTE != 0,
        ) {
            (true, true) => Access::All,
            (true, false) => Access::ReadWrite,
            (false, true) => Access::ReadExecute,
            (false, false) => Access::Read,
        };
        sections.push(Section {
            discardable: flags & pe::IMAGE_SCN_MEM_DISCARDABLE != 0 || name == "INIT",
            pageable: name.starts_with("PAGE"),
            name,
            rva,
            size: in_memory.next_multiple_of(PAGE),
            access,
            file,
        });
    }
    Ok(sections)
}

/// Returns the entries of the exception directory.
fn routines<'a>(
    (at, directory): (u32, &[u8]),
    data_at: impl Fn(u32) -> Option<&'a [u8]>,
) -> Vec<RoutineEntry> {
    (at..)
        .step_by(12)
        .zip(directory.chunks_exact(12))
        .map(|(at, entry)| {
            let [begin, end, unwind] = [0, 4, 8].map(|at| {
                u32::from_le_bytes([entry[at], entry[at + 1], entry[at + 2], entry[at + 3]])
            });
            // UNW_FLAG_EHANDLER, in the upper bits of the first byte.
            let has_handler =
                data_at(unwind).is_some_and(|info| info.first().is_some_and(|b| b >> 3 & 1 != 0));
            RoutineEntry {
                begin,
                end,
                unwind,
                has_handler,
                at,
            }
        })
        .collect()
}

/// Returns the message table of the resources, in the first language.
fn messages(file: &PeFile64<'_>, data: &[u8]) -> Option<Vec<(u32, String)>> {
    let table = file.section_table();
    let directories = file.data_directories();
    let resources = directories
        .resource_directory(data, &table)
        .ok()
        .flatten()?;
    let root = resources.root().ok()?;
    let types = root
        .entries
        .iter()
        .find(|entry| entry.name_or_id().id() == Some(pe::RT_MESSAGETABLE))?;
    let mut entry = types.data(resources).ok()?;
    while let ResourceDirectoryEntryData::Table(table) = entry {
        entry = table.entries.first()?.data(resources).ok()?;
    }
    let leaf = entry.data()?;
    let bytes = table.pe_data_at(data, leaf.offset_to_data.get(LE))?;
    message_table(bytes.get(..leaf.size.get(LE) as usize)?)
}

/// Parses a `MESSAGE_RESOURCE_DATA`.
fn message_table(bytes: &[u8]) -> Option<Vec<(u32, String)>> {
    let long = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    let short = |at: usize| Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?));
    let mut messages = Vec::new();
    for block in 0..long(0)? as usize {
        let at = 4 + block * 12;
        let (low, high) = (long(at)?, long(at + 4)?);
        let mut at = long(at + 8)? as usize;
        for id in low..=high {
            let length = short(at)? as usize;
            let text = bytes.get(at + 4..at + length)?;
            let text = if short(at + 2)? & 1 != 0 {
                let units: Vec<u16> = text
                    .chunks_exact(2)
                    .map(|unit| u16::from_le_bytes([unit[0], unit[1]]))
                    .collect();
                String::from_utf16_lossy(&units)
            } else {
                text.iter().map(|byte| char::from(*byte)).collect()
            };
            messages.push((id, text.trim_end_matches(['\0', '\r', '\n']).to_owned()));
            at += length;
        }
    }
    Some(messages)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a driver that imports one function and has one relocation.
    fn driver() -> Vec<u8> {
        let mut file = vec![0; 0x600];
        let mut put = |at: usize, bytes: &[u8]| file[at..at + bytes.len()].copy_from_slice(bytes);
        put(0x00, b"MZ");
        put(0x3C, &0x40_u32.to_le_bytes());
        put(0x40, b"PE\0\0");
        put(0x44, &pe::IMAGE_FILE_MACHINE_AMD64.to_le_bytes());
        put(0x46, &2_u16.to_le_bytes()); // NumberOfSections
        put(0x54, &0xF0_u16.to_le_bytes()); // SizeOfOptionalHeader
        put(0x58, &0x20B_u16.to_le_bytes());
        put(0x58 + 0x10, &0x1000_u32.to_le_bytes()); // AddressOfEntryPoint
        put(0x58 + 0x18, &0x1_4000_0000_u64.to_le_bytes()); // ImageBase
        put(0x58 + 0x20, &0x1000_u32.to_le_bytes());
        put(0x58 + 0x24, &0x200_u32.to_le_bytes());
        put(0x58 + 0x38, &0x3000_u32.to_le_bytes()); // SizeOfImage
        put(0x58 + 0x3C, &0x200_u32.to_le_bytes()); // SizeOfHeaders
        put(0x58 + 0x44, &1_u16.to_le_bytes()); // Subsystem
        put(0x58 + 0x6C, &16_u32.to_le_bytes()); // NumberOfRvaAndSizes
        put(0x58 + 0x78, &0x2000_u32.to_le_bytes()); // imports
        put(0x58 + 0x7C, &40_u32.to_le_bytes());
        put(0x58 + 0x98, &0x2100_u32.to_le_bytes()); // relocations
        put(0x58 + 0x9C, &12_u32.to_le_bytes());
        let mut section = |at: usize, name: &[u8], rva: u32, file: u32, flags: u32| {
            put(at, name);
            put(at + 8, &0x200_u32.to_le_bytes());
            put(at + 12, &rva.to_le_bytes());
            put(at + 16, &0x200_u32.to_le_bytes());
            put(at + 20, &file.to_le_bytes());
            put(at + 36, &flags.to_le_bytes());
        };
        section(0x148, b".text", 0x1000, 0x200, 0x6000_0020);
        section(0x170, b"INIT", 0x2000, 0x400, 0xC000_0040);
        put(0x200, &[0x31, 0xC0, 0xC3]); // xor eax, eax; ret
        put(0x400, &0x2040_u32.to_le_bytes()); // OriginalFirstThunk
        put(0x40C, &0x2060_u32.to_le_bytes()); // Name
        put(0x410, &0x2050_u32.to_le_bytes()); // FirstThunk
        put(0x440, &0x2070_u64.to_le_bytes());
        put(0x450, &0x2070_u64.to_le_bytes());
        put(0x460, b"ntoskrnl.exe");
        put(0x472, b"DbgPrint");
        put(0x4F0, &0x1_4000_1000_u64.to_le_bytes()); // a pointer to the code
        put(0x500, &0x2000_u32.to_le_bytes());
        put(0x504, &12_u32.to_le_bytes());
        put(0x508, &0xA0F0_u16.to_le_bytes());
        file
    }

    fn refusal(data: Vec<u8>) -> String {
        Image::parse(Path::new("driver.sys"), data).unwrap_err().0
    }

    #[test]
    fn a_driver_is_parsed() {
        let image = Image::parse(Path::new("driver.sys"), driver()).unwrap();
        assert_eq!(image.entry, 0x1000);
        assert_eq!(image.imports.len(), 1);
        assert_eq!(image.imports[0].dll, "ntoskrnl.exe");
        assert_eq!(image.imports[0].name, "DbgPrint");
        assert!(
            image.sections[1].discardable,
            "INIT is discardable because of its name"
        );
        assert_eq!(image.section_at(0x2FFF).unwrap().name, "INIT");
    }

    #[test]
    fn a_driver_is_relocated_and_bound_and_runs() {
        let image = Image::parse(Path::new("driver.sys"), driver()).unwrap();
        let base = image.map(|_| 0x1234_5678).unwrap() as u64;
        assert_eq!(crate::os::raw::read::<u64>(base + 0x2050), 0x1234_5678);
        let pointer = crate::os::raw::read::<u64>(base + 0x20F0);
        assert_eq!(pointer, base + 0x1000);
        // SAFETY: the code is that of the file, which returns zero.
        let routine: extern "win64" fn() -> u64 = unsafe { std::mem::transmute(pointer) };
        assert_eq!(routine() as u32, 0);
    }

    #[test]
    fn other_files_are_refused_with_a_sentence() {
        assert_eq!(
            refusal(b"#!/bin/sh".to_vec()),
            "driver.sys is no Windows program file: it does not begin with MZ; give the .sys that the build made."
        );
        let mut arm = driver();
        arm[0x44..0x46].copy_from_slice(&pe::IMAGE_FILE_MACHINE_ARM64.to_le_bytes());
        assert_eq!(
            refusal(arm),
            "driver.sys is built for ARM64 (machine 0xaa64); the bench runs x64 drivers only, so build it for x86_64-pc-windows-msvc."
        );
        let mut program = driver();
        program[0x58 + 0x44] = 3;
        assert_eq!(
            refusal(program),
            "driver.sys is no kernel driver: its subsystem is 3, not 1 (native); link it with /DRIVER /SUBSYSTEM:NATIVE."
        );
        let mut data_entry = driver();
        data_entry[0x58 + 0x11] = 0x20;
        assert_eq!(
            refusal(data_entry),
            "driver.sys is damaged: its entry point (DriverEntry) is not in a section with code; build it again."
        );
    }

    #[test]
    fn a_damaged_file_causes_no_panic() {
        let whole = driver();
        for length in 0..whole.len() {
            let _ = Image::parse(Path::new("driver.sys"), whole[..length].to_vec());
        }
        // Replace each byte of the headers and tables by boundary values.
        for at in 0..whole.len() {
            for value in [0x00, 0x7F, 0x80, 0xFF] {
                let mut damaged = whole.clone();
                damaged[at] = value;
                if let Ok(image) = Image::parse(Path::new("driver.sys"), damaged)
                    && at % 8 == 0
                {
                    image.map(|_| 0).unwrap();
                }
            }
        }
    }

    #[test]
    fn a_message_table_is_read() {
        let mut table = vec![0; 16];
        table[0] = 1;
        table[4..8].copy_from_slice(&0xC004_0001_u32.to_le_bytes());
        table[8..12].copy_from_slice(&0xC004_0002_u32.to_le_bytes());
        table[12..16].copy_from_slice(&16_u32.to_le_bytes());
        for text in ["%2 failed\r\n", "later"] {
            let units: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
            table.extend((units.len() as u16 + 4).to_le_bytes());
            table.extend(1_u16.to_le_bytes());
            table.extend(units);
        }
        assert_eq!(
            message_table(&table).unwrap(),
            [
                (0xC004_0001, "%2 failed".to_owned()),
                (0xC004_0002, "later".to_owned())
            ]
        );
        table.truncate(20);
        assert_eq!(message_table(&table), None);
    }
}
