//! Volumes, and the filter's instances on them.

/// A simulated volume.
#[derive(Debug, Clone)]
pub struct Volume {
    /// The name in the report.
    pub name: &'static str,
    /// The handle.
    pub handle: u64,
    /// `FsContext2` of its file objects.
    pub file_context: u64,
    /// The device name of the volume.
    pub device: &'static str,
    /// The `DEVICE_TYPE` of the volume of the file system.
    pub device_type: u32,
    /// `FLT_FILESYSTEM_TYPE`.
    pub file_system: u32,
    /// There is an underlying disk.
    pub disk: bool,
    /// The medium is removable.
    pub removable: bool,
    /// The name of the file system's driver object.
    pub driver: &'static str,
}

/// An instance of the filter on a volume.
#[derive(Debug, Clone)]
pub struct Instance {
    /// The handle.
    pub handle: u64,
    /// The volume.
    pub volume: Volume,
}

/// A kind of volume.
#[derive(Debug)]
pub struct Kind {
    /// The name in the report.
    pub name: &'static str,
    /// The device name of the volume.
    pub device: &'static str,
    /// The `DEVICE_TYPE` of the volume of the file system.
    pub device_type: u32,
    /// `FLT_FILESYSTEM_TYPE`.
    pub file_system: u32,
    /// There is an underlying disk.
    pub disk: bool,
    /// The volume is only for filters that support named pipes and mailslots.
    pub pipes: bool,
    /// The medium is removable.
    pub removable: bool,
    /// The name of the file system's driver object.
    pub driver: &'static str,
}

/// The kinds of volumes: a fixed disk, a removable disk, a network redirector, and, for filters that support them,
/// named pipes and mailslots.
pub const KINDS: [Kind; 5] = [
    Kind {
        name: "a fixed NTFS disk",
        device: "\\Device\\HarddiskVolume3",
        device_type: 0x08, // FILE_DEVICE_DISK_FILE_SYSTEM
        file_system: 2,    // FLT_FSTYPE_NTFS
        disk: true,
        pipes: false,
        removable: false,
        driver: "\\FileSystem\\Ntfs",
    },
    Kind {
        name: "a removable FAT disk",
        device: "\\Device\\HarddiskVolume7",
        device_type: 0x08,
        file_system: 3, // FLT_FSTYPE_FAT
        disk: true,
        pipes: false,
        removable: true,
        driver: "\\FileSystem\\fastfat",
    },
    Kind {
        name: "the network redirector",
        device: "\\Device\\Mup",
        device_type: 0x14, // FILE_DEVICE_NETWORK_FILE_SYSTEM
        file_system: 13,   // FLT_FSTYPE_MUP
        disk: false,
        pipes: false,
        removable: false,
        driver: "\\FileSystem\\Mup",
    },
    Kind {
        name: "the named pipe file system",
        device: "\\Device\\NamedPipe",
        device_type: 0x11, // FILE_DEVICE_NAMED_PIPE
        file_system: 25,   // FLT_FSTYPE_NPFS
        disk: false,
        pipes: true,
        removable: false,
        driver: "\\FileSystem\\Npfs",
    },
    Kind {
        name: "the mailslot file system",
        device: "\\Device\\Mailslot",
        device_type: 0x0C, // FILE_DEVICE_MAILSLOT
        file_system: 26,   // FLT_FSTYPE_MSFS
        disk: false,
        pipes: true,
        removable: false,
        driver: "\\FileSystem\\Msfs",
    },
];

/// `FLTFL_INSTANCE_SETUP_AUTOMATIC_ATTACHMENT`.
pub const AUTOMATIC: u32 = 1;

/// `FLTFL_INSTANCE_SETUP_MANUAL_ATTACHMENT`.
pub const MANUAL: u32 = 2;

/// `FLTFL_INSTANCE_TEARDOWN_MANUAL`.
pub const TEARDOWN_MANUAL: u32 = 1;

/// `FLTFL_INSTANCE_TEARDOWN_FILTER_UNLOAD`.
pub const FILTER_UNLOAD: u32 = 2;

/// The volumes.
#[derive(Debug, Clone, Default)]
pub struct Volumes {
    /// All volumes. They are created on first use.
    pub known: Vec<Volume>,
}
