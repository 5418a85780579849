//! The major function codes and their names.

/// `IRP_MJ_CREATE`.
pub const CREATE: u8 = 0x00;

/// `IRP_MJ_CLOSE`.
pub const CLOSE: u8 = 0x02;

/// `IRP_MJ_READ`.
pub const READ: u8 = 0x03;

/// `IRP_MJ_WRITE`.
pub const WRITE: u8 = 0x04;

/// `IRP_MJ_QUERY_INFORMATION`.
pub const QUERY_INFORMATION: u8 = 0x05;

/// `IRP_MJ_SET_INFORMATION`.
pub const SET_INFORMATION: u8 = 0x06;

/// `IRP_MJ_QUERY_EA`.
pub const QUERY_EA: u8 = 0x07;

/// `IRP_MJ_SET_EA`.
pub const SET_EA: u8 = 0x08;

/// `IRP_MJ_QUERY_VOLUME_INFORMATION`.
pub const QUERY_VOLUME_INFORMATION: u8 = 0x0A;

/// `IRP_MJ_SET_VOLUME_INFORMATION`.
pub const SET_VOLUME_INFORMATION: u8 = 0x0B;

/// `IRP_MJ_DIRECTORY_CONTROL`.
pub const DIRECTORY_CONTROL: u8 = 0x0C;

/// `IRP_MJ_FILE_SYSTEM_CONTROL`.
pub const FILE_SYSTEM_CONTROL: u8 = 0x0D;

/// `IRP_MJ_DEVICE_CONTROL`.
pub const DEVICE_CONTROL: u8 = 0x0E;

/// `IRP_MJ_INTERNAL_DEVICE_CONTROL`.
pub const INTERNAL_DEVICE_CONTROL: u8 = 0x0F;

/// `IRP_MJ_LOCK_CONTROL`.
pub const LOCK_CONTROL: u8 = 0x11;

/// `IRP_MJ_QUERY_OPEN`.
pub const QUERY_OPEN: u8 = 0xF9;

/// `IRP_MJ_NETWORK_QUERY_OPEN`.
pub const NETWORK_QUERY_OPEN: u8 = 0xF2;

/// `IRP_MJ_ACQUIRE_FOR_SECTION_SYNCHRONIZATION`.
pub const ACQUIRE_FOR_SECTION: u8 = 0xFF;

/// `IRP_MJ_RELEASE_FOR_SECTION_SYNCHRONIZATION`.
pub const RELEASE_FOR_SECTION: u8 = 0xFE;

/// `IRP_MJ_ACQUIRE_FOR_MOD_WRITE`.
pub const ACQUIRE_FOR_MOD_WRITE: u8 = 0xFD;

/// `IRP_MJ_RELEASE_FOR_MOD_WRITE`.
pub const RELEASE_FOR_MOD_WRITE: u8 = 0xFC;

/// `IRP_MJ_ACQUIRE_FOR_CC_FLUSH`.
pub const ACQUIRE_FOR_FLUSH: u8 = 0xFB;

/// `IRP_MJ_RELEASE_FOR_CC_FLUSH`.
pub const RELEASE_FOR_FLUSH: u8 = 0xFA;

/// `IRP_MJ_VOLUME_MOUNT`.
pub const VOLUME_MOUNT: u8 = 0xED;

/// `IRP_MJ_VOLUME_DISMOUNT`.
pub const VOLUME_DISMOUNT: u8 = 0xEC;

/// `IRP_MJ_FLUSH_BUFFERS`.
pub const FLUSH_BUFFERS: u8 = 0x09;

/// `IRP_MJ_SHUTDOWN`.
pub const SHUTDOWN: u8 = 0x10;

/// `IRP_MJ_CLEANUP`.
pub const CLEANUP: u8 = 0x12;

/// `IRP_MJ_QUERY_SECURITY`.
pub const QUERY_SECURITY: u8 = 0x14;

/// `IRP_MJ_SET_SECURITY`.
pub const SET_SECURITY: u8 = 0x15;

/// `IRP_MJ_POWER`.
pub const POWER: u8 = 0x16;

/// `IRP_MJ_DEVICE_CHANGE`.
pub const DEVICE_CHANGE: u8 = 0x18;

/// `IRP_MJ_QUERY_QUOTA`.
pub const QUERY_QUOTA: u8 = 0x19;

/// `IRP_MJ_SET_QUOTA`.
pub const SET_QUOTA: u8 = 0x1A;

const MAJORS: [(u8, &str); 43] = [
    (0x00, "CREATE"),
    (0x01, "CREATE_NAMED_PIPE"),
    (0x02, "CLOSE"),
    (0x03, "READ"),
    (0x04, "WRITE"),
    (0x05, "QUERY_INFORMATION"),
    (0x06, "SET_INFORMATION"),
    (0x07, "QUERY_EA"),
    (0x08, "SET_EA"),
    (0x09, "FLUSH_BUFFERS"),
    (0x0A, "QUERY_VOLUME_INFORMATION"),
    (0x0B, "SET_VOLUME_INFORMATION"),
    (0x0C, "DIRECTORY_CONTROL"),
    (0x0D, "FILE_SYSTEM_CONTROL"),
    (0x0E, "DEVICE_CONTROL"),
    (0x0F, "INTERNAL_DEVICE_CONTROL"),
    (0x10, "SHUTDOWN"),
    (0x11, "LOCK_CONTROL"),
    (0x12, "CLEANUP"),
    (0x13, "CREATE_MAILSLOT"),
    (0x14, "QUERY_SECURITY"),
    (0x15, "SET_SECURITY"),
    (0x16, "POWER"),
    (0x17, "SYSTEM_CONTROL"),
    (0x18, "DEVICE_CHANGE"),
    (0x19, "QUERY_QUOTA"),
    (0x1A, "SET_QUOTA"),
    (0x1B, "PNP"),
    (0xFF, "ACQUIRE_FOR_SECTION_SYNCHRONIZATION"),
    (0xFE, "RELEASE_FOR_SECTION_SYNCHRONIZATION"),
    (0xFD, "ACQUIRE_FOR_MOD_WRITE"),
    (0xFC, "RELEASE_FOR_MOD_WRITE"),
    (0xFB, "ACQUIRE_FOR_CC_FLUSH"),
    (0xFA, "RELEASE_FOR_CC_FLUSH"),
    (0xF9, "QUERY_OPEN"),
    (0xF3, "FAST_IO_CHECK_IF_POSSIBLE"),
    (0xF2, "NETWORK_QUERY_OPEN"),
    (0xF1, "MDL_READ"),
    (0xF0, "MDL_READ_COMPLETE"),
    (0xEF, "PREPARE_MDL_WRITE"),
    (0xEE, "MDL_WRITE_COMPLETE"),
    (0xED, "VOLUME_MOUNT"),
    (0xEC, "VOLUME_DISMOUNT"),
];

/// Returns whether a major function code exists.
#[must_use]
pub fn exists(major: u8) -> bool {
    known(major).is_some()
}

fn known(major: u8) -> Option<&'static str> {
    MAJORS
        .iter()
        .find(|(known, _)| *known == major)
        .map(|(_, name)| *name)
}

/// Returns the name of a major function code.
#[must_use]
pub fn name(major: u8) -> String {
    known(major).map_or_else(
        || format!("major function 0x{major:02x}"),
        |name| format!("IRP_MJ_{name}"),
    )
}

/// Returns the major function code for a name as expectations specify it, such as `set-information`.
#[must_use]
pub fn by_option(option: &str) -> Option<u8> {
    let name = option.to_uppercase().replace('-', "_");
    MAJORS
        .iter()
        .find(|(_, known)| *known == name)
        .map(|(major, _)| *major)
}
