//! Arguments that Windows refuses.
//!
//! Documents: "`OBJECT_ATTRIBUTES` structure (ntdef.h)", "Object Names", "`ZwCreateFile` function (ntifs.h)".

use crate::machine::events::refuse;
use crate::machine::guest;
use crate::vocabulary::file::{access, option};
use crate::vocabulary::status::{self, Status};

/// The object directories in which a driver can create objects.
const DIRECTORIES: [&str; 11] = [
    "",
    "\\Device",
    "\\FileSystem",
    "\\FileSystem\\Filters",
    "\\Driver",
    "\\DosDevices",
    "\\DosDevices\\Global",
    "\\??",
    "\\??\\Global",
    "\\GLOBAL??",
    "\\BaseNamedObjects",
];

/// Checks the attributes of an object that is opened or created by name. `by_id` says that the name is an identifier.
///
/// # Errors
///
/// Returns the status of the refused call.
pub fn attributes(address: u64, by_id: bool) -> Result<(), Status> {
    const SIZE: u32 = 0x30;
    const VALID: u32 = 0x1FF2; // OBJ_VALID_ATTRIBUTES
    let length = guest::read::<u32>(address);
    let root = guest::read::<u64>(address + 0x08);
    let flags = guest::read::<u32>(address + 0x18);
    if length != SIZE {
        let reason = format!("Length of OBJECT_ATTRIBUTES is {length}; it is {SIZE}");
        return Err(refuse(status::INVALID_PARAMETER, reason));
    }
    if flags & !VALID != 0 {
        let reason = format!(
            "Attributes of OBJECT_ATTRIBUTES is 0x{flags:x}; only the bits 0x{VALID:x} have a meaning"
        );
        return Err(refuse(status::INVALID_PARAMETER, reason));
    }
    let name = guest::object_name(address);
    if name.is_empty() && root == 0 {
        let reason = "OBJECT_ATTRIBUTES has neither a name nor a root directory";
        return Err(refuse(status::OBJECT_PATH_SYNTAX_BAD, reason));
    }
    if !by_id && !name.is_empty() && (root == 0) != name.starts_with('\\') {
        let reason = format!(
            "the name {name:?} is not a path from {}",
            if root == 0 {
                "the root: it does not begin with a backslash"
            } else {
                "the root directory: it begins with a backslash"
            }
        );
        return Err(refuse(status::OBJECT_PATH_SYNTAX_BAD, reason));
    }
    Ok(())
}

/// Checks the name of an object that is created.
///
/// # Errors
///
/// Returns the status of the refused call.
pub fn new_name(name: &str) -> Result<(), Status> {
    let Some((directory, last)) = name.rsplit_once('\\') else {
        let reason = format!("the name {name:?} does not begin with a backslash");
        return Err(refuse(status::OBJECT_PATH_SYNTAX_BAD, reason));
    };
    if last.is_empty() {
        let reason = format!("the name {name:?} ends with a backslash");
        return Err(refuse(status::OBJECT_PATH_SYNTAX_BAD, reason));
    }
    if !DIRECTORIES
        .iter()
        .any(|known| known.eq_ignore_ascii_case(directory))
    {
        let reason = format!("there is no object directory {directory:?} for the name {name:?}");
        return Err(refuse(status::OBJECT_PATH_NOT_FOUND, reason));
    }
    Ok(())
}

/// Checks how a file is opened.
///
/// # Errors
///
/// Returns the status of the refused call.
pub fn opening(desired: u32, share: u32, disposition: u32, options: u32) -> Result<(), Status> {
    const ALERT: u32 = 0x10; // FILE_SYNCHRONOUS_IO_ALERT
    const GENERIC_ALL: u32 = 0x1000_0000;
    const MAXIMUM_ALLOWED: u32 = 0x0200_0000;
    // Each generic right, except GENERIC_ALL, includes SYNCHRONIZE and not DELETE.
    let has = |right| {
        access::specific(desired) & right != 0 || desired & (GENERIC_ALL | MAXIMUM_ALLOWED) != 0
    };
    let synchronous = options & (ALERT | option::SYNCHRONOUS);
    let reason = if synchronous != 0 && !has(access::SYNCHRONIZE) {
        "CreateOptions has FILE_SYNCHRONOUS_IO_…, and DesiredAccess does not have SYNCHRONIZE"
    } else if synchronous.count_ones() > 1 {
        "CreateOptions has both FILE_SYNCHRONOUS_IO_ALERT and FILE_SYNCHRONOUS_IO_NONALERT"
    } else if options & option::DIRECTORY != 0 && options & option::NON_DIRECTORY != 0 {
        "CreateOptions has both FILE_DIRECTORY_FILE and FILE_NON_DIRECTORY_FILE"
    } else if options & option::DELETE_ON_CLOSE != 0 && !has(access::DELETE) {
        "CreateOptions has FILE_DELETE_ON_CLOSE, and DesiredAccess does not have DELETE"
    } else if share & !0x7 != 0 {
        "ShareAccess has bits other than FILE_SHARE_READ, FILE_SHARE_WRITE and FILE_SHARE_DELETE"
    } else if disposition > 5 {
        "CreateDisposition is greater than FILE_MAXIMUM_DISPOSITION"
    } else if options & 0xFF00_0000 != 0 {
        "CreateOptions has bits that no option has"
    } else {
        return Ok(());
    };
    Err(refuse(status::INVALID_PARAMETER, reason))
}
