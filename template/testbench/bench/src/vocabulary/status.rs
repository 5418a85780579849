//! NTSTATUS values and their names.
//!
//! Document: "Use NTSTATUS Values".

use std::fmt;

use serde::{Deserialize, Serialize};

/// An NTSTATUS value.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, Default)]
#[serde(transparent)]
#[repr(transparent)]
pub struct Status(pub u32);

impl Status {
    /// `NT_SUCCESS`: returns whether the status is a success or informational, that is, not negative.
    #[must_use]
    pub const fn is_success(self) -> bool {
        self.0 < 0x8000_0000
    }

    /// `NT_INFORMATION`: returns whether the status is informational, which is a success.
    #[must_use]
    pub const fn is_informational(self) -> bool {
        self.0 >> 30 == 1
    }

    /// `NT_WARNING`: returns whether the status is a warning, which is a failure.
    #[must_use]
    pub const fn is_warning(self) -> bool {
        self.0 >> 30 == 2
    }

    /// Returns the symbolic name, if it is known.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        NAMES
            .iter()
            .find(|(status, _)| *status == self)
            .map(|(_, name)| *name)
    }
}

/// A status that no function returns. Results have it until they are set.
pub const UNSET: Status = Status(0xEFAC_EFAC);

/// The `Information` of a result that is not set.
pub const UNSET_INFORMATION: u64 = 0xEFAC_EFAC_EFAC_EFAC;

/// Returns the status for a symbolic name without `STATUS_`, if it is known.
#[must_use]
pub fn by_name(name: &str) -> Option<Status> {
    let mut names = NAMES.iter();
    names
        .find(|(_, known)| known.strip_prefix("STATUS_") == Some(name))
        .map(|(status, _)| *status)
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{name} (0x{:08X})", self.0),
            None => write!(f, "0x{:08X}", self.0),
        }
    }
}

impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

macro_rules! statuses {
    ($($name:ident = $value:literal)*) => {
        $(
            #[doc = concat!("`STATUS_", stringify!($name), "`")]
            pub const $name: Status = Status($value);
        )*
        const NAMES: &[(Status, &str)] = &[$(($name, concat!("STATUS_", stringify!($name)))),*];
    };
}

statuses! {
    SUCCESS = 0x0000_0000
    TIMEOUT = 0x0000_0102
    PENDING = 0x0000_0103
    REPARSE = 0x0000_0104
    NOTIFY_CLEANUP = 0x0000_010B
    NOTIFY_ENUM_DIR = 0x0000_010C
    OBJECT_NAME_EXISTS = 0x4000_0000
    DATATYPE_MISALIGNMENT = 0x8000_0002
    BREAKPOINT = 0x8000_0003
    BUFFER_OVERFLOW = 0x8000_0005
    NO_MORE_FILES = 0x8000_0006
    DEVICE_BUSY = 0x8000_0011
    NO_MORE_ENTRIES = 0x8000_001A
    UNSUCCESSFUL = 0xC000_0001
    NOT_IMPLEMENTED = 0xC000_0002
    INVALID_INFO_CLASS = 0xC000_0003
    INFO_LENGTH_MISMATCH = 0xC000_0004
    ACCESS_VIOLATION = 0xC000_0005
    INVALID_HANDLE = 0xC000_0008
    INVALID_PARAMETER = 0xC000_000D
    NO_SUCH_FILE = 0xC000_000F
    INVALID_DEVICE_REQUEST = 0xC000_0010
    END_OF_FILE = 0xC000_0011
    MORE_PROCESSING_REQUIRED = 0xC000_0016
    NO_MEMORY = 0xC000_0017
    ACCESS_DENIED = 0xC000_0022
    BUFFER_TOO_SMALL = 0xC000_0023
    OBJECT_TYPE_MISMATCH = 0xC000_0024
    OBJECT_NAME_INVALID = 0xC000_0033
    OBJECT_NAME_NOT_FOUND = 0xC000_0034
    OBJECT_NAME_COLLISION = 0xC000_0035
    PORT_DISCONNECTED = 0xC000_0037
    OBJECT_PATH_INVALID = 0xC000_0039
    OBJECT_PATH_NOT_FOUND = 0xC000_003A
    OBJECT_PATH_SYNTAX_BAD = 0xC000_003B
    SECTION_TOO_BIG = 0xC000_0040
    SHARING_VIOLATION = 0xC000_0043
    QUOTA_EXCEEDED = 0xC000_0044
    EAS_NOT_SUPPORTED = 0xC000_004F
    NO_EAS_ON_FILE = 0xC000_0052
    FILE_LOCK_CONFLICT = 0xC000_0054
    LOCK_NOT_GRANTED = 0xC000_0055
    DELETE_PENDING = 0xC000_0056
    UNKNOWN_REVISION = 0xC000_0058
    PRIVILEGE_NOT_HELD = 0xC000_0061
    INVALID_SECURITY_DESCR = 0xC000_0079
    NO_TOKEN = 0xC000_007C
    RANGE_NOT_LOCKED = 0xC000_007E
    DISK_FULL = 0xC000_007F
    INTEGER_DIVIDE_BY_ZERO = 0xC000_0094
    ALLOTTED_SPACE_EXCEEDED = 0xC000_0099
    INSUFFICIENT_RESOURCES = 0xC000_009A
    MEDIA_WRITE_PROTECTED = 0xC000_00A2
    IO_TIMEOUT = 0xC000_00B5
    FILE_IS_A_DIRECTORY = 0xC000_00BA
    NOT_SUPPORTED = 0xC000_00BB
    NOT_SAME_DEVICE = 0xC000_00D4
    INTERNAL_ERROR = 0xC000_00E5
    BAD_DESCRIPTOR_FORMAT = 0xC000_00E7
    INVALID_PARAMETER_3 = 0xC000_00F1
    INVALID_PARAMETER_4 = 0xC000_00F2
    DIRECTORY_NOT_EMPTY = 0xC000_0101
    FILE_CORRUPT_ERROR = 0xC000_0102
    NOT_A_DIRECTORY = 0xC000_0103
    MAPPED_FILE_SIZE_ZERO = 0xC000_011E
    CANCELLED = 0xC000_0120
    CANNOT_DELETE = 0xC000_0121
    FILE_DELETED = 0xC000_0123
    FILE_CLOSED = 0xC000_0128
    INVALID_LOCK_RANGE = 0xC000_01A1
    INVALID_BUFFER_SIZE = 0xC000_0206
    NOT_FOUND = 0xC000_0225
    USER_MAPPED_FILE = 0xC000_0243
    VOLUME_DISMOUNTED = 0xC000_026E
    NOT_A_REPARSE_POINT = 0xC000_0275
    FAILED_DRIVER_ENTRY = 0xC000_0365
    ASSERTION_FAILURE = 0xC000_0420
    CALLBACK_BYPASS = 0xC000_0503
    FILE_TOO_LARGE = 0xC000_0904
    VIRUS_INFECTED = 0xC000_0906
    FLT_NO_HANDLER_DEFINED = 0xC01C_0001
    FLT_CONTEXT_ALREADY_DEFINED = 0xC01C_0002
    FLT_INVALID_ASYNCHRONOUS_REQUEST = 0xC01C_0003
    FLT_DISALLOW_FAST_IO = 0xC01C_0004
    FLT_INVALID_NAME_REQUEST = 0xC01C_0005
    FLT_NOT_SAFE_TO_POST_OPERATION = 0xC01C_0006
    FLT_NOT_INITIALIZED = 0xC01C_0007
    FLT_FILTER_NOT_READY = 0xC01C_0008
    FLT_POST_OPERATION_CLEANUP = 0xC01C_0009
    FLT_INTERNAL_ERROR = 0xC01C_000A
    FLT_DELETING_OBJECT = 0xC01C_000B
    FLT_MUST_BE_NONPAGED_POOL = 0xC01C_000C
    FLT_DUPLICATE_ENTRY = 0xC01C_000D
    FLT_CBDQ_DISABLED = 0xC01C_000E
    FLT_DO_NOT_ATTACH = 0xC01C_000F
    FLT_DO_NOT_DETACH = 0xC01C_0010
    FLT_INSTANCE_ALTITUDE_COLLISION = 0xC01C_0011
    FLT_INSTANCE_NAME_COLLISION = 0xC01C_0012
    FLT_FILTER_NOT_FOUND = 0xC01C_0013
    FLT_VOLUME_NOT_FOUND = 0xC01C_0014
    FLT_INSTANCE_NOT_FOUND = 0xC01C_0015
    FLT_CONTEXT_ALLOCATION_NOT_FOUND = 0xC01C_0016
    FLT_INVALID_CONTEXT_REGISTRATION = 0xC01C_0017
    FLT_NAME_CACHE_MISS = 0xC01C_0018
    FLT_NO_DEVICE_OBJECT = 0xC01C_0019
    FLT_VOLUME_ALREADY_MOUNTED = 0xC01C_001A
    FLT_ALREADY_ENLISTED = 0xC01C_001B
    FLT_CONTEXT_ALREADY_LINKED = 0xC01C_001C
    FLT_NO_WAITER_FOR_REPLY = 0xC01C_0020
    FLT_REGISTRATION_BUSY = 0xC01C_0023
    FLT_WCOS_NOT_SUPPORTED = 0xC01C_0024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn success_is_determined_by_the_sign() {
        assert!(SUCCESS.is_success());
        assert!(OBJECT_NAME_EXISTS.is_success() && OBJECT_NAME_EXISTS.is_informational());
        assert!(!BUFFER_OVERFLOW.is_success() && BUFFER_OVERFLOW.is_warning());
        assert!(!FLT_DO_NOT_DETACH.is_success() && !FLT_DO_NOT_DETACH.is_warning());
    }

    #[test]
    fn a_known_status_is_formatted_with_its_name() {
        assert_eq!(
            FLT_DO_NOT_DETACH.to_string(),
            "STATUS_FLT_DO_NOT_DETACH (0xC01C0010)"
        );
        assert_eq!(Status(0xC000_1234).to_string(), "0xC0001234");
    }
}
