//! Constants of requests to a file system.
//!
//! Documents: "`NtCreateFile` function (ntifs.h)", "`ACCESS_MASK`", "File Attribute Constants" and "File system
//! functions" (`FILE_INFORMATION_CLASS`, `FS_INFORMATION_CLASS`).

/// Access rights.
pub mod access {
    /// `FILE_READ_DATA`, `FILE_LIST_DIRECTORY`.
    pub const READ_DATA: u32 = 0x1;
    /// `FILE_WRITE_DATA`, `FILE_ADD_FILE`.
    pub const WRITE_DATA: u32 = 0x2;
    /// `FILE_APPEND_DATA`, `FILE_ADD_SUBDIRECTORY`.
    pub const APPEND_DATA: u32 = 0x4;
    /// `FILE_READ_EA`.
    pub const READ_EA: u32 = 0x8;
    /// `FILE_WRITE_EA`.
    pub const WRITE_EA: u32 = 0x10;
    /// `FILE_EXECUTE`, `FILE_TRAVERSE`.
    pub const EXECUTE: u32 = 0x20;
    /// `FILE_READ_ATTRIBUTES`.
    pub const READ_ATTRIBUTES: u32 = 0x80;
    /// `FILE_WRITE_ATTRIBUTES`.
    pub const WRITE_ATTRIBUTES: u32 = 0x100;
    /// `DELETE`.
    pub const DELETE: u32 = 0x1_0000;
    /// `READ_CONTROL`.
    pub const READ_CONTROL: u32 = 0x2_0000;
    /// `WRITE_DAC`.
    pub const WRITE_DAC: u32 = 0x4_0000;
    /// `WRITE_OWNER`.
    pub const WRITE_OWNER: u32 = 0x8_0000;
    /// `SYNCHRONIZE`.
    pub const SYNCHRONIZE: u32 = 0x10_0000;
    /// Returns the name of the right that a request needs.
    #[must_use]
    pub fn name(rights: u32) -> &'static str {
        match rights {
            DELETE => "the right DELETE; add delete() to its options",
            READ_DATA => "the right to read",
            rights if rights & (WRITE_DATA | APPEND_DATA) != 0 => {
                "the right to write; add write() to its options"
            }
            WRITE_ATTRIBUTES => "the right to write attributes; add write() to its options",
            WRITE_EA => "the right to write extended attributes; add write() to its options",
            WRITE_DAC => "the right WRITE_DAC; give it with access() of its options",
            WRITE_OWNER => "the right WRITE_OWNER; give it with access() of its options",
            _ => "a right that the request needs",
        }
    }

    /// `FILE_GENERIC_READ`.
    pub const GENERIC_READ: u32 = 0x12_0089;
    /// `FILE_GENERIC_WRITE`.
    pub const GENERIC_WRITE: u32 = 0x12_0116;
    /// `FILE_GENERIC_EXECUTE`.
    pub const GENERIC_EXECUTE: u32 = 0x12_00A0;
    /// `FILE_ALL_ACCESS`.
    pub const ALL: u32 = 0x1F_01FF;
    /// Replaces the generic rights and `MAXIMUM_ALLOWED` by the rights of files, as the object manager does.
    #[must_use]
    pub fn specific(rights: u32) -> u32 {
        let generic = [
            (0x8000_0000, GENERIC_READ),
            (0x4000_0000, GENERIC_WRITE),
            (0x2000_0000, GENERIC_EXECUTE),
            (0x1000_0000, ALL),
            (0x0200_0000, ALL),
        ];
        generic.iter().fold(rights, |rights, (bit, specific)| {
            if rights & bit == 0 {
                rights
            } else {
                rights & !bit | specific
            }
        })
    }
    /// The rights for which `FILE_SHARE_READ`, `FILE_SHARE_WRITE` and `FILE_SHARE_DELETE` are checked.
    pub const SHARED: [u32; 3] = [READ_DATA | EXECUTE, WRITE_DATA | APPEND_DATA, DELETE];
}

/// Share access.
pub mod share {
    /// `FILE_SHARE_READ`, `FILE_SHARE_WRITE` and `FILE_SHARE_DELETE`.
    pub const ALL: u16 = 7;
}

/// The create disposition, in the high byte of the create options.
pub mod disposition {
    /// `FILE_SUPERSEDE`.
    pub const SUPERSEDE: u32 = 0;
    /// `FILE_OPEN`.
    pub const OPEN: u32 = 1;
    /// `FILE_CREATE`.
    pub const CREATE: u32 = 2;
    /// `FILE_OPEN_IF`.
    pub const OPEN_IF: u32 = 3;
    /// `FILE_OVERWRITE`.
    pub const OVERWRITE: u32 = 4;
    /// `FILE_OVERWRITE_IF`.
    pub const OVERWRITE_IF: u32 = 5;
}

/// Create options.
pub mod option {
    /// `FILE_DIRECTORY_FILE`.
    pub const DIRECTORY: u32 = 0x1;
    /// `FILE_WRITE_THROUGH`.
    pub const WRITE_THROUGH: u32 = 0x2;
    /// `FILE_NO_INTERMEDIATE_BUFFERING`.
    pub const NO_BUFFERING: u32 = 0x8;
    /// `FILE_SYNCHRONOUS_IO_NONALERT`.
    pub const SYNCHRONOUS: u32 = 0x20;
    /// `FILE_NON_DIRECTORY_FILE`.
    pub const NON_DIRECTORY: u32 = 0x40;
    /// `FILE_DELETE_ON_CLOSE`.
    pub const DELETE_ON_CLOSE: u32 = 0x1000;
    /// `FILE_OPEN_BY_FILE_ID`.
    pub const BY_FILE_ID: u32 = 0x2000;
    /// `FILE_OPEN_REPARSE_POINT`.
    pub const REPARSE_POINT: u32 = 0x20_0000;
}

/// The result of a create request, in `IoStatus.Information`.
pub mod result {
    /// `FILE_SUPERSEDED`.
    pub const SUPERSEDED: u64 = 0;
    /// `FILE_OPENED`.
    pub const OPENED: u64 = 1;
    /// `FILE_CREATED`.
    pub const CREATED: u64 = 2;
    /// `FILE_OVERWRITTEN`.
    pub const OVERWRITTEN: u64 = 3;
    /// `FILE_EXISTS`.
    pub const EXISTS: u64 = 4;
    /// `FILE_DOES_NOT_EXIST`.
    pub const DOES_NOT_EXIST: u64 = 5;
}

/// File attributes.
pub mod attribute {
    /// `FILE_ATTRIBUTE_READONLY`.
    pub const READ_ONLY: u32 = 0x1;
    /// `FILE_ATTRIBUTE_HIDDEN`.
    pub const HIDDEN: u32 = 0x2;
    /// `FILE_ATTRIBUTE_SYSTEM`.
    pub const SYSTEM: u32 = 0x4;
    /// `FILE_ATTRIBUTE_DIRECTORY`.
    pub const DIRECTORY: u32 = 0x10;
    /// `FILE_ATTRIBUTE_ARCHIVE`.
    pub const ARCHIVE: u32 = 0x20;
    /// `FILE_ATTRIBUTE_NORMAL`.
    pub const NORMAL: u32 = 0x80;
    /// The attributes that a program can set.
    pub const SETTABLE: u32 = 0x31A7;
}

/// `FILE_INFORMATION_CLASS`.
pub mod class {
    /// `FileDirectoryInformation`.
    pub const DIRECTORY: u32 = 1;
    /// `FileFullDirectoryInformation`.
    pub const FULL_DIRECTORY: u32 = 2;
    /// `FileBothDirectoryInformation`.
    pub const BOTH_DIRECTORY: u32 = 3;
    /// `FileBasicInformation`.
    pub const BASIC: u32 = 4;
    /// `FileStandardInformation`.
    pub const STANDARD: u32 = 5;
    /// `FileInternalInformation`.
    pub const INTERNAL: u32 = 6;
    /// `FileEaInformation`.
    pub const EA: u32 = 7;
    /// `FileAccessInformation`.
    pub const ACCESS: u32 = 8;
    /// `FileNameInformation`.
    pub const NAME: u32 = 9;
    /// `FileRenameInformation`.
    pub const RENAME: u32 = 10;
    /// `FileLinkInformation`.
    pub const LINK: u32 = 11;
    /// `FileNamesInformation`.
    pub const NAMES: u32 = 12;
    /// `FileDispositionInformation`.
    pub const DISPOSITION: u32 = 13;
    /// `FilePositionInformation`.
    pub const POSITION: u32 = 14;
    /// `FileModeInformation`.
    pub const MODE: u32 = 16;
    /// `FileAlignmentInformation`.
    pub const ALIGNMENT: u32 = 17;
    /// `FileAllInformation`.
    pub const ALL: u32 = 18;
    /// `FileAllocationInformation`.
    pub const ALLOCATION: u32 = 19;
    /// `FileEndOfFileInformation`.
    pub const END_OF_FILE: u32 = 20;
    /// `FileStreamInformation`.
    pub const STREAM: u32 = 22;
    /// `FileNetworkOpenInformation`.
    pub const NETWORK_OPEN: u32 = 34;
    /// `FileAttributeTagInformation`.
    pub const ATTRIBUTE_TAG: u32 = 35;
    /// `FileIdBothDirectoryInformation`.
    pub const ID_BOTH_DIRECTORY: u32 = 37;
    /// `FileIdFullDirectoryInformation`.
    pub const ID_FULL_DIRECTORY: u32 = 38;
    /// `FileValidDataLengthInformation`.
    pub const VALID_DATA_LENGTH: u32 = 39;
    /// `FileNormalizedNameInformation`.
    pub const NORMALIZED_NAME: u32 = 48;
    /// `FileDispositionInformationEx`.
    pub const DISPOSITION_EX: u32 = 64;
    /// `FileRenameInformationEx`.
    pub const RENAME_EX: u32 = 65;
    /// `FileLinkInformationEx`.
    pub const LINK_EX: u32 = 72;
    /// The number of information classes.
    pub const COUNT: u32 = 78;

    /// Returns the name of a class.
    #[must_use]
    pub fn name(class: u32) -> String {
        let name = match class {
            BASIC => "FileBasicInformation",
            STANDARD => "FileStandardInformation",
            INTERNAL => "FileInternalInformation",
            EA => "FileEaInformation",
            NAME => "FileNameInformation",
            DISPOSITION => "FileDispositionInformation",
            DISPOSITION_EX => "FileDispositionInformationEx",
            POSITION => "FilePositionInformation",
            ALL => "FileAllInformation",
            ALLOCATION => "FileAllocationInformation",
            END_OF_FILE => "FileEndOfFileInformation",
            STREAM => "FileStreamInformation",
            NETWORK_OPEN => "FileNetworkOpenInformation",
            ATTRIBUTE_TAG => "FileAttributeTagInformation",
            class => return format!("information class {class}"),
        };
        name.to_owned()
    }
}

/// `FS_INFORMATION_CLASS`.
pub mod volume_class {
    /// `FileFsVolumeInformation`.
    pub const VOLUME: u32 = 1;
    /// `FileFsLabelInformation`.
    pub const LABEL: u32 = 2;
    /// `FileFsSizeInformation`.
    pub const SIZE: u32 = 3;
    /// `FileFsDeviceInformation`.
    pub const DEVICE: u32 = 4;
    /// `FileFsAttributeInformation`.
    pub const ATTRIBUTE: u32 = 5;
    /// `FileFsFullSizeInformation`.
    pub const FULL_SIZE: u32 = 7;
    /// `FileFsSectorSizeInformation`.
    pub const SECTOR_SIZE: u32 = 11;
    /// The number of information classes.
    pub const COUNT: u32 = 15;
}

/// `FILE_NOTIFY_CHANGE_XXX` and `FILE_ACTION_XXX` of a directory notification.
pub mod notify {
    /// `FILE_NOTIFY_CHANGE_FILE_NAME`.
    pub const FILE_NAME: u32 = 0x1;
    /// `FILE_NOTIFY_CHANGE_DIR_NAME`.
    pub const DIRECTORY_NAME: u32 = 0x2;
    /// `FILE_NOTIFY_CHANGE_ATTRIBUTES`.
    pub const ATTRIBUTES: u32 = 0x4;
    /// `FILE_NOTIFY_CHANGE_SIZE`.
    pub const SIZE: u32 = 0x8;
    /// `FILE_NOTIFY_CHANGE_LAST_WRITE`.
    pub const LAST_WRITE: u32 = 0x10;
    /// `FILE_ACTION_ADDED`.
    pub const ADDED: u32 = 1;
    /// `FILE_ACTION_REMOVED`.
    pub const REMOVED: u32 = 2;
    /// `FILE_ACTION_MODIFIED`.
    pub const MODIFIED: u32 = 3;
    /// `FILE_ACTION_RENAMED_OLD_NAME`.
    pub const RENAMED_OLD: u32 = 4;
    /// `FILE_ACTION_RENAMED_NEW_NAME`.
    pub const RENAMED_NEW: u32 = 5;
}

/// `SL_XXX` flags of an I/O stack location, which `OperationFlags` has.
pub mod sl {
    /// `SL_OPEN_TARGET_DIRECTORY`.
    pub const OPEN_TARGET_DIRECTORY: u8 = 0x04;
    /// `SL_RESTART_SCAN`.
    pub const RESTART_SCAN: u8 = 0x01;
    /// `SL_RETURN_SINGLE_ENTRY`.
    pub const RETURN_SINGLE_ENTRY: u8 = 0x02;
    /// `SL_INDEX_SPECIFIED`.
    pub const INDEX_SPECIFIED: u8 = 0x04;
    /// `SL_WATCH_TREE`.
    pub const WATCH_TREE: u8 = 0x01;
}
