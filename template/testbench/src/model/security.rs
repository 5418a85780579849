//! Security descriptors, as a driver makes one for its device.
//!
//! Documents: "Security Descriptors" and the functions' own pages.

use super::{APC, Fails, PASSIVE, bad_handle, functions, holds};
use crate::guest;
use crate::status::{self, Status};
use crate::trace::Kind;

/// `ACL.AclSize`.
const ACL_SIZE: u64 = 2;
/// `ACL.AceCount`.
const ACE_COUNT: u64 = 4;
/// The size of `ACL`.
const ACL_HEADER: u64 = 8;
/// `SECURITY_DESCRIPTOR.Control`.
const CONTROL: u64 = 2;
/// `SECURITY_DESCRIPTOR.Dacl`.
const DACL: u64 = 0x20;
/// The size of `SECURITY_DESCRIPTOR`.
const DESCRIPTOR_SIZE: usize = 0x28;
/// `SE_DACL_PRESENT`.
const DACL_PRESENT: u16 = 4;

functions! { pub SECURITY = "ntoskrnl.exe", "ntifs.h";
    /// An empty list.
    [APC, Fails::Never]
    fn RtlCreateAcl(acl: u64, size: u32, revision: u32) -> Status {
        if size < ACL_HEADER as u32 {
            return status::BUFFER_TOO_SMALL;
        }
        guest::fill(acl, 0, size as usize);
        guest::write(acl, revision as u8);
        guest::write(acl + ACL_SIZE, size as u16);
        status::SUCCESS
    }
    /// Allows somebody something.
    [APC, Fails::With(&[status::ALLOTTED_SPACE_EXCEEDED])]
    fn RtlAddAccessAllowedAce(acl: u64, _revision: u32, mask: u32, sid: u64) -> Status {
        add(acl, mask, sid)
    }
    /// Sets its list.
    [APC, Fails::Never]
    fn RtlSetDaclSecurityDescriptor(descriptor: u64, present: u8, dacl: u64, _defaulted: u8) -> Status {
        guest::write(descriptor + CONTROL, if present == 0 { 0 } else { DACL_PRESENT });
        guest::write(descriptor + DACL, dacl);
        status::SUCCESS
    }
    /// Sets the security of the object behind a handle.
    [PASSIVE, Fails::With(&[status::ACCESS_DENIED])]
    fn ZwSetSecurityObject(handle: u64, _information: u32, descriptor: u64) -> Status {
        if !holds(Kind::Handle, handle) {
            bad_handle("handle", handle);
        }
        if guest::read::<u8>(descriptor) != 1 {
            return status::INVALID_PARAMETER;
        }
        status::SUCCESS
    }
}

functions! { pub WDM_SECURITY = "ntoskrnl.exe", "wdm.h";
    /// An empty descriptor.
    [APC, Fails::Never]
    fn RtlCreateSecurityDescriptor(descriptor: u64, revision: u32) -> Status {
        guest::fill(descriptor, 0, DESCRIPTOR_SIZE);
        guest::write(descriptor, revision as u8);
        status::SUCCESS
    }
}

/// An `ACCESS_ALLOWED_ACE` at the end of the list.
fn add(acl: u64, mask: u32, sid: u64) -> Status {
    let size = u64::from(guest::read::<u16>(acl + ACL_SIZE));
    let count = guest::read::<u16>(acl + ACE_COUNT);
    let mut end = ACL_HEADER;
    for _ in 0..count {
        end += u64::from(guest::read::<u16>(acl + end + 2));
    }
    let sid_size = 8 + 4 * u64::from(guest::read::<u8>(sid + 1));
    let length = 8 + sid_size;
    if end + length > size {
        return status::ALLOTTED_SPACE_EXCEEDED;
    }
    let ace = acl + end;
    guest::write(ace, 0_u16);
    guest::write(ace + 2, length as u16);
    guest::write(ace + 4, mask);
    guest::copy(ace + 8, sid, sid_size as usize);
    guest::write(acl + ACE_COUNT, count + 1);
    status::SUCCESS
}
