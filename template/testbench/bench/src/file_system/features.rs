//! The properties of file systems.
//!
//! Document: "File system functionality comparison".

/// The properties of a file system.
#[derive(Debug)]
#[allow(clippy::struct_excessive_bools)] // Each is a property of the file system.
pub struct Features {
    /// The name, as `FileFsAttributeInformation` returns it.
    pub name: &'static str,
    /// Files have named streams.
    pub streams: bool,
    /// Files have several links.
    pub links: bool,
    /// Files can be opened by their identification.
    pub open_by_id: bool,
    /// Files have extended attributes.
    pub extended: bool,
    /// Files have security descriptors.
    pub security: bool,
    /// `FILE_DISPOSITION_POSIX_SEMANTICS` and `FILE_RENAME_POSIX_SEMANTICS` are supported.
    pub posix: bool,
    /// The maximum size of a file.
    pub largest: u64,
    /// `FileSystemAttributes`.
    pub attributes: u32,
}

const CASE_PRESERVED: u32 = 0x2;
const UNICODE: u32 = 0x4;
const ACLS: u32 = 0x8;
const NAMED_STREAMS: u32 = 0x4_0000;
const HARD_LINKS: u32 = 0x40_0000;
const OPEN_BY_ID: u32 = 0x100_0000;

const NTFS: Features = Features {
    name: "NTFS",
    streams: true,
    links: true,
    open_by_id: true,
    extended: true,
    security: true,
    posix: true,
    largest: u64::MAX,
    attributes: CASE_PRESERVED | UNICODE | ACLS | NAMED_STREAMS | HARD_LINKS | OPEN_BY_ID,
};

const REFS: Features = Features {
    name: "ReFS",
    links: false,
    attributes: CASE_PRESERVED | UNICODE | ACLS | NAMED_STREAMS | OPEN_BY_ID,
    ..NTFS
};

const FAT: Features = Features {
    name: "FAT32",
    streams: false,
    links: false,
    open_by_id: false,
    extended: false,
    security: false,
    posix: false,
    largest: u32::MAX as u64,
    attributes: CASE_PRESERVED | UNICODE,
};

const EXFAT: Features = Features {
    name: "exFAT",
    largest: u64::MAX,
    ..FAT
};

/// A share of a Windows server, whose volume has NTFS.
const NETWORK: Features = Features {
    open_by_id: false,
    ..NTFS
};

impl Features {
    /// Returns the properties of a `FLT_FILESYSTEM_TYPE` that has files.
    #[must_use]
    pub fn of(file_system: u32) -> Option<&'static Self> {
        match file_system {
            2 => Some(&NTFS),
            3 => Some(&FAT),
            13 => Some(&NETWORK),
            22 => Some(&EXFAT),
            28 => Some(&REFS),
            _ => None,
        }
    }
}
