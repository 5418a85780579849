//! Security descriptors, access control lists and security identifiers.

use crate::lifecycle::{pool, security};
use crate::machine::declare::functions;
use crate::machine::function::{Fails, Optional};
use crate::machine::guest;
use crate::machine::ledger::{bad_handle, held_once, holds};
use crate::trace::Kind;
use crate::vocabulary::irql::{APC, PASSIVE};
use crate::vocabulary::status::{self, Status};

functions! { pub SECURITY = "ntoskrnl.exe", "ntifs.h";
    /// Initializes an access control list.
    [APC, Fails::Never]
    fn RtlCreateAcl(acl: u64, size: u32, revision: u32) -> Status {
        if size < security::ACL_HEADER as u32 {
            return status::BUFFER_TOO_SMALL;
        }
        guest::fill(acl, 0, size as usize);
        guest::write(acl, revision as u8);
        guest::write(acl + security::ACL_SIZE, size as u16);
        status::SUCCESS
    }
    /// Adds an entry that grants an access mask to a security identifier.
    [APC, Fails::With(&[status::ALLOTTED_SPACE_EXCEEDED])]
    fn RtlAddAccessAllowedAce(acl: u64, _revision: u32, mask: u32, sid: u64) -> Status {
        add(acl, mask, sid)
    }
    /// Gets the owner of a security descriptor.
    [PASSIVE, Fails::Never]
    fn RtlGetOwnerSecurityDescriptor(descriptor: u64, owner: u64, defaulted: u64) -> Status {
        give_sid(descriptor, security::Part::Owner, security::OWNER_DEFAULTED, owner, defaulted)
    }
    /// Gets the primary group of a security descriptor.
    [APC, Fails::Never]
    fn RtlGetGroupSecurityDescriptor(descriptor: u64, group: u64, defaulted: u64) -> Status {
        give_sid(descriptor, security::Part::Group, security::GROUP_DEFAULTED, group, defaulted)
    }
    /// Gets the DACL of a security descriptor.
    [APC, Fails::Never]
    fn RtlGetDaclSecurityDescriptor(descriptor: u64, present: u64, dacl: u64, defaulted: u64) -> Status {
        give_acl(descriptor, security::Part::Dacl, [security::DACL_PRESENT, security::DACL_DEFAULTED], present, dacl, defaulted)
    }
    /// Gets the SACL of a security descriptor.
    [APC, Fails::Never]
    fn RtlGetSaclSecurityDescriptor(descriptor: u64, present: u64, sacl: u64, defaulted: u64) -> Status {
        give_acl(descriptor, security::Part::Sacl, [security::SACL_PRESENT, security::SACL_DEFAULTED], present, sacl, defaulted)
    }
    /// Converts a security descriptor to self-relative format.
    [APC, Fails::Never]
    fn RtlAbsoluteToSelfRelativeSD(absolute: u64, relative: Optional, length: u64) -> Status {
        if security::control(absolute) & security::SELF_RELATIVE != 0 {
            return status::BAD_DESCRIPTOR_FORMAT;
        }
        let bytes = security::self_relative(absolute);
        let room = guest::read::<u32>(length) as usize;
        guest::write(length, bytes.len() as u32);
        if room < bytes.len() {
            return status::BUFFER_TOO_SMALL;
        }
        guest::put(relative, &bytes);
        status::SUCCESS
    }
    /// Returns the length of a security identifier.
    [APC, Fails::Never]
    fn RtlLengthSid(sid: u64) -> u32 { security::sid_length(sid) as u32 }
    /// Sets the security descriptor of the object of a handle.
    [PASSIVE, Fails::With(&[status::ACCESS_DENIED])]
    fn ZwSetSecurityObject(handle: u64, information: u32, descriptor: u64) -> Status {
        if !holds(Kind::Handle, handle) {
            bad_handle("handle", handle);
        }
        if guest::read::<u8>(descriptor) != security::REVISION {
            return status::UNKNOWN_REVISION;
        }
        if information & security::DACL_INFORMATION != 0 {
            let handle = held_once(Kind::Handle, handle).unwrap_or_default();
            security::applied(descriptor, &format!("the object of a handle {handle}"));
        }
        status::SUCCESS
    }
}

functions! { pub WDM_SECURITY = "ntoskrnl.exe", "wdm.h";
    /// Initializes a security descriptor.
    [PASSIVE, Fails::Never]
    fn RtlCreateSecurityDescriptor(descriptor: u64, revision: u32) -> Status {
        if revision != u32::from(security::REVISION) {
            return status::UNKNOWN_REVISION;
        }
        guest::fill(descriptor, 0, security::DESCRIPTOR_SIZE);
        guest::write(descriptor, security::REVISION);
        status::SUCCESS
    }
    /// Sets the DACL of a security descriptor.
    [PASSIVE, Fails::Never]
    fn RtlSetDaclSecurityDescriptor(descriptor: u64, present: u8, dacl: Optional, defaulted: u8) -> Status {
        if guest::read::<u8>(descriptor) != security::REVISION {
            return status::UNKNOWN_REVISION;
        }
        let control = security::control(descriptor);
        if control & security::SELF_RELATIVE != 0 {
            return status::INVALID_SECURITY_DESCR;
        }
        let control = control & !(security::DACL_PRESENT | security::DACL_DEFAULTED);
        if present == 0 {
            guest::write(descriptor + security::CONTROL, control);
            return status::SUCCESS;
        }
        let defaulted = if defaulted == 0 { 0 } else { security::DACL_DEFAULTED };
        guest::write(descriptor + security::CONTROL, control | security::DACL_PRESENT | defaulted);
        guest::write(descriptor + security::Part::Dacl.absolute(), dacl);
        status::SUCCESS
    }
    /// Returns the length of a security descriptor, including its parts.
    [PASSIVE, Fails::Never]
    fn RtlLengthSecurityDescriptor(descriptor: u64) -> u32 {
        let header = if security::control(descriptor) & security::SELF_RELATIVE == 0 { security::DESCRIPTOR_SIZE } else { security::RELATIVE_SIZE };
        let parts = security::Part::ALL.into_iter().map(|kind| security::part(descriptor, kind).map_or(0, |(_, length)| length));
        (header + parts.map(|length| length.next_multiple_of(4)).sum::<usize>()) as u32
    }
}

functions! { pub WDMSEC_SECURITY = "ntoskrnl.exe", "wdmsec.h";
    /// Copies a security descriptor into pool. wdmsec.lib, which is linked into the driver, calls this function.
    [PASSIVE, Fails::With(&[status::INSUFFICIENT_RESOURCES]), unless is_as_it_is(descriptor, mode, always)]
    fn SeCaptureSecurityDescriptor(descriptor: Optional, mode: u8, pool: u32, always: u8, out: u64) -> Status {
        if is_as_it_is(descriptor, mode, always) {
            guest::write(out, descriptor);
            return status::SUCCESS;
        }
        let bytes = security::self_relative(descriptor);
        let tag = u32::from_le_bytes(*b"SeSd");
        let copy = pool::allocate(bytes.len() as u64, tag, pool & 1 != 0, false);
        if copy == 0 {
            return status::INSUFFICIENT_RESOURCES;
        }
        guest::put(copy, &bytes);
        guest::write(out, copy);
        status::SUCCESS
    }
}

/// Returns whether a security descriptor is returned without a copy: it is NULL, or it comes from kernel mode and no
/// copy is forced.
fn is_as_it_is(descriptor: u64, mode: u8, always: u8) -> bool {
    descriptor == 0 || mode == 0 && always == 0
}

fn give_sid(descriptor: u64, part: security::Part, defaulted: u16, out: u64, flag: u64) -> Status {
    if guest::read::<u8>(descriptor) != security::REVISION {
        return status::UNKNOWN_REVISION;
    }
    let sid = security::address_of(descriptor, part);
    guest::write(out, sid);
    if sid != 0 {
        guest::write(
            flag,
            u8::from(security::control(descriptor) & defaulted != 0),
        );
    }
    status::SUCCESS
}

fn give_acl(
    descriptor: u64,
    part: security::Part,
    [present, defaulted]: [u16; 2],
    is_present: u64,
    out: u64,
    flag: u64,
) -> Status {
    if guest::read::<u8>(descriptor) != security::REVISION {
        return status::UNKNOWN_REVISION;
    }
    let control = security::control(descriptor);
    guest::write(is_present, u8::from(control & present != 0));
    if control & present != 0 {
        guest::write(out, security::address_of(descriptor, part));
        guest::write(flag, u8::from(control & defaulted != 0));
    }
    status::SUCCESS
}

/// Adds an `ACCESS_ALLOWED_ACE` at the end of the list.
fn add(acl: u64, mask: u32, sid: u64) -> Status {
    let size = u64::from(guest::read::<u16>(acl + security::ACL_SIZE));
    let count = guest::read::<u16>(acl + security::ACE_COUNT);
    let mut end = security::ACL_HEADER;
    for _ in 0..count {
        end += u64::from(guest::read::<u16>(acl + end + 2));
    }
    let sid_size = security::sid_length(sid) as u64;
    let length = 8 + sid_size;
    if end + length > size {
        return status::ALLOTTED_SPACE_EXCEEDED;
    }
    let ace = acl + end;
    guest::write(ace, 0_u16);
    guest::write(ace + 2, length as u16);
    guest::write(ace + 4, mask);
    guest::copy(ace + 8, sid, sid_size as usize);
    guest::write(acl + security::ACE_COUNT, count + 1);
    status::SUCCESS
}
