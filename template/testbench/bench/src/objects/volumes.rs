//! Volumes, and the filter's instances on them.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::trace::Registration;

/// A simulated volume.
#[derive(Debug, Clone)]
pub struct Volume {
    /// The name in the report.
    pub name: &'static str,
    /// The drive letter, on the machine of a test.
    pub letter: Option<char>,
    /// The handle.
    pub handle: u64,
    /// The device name of the volume.
    pub device: &'static str,
    /// The properties.
    pub kind: &'static Kind,
}

/// An instance of the filter on a volume.
#[derive(Debug, Clone)]
pub struct Instance {
    /// The handle.
    pub handle: u64,
    /// The volume.
    pub volume: Volume,
}

/// The properties of a kind of volume.
#[derive(Debug)]
pub struct Kind {
    /// The description.
    pub title: &'static str,
    /// The device name of the volume.
    pub device_name: &'static str,
    /// The `DEVICE_TYPE` of the volume of the file system.
    pub device_type: u32,
    /// `FLT_FILESYSTEM_TYPE`.
    pub file_system: u32,
    /// There is an underlying disk.
    pub disk: bool,
    /// The flag of `FLT_REGISTRATION` without which a filter is not attached, or 0.
    pub needs: u32,
    /// The flags of `InstanceSetupCallback` beside those of the kind of attachment.
    pub setup: u32,
    /// The medium is removable.
    pub removable: bool,
    /// The name of the file system's driver object.
    pub driver: &'static str,
}

/// A kind of volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VolumeKind {
    /// A fixed disk with NTFS.
    Ntfs,
    /// A removable disk with FAT32.
    Removable,
    /// A share of a server. The drive letter belongs to the network redirector.
    Network,
    /// The named pipe file system, to which only filters that support it attach. It has no files.
    NamedPipes,
    /// The mailslot file system, to which only filters that support it attach. It has no files.
    Mailslots,
    /// A fixed disk with FAT32.
    Fat,
    /// A fixed disk with exFAT.
    Exfat,
    /// A fixed disk with `ReFS`.
    Refs,
    /// A fixed disk that has no file system that Windows knows. It has no files.
    Raw,
    /// A Dev Drive.
    DevDrive,
    /// A disk in persistent memory, to which only filters that support DAX attach.
    Dax,
}

impl VolumeKind {
    /// The kinds of volumes that have files.
    pub const WITH_FILES: [VolumeKind; 6] = [
        VolumeKind::Ntfs,
        VolumeKind::Fat,
        VolumeKind::Exfat,
        VolumeKind::Refs,
        VolumeKind::Network,
        VolumeKind::Removable,
    ];

    /// The volumes of the scripts.
    pub const OF_SCRIPTS: [VolumeKind; 8] = [
        VolumeKind::Ntfs,
        VolumeKind::Removable,
        VolumeKind::Network,
        VolumeKind::NamedPipes,
        VolumeKind::Mailslots,
        VolumeKind::Raw,
        VolumeKind::DevDrive,
        VolumeKind::Dax,
    ];

    /// Returns the properties.
    #[must_use]
    pub(crate) fn properties(self) -> &'static Kind {
        &KINDS[self as usize]
    }
}

impl fmt::Display for VolumeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.properties().title)
    }
}

/// The properties, in the order of [`VolumeKind`].
const KINDS: [Kind; 11] = [
    Kind {
        title: "a fixed NTFS disk",
        device_name: "\\Device\\HarddiskVolume3",
        ..disk(2, "\\FileSystem\\Ntfs") // FLT_FSTYPE_NTFS
    },
    Kind {
        title: "a removable FAT disk",
        device_name: "\\Device\\HarddiskVolume7",
        removable: true,
        ..disk(3, "\\FileSystem\\fastfat") // FLT_FSTYPE_FAT
    },
    Kind {
        title: "the network redirector",
        device_name: "\\Device\\Mup",
        device_type: 0x14, // FILE_DEVICE_NETWORK_FILE_SYSTEM
        disk: false,
        ..disk(13, "\\FileSystem\\Mup") // FLT_FSTYPE_MUP
    },
    Kind {
        title: "the named pipe file system",
        device_name: "\\Device\\NamedPipe",
        device_type: 0x11, // FILE_DEVICE_NAMED_PIPE
        disk: false,
        needs: Registration::NPFS_MSFS,
        ..disk(25, "\\FileSystem\\Npfs") // FLT_FSTYPE_NPFS
    },
    Kind {
        title: "the mailslot file system",
        device_name: "\\Device\\Mailslot",
        device_type: 0x0C, // FILE_DEVICE_MAILSLOT
        disk: false,
        needs: Registration::NPFS_MSFS,
        ..disk(26, "\\FileSystem\\Msfs") // FLT_FSTYPE_MSFS
    },
    Kind {
        title: "a fixed FAT disk",
        ..disk(3, "\\FileSystem\\fastfat")
    },
    Kind {
        title: "a fixed exFAT disk",
        ..disk(22, "\\FileSystem\\exfat") // FLT_FSTYPE_EXFAT
    },
    Kind {
        title: "a fixed ReFS disk",
        ..disk(28, "\\FileSystem\\ReFS") // FLT_FSTYPE_REFS
    },
    Kind {
        title: "a raw disk",
        device_name: "\\Device\\HarddiskVolume9",
        ..disk(RAW, "\\FileSystem\\RAW")
    },
    Kind {
        title: "a Dev Drive",
        device_name: "\\Device\\HarddiskVolume10",
        setup: 0x10, // FLTFL_INSTANCE_SETUP_DEV_VOLUME
        ..disk(28, "\\FileSystem\\ReFS")
    },
    Kind {
        title: "a DAX disk",
        device_name: "\\Device\\HarddiskVolume11",
        needs: Registration::DAX,
        ..disk(2, "\\FileSystem\\Ntfs")
    },
];

/// `FLT_FSTYPE_RAW`.
pub const RAW: u32 = 1;

const fn disk(file_system: u32, driver: &'static str) -> Kind {
    Kind {
        title: "",
        device_name: "\\Device\\HarddiskVolume",
        device_type: 0x08, // FILE_DEVICE_DISK_FILE_SYSTEM
        file_system,
        disk: true,
        needs: 0,
        setup: 0,
        removable: false,
        driver,
    }
}

/// `FLTFL_INSTANCE_SETUP_AUTOMATIC_ATTACHMENT`.
pub const AUTOMATIC: u32 = 1;

/// `FLTFL_INSTANCE_SETUP_MANUAL_ATTACHMENT`.
pub const MANUAL: u32 = 2;

/// `FLTFL_INSTANCE_SETUP_NEWLY_MOUNTED_VOLUME`.
pub const NEWLY_MOUNTED: u32 = 4;

/// `FLTFL_INSTANCE_TEARDOWN_MANUAL`.
pub const TEARDOWN_MANUAL: u32 = 1;

/// `FLTFL_INSTANCE_TEARDOWN_FILTER_UNLOAD`.
pub const FILTER_UNLOAD: u32 = 2;

/// `FLTFL_INSTANCE_TEARDOWN_VOLUME_DISMOUNT`.
pub const VOLUME_DISMOUNT: u32 = 8;

/// The volumes.
#[derive(Debug, Clone, Default)]
pub struct Volumes {
    /// All volumes. Those of the scripts are created on first use.
    pub known: Vec<Volume>,
    /// The volumes of the scripts, or of the test, were created.
    pub created: bool,
    /// The volume from which the filter was detached last.
    pub detached: Option<Volume>,
    /// The file objects, each with the handle of its volume.
    pub files: Vec<(u64, u64)>,
}
