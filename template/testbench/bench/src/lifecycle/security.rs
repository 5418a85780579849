//! Security descriptors, access control lists and security identifiers.
//!
//! Documents: "`SECURITY_DESCRIPTOR` structure (ntifs.h)", "`SE_EXPORTS` structure (ntifs.h)", "Well-known SIDs".

use crate::machine::events::breach;
use crate::machine::guest;
use crate::machine::system::system_block;
use crate::trace::Breach;

/// `ACL.AclSize`.
pub const ACL_SIZE: u64 = 2;

/// `ACL.AceCount`.
pub const ACE_COUNT: u64 = 4;

/// The size of `ACL`.
pub const ACL_HEADER: u64 = 8;

/// `ACL_REVISION`.
pub const ACL_REVISION: u8 = 2;

/// `SECURITY_DESCRIPTOR_REVISION`.
pub const REVISION: u8 = 1;

/// `SECURITY_DESCRIPTOR.Control`.
pub const CONTROL: u64 = 2;

/// The size of `SECURITY_DESCRIPTOR`.
pub const DESCRIPTOR_SIZE: usize = 0x28;

/// The size of `SECURITY_DESCRIPTOR_RELATIVE`.
pub const RELATIVE_SIZE: usize = 0x14;

/// `SE_OWNER_DEFAULTED`.
pub const OWNER_DEFAULTED: u16 = 0x1;

/// `SE_GROUP_DEFAULTED`.
pub const GROUP_DEFAULTED: u16 = 0x2;

/// `SE_DACL_PRESENT`.
pub const DACL_PRESENT: u16 = 0x4;

/// `SE_DACL_DEFAULTED`.
pub const DACL_DEFAULTED: u16 = 0x8;

/// `SE_SACL_PRESENT`.
pub const SACL_PRESENT: u16 = 0x10;

/// `SE_SACL_DEFAULTED`.
pub const SACL_DEFAULTED: u16 = 0x20;

/// `SE_SELF_RELATIVE`.
pub const SELF_RELATIVE: u16 = 0x8000;

/// `DACL_SECURITY_INFORMATION`.
pub const DACL_INFORMATION: u32 = 4;

/// A part of a security descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Owner,
    Group,
    Sacl,
    Dacl,
}

impl Part {
    pub const ALL: [Part; 4] = [Part::Owner, Part::Group, Part::Sacl, Part::Dacl];

    /// Returns the offset of its pointer in a `SECURITY_DESCRIPTOR`.
    pub fn absolute(self) -> u64 {
        8 + 8 * self as u64
    }

    /// Returns the offset of its member in a `SECURITY_DESCRIPTOR_RELATIVE`.
    pub fn relative(self) -> u64 {
        4 + 4 * self as u64
    }

    pub fn member(self) -> &'static str {
        match self {
            Part::Owner => "Owner",
            Part::Group => "Group",
            Part::Sacl => "Sacl",
            Part::Dacl => "Dacl",
        }
    }
}

pub fn control(descriptor: u64) -> u16 {
    guest::read(descriptor + CONTROL)
}

pub fn sid_length(sid: u64) -> usize {
    8 + 4 * usize::from(guest::read::<u8>(sid + 1))
}

/// Returns the address of a part, or 0 if the descriptor does not have it.
pub fn address_of(descriptor: u64, part: Part) -> u64 {
    if control(descriptor) & SELF_RELATIVE == 0 {
        return guest::read(descriptor + part.absolute());
    }
    match guest::read::<u32>(descriptor + part.relative()) {
        0 => 0,
        offset => descriptor + u64::from(offset),
    }
}

/// Returns the address and the length of a part, if the descriptor has it.
pub fn part(descriptor: u64, part: Part) -> Option<(u64, usize)> {
    let present = match part {
        Part::Dacl => DACL_PRESENT,
        Part::Sacl => SACL_PRESENT,
        Part::Owner | Part::Group => 0,
    };
    let address = address_of(descriptor, part);
    if address == 0 || control(descriptor) & present != present {
        return None;
    }
    let length = guest::through(descriptor, part.member(), || match part {
        Part::Owner | Part::Group => sid_length(address),
        Part::Sacl | Part::Dacl => usize::from(guest::read::<u16>(address + ACL_SIZE)),
    });
    Some((address, length))
}

/// Returns a descriptor in self-relative format.
pub fn self_relative(descriptor: u64) -> Vec<u8> {
    let mut bytes = vec![0; RELATIVE_SIZE];
    bytes[0] = guest::read(descriptor);
    let control = control(descriptor) | SELF_RELATIVE;
    bytes[CONTROL as usize..][..2].copy_from_slice(&control.to_le_bytes());
    for kind in Part::ALL {
        let Some((address, length)) = part(descriptor, kind) else {
            continue;
        };
        let offset = bytes.len() as u32;
        bytes[kind.relative() as usize..][..4].copy_from_slice(&offset.to_le_bytes());
        bytes.extend(guest::through(descriptor, kind.member(), || {
            guest::bytes(address, length)
        }));
        bytes.resize(bytes.len().next_multiple_of(4), 0);
    }
    bytes
}

/// Checks a descriptor that is applied to an object.
pub fn applied(descriptor: u64, object: &str) {
    if control(descriptor) & DACL_PRESENT != 0 && address_of(descriptor, Part::Dacl) == 0 {
        breach(
            Breach::NullDacl,
            format!("{object} gets a security descriptor with a NULL DACL"),
        );
    }
}

/// A security identifier: the identifier authority and the subauthorities.
type Sid = (u8, &'static [u32]);

/// `NT AUTHORITY\SYSTEM`.
pub const SYSTEM: Sid = (5, &[18]);

/// `BUILTIN\Administrators`.
pub const ADMINISTRATORS: Sid = (5, &[32, 544]);

pub fn sid((authority, rest): Sid) -> Vec<u8> {
    let mut sid = vec![1, rest.len() as u8, 0, 0, 0, 0, 0, authority];
    sid.extend(rest.iter().flat_map(|number| number.to_le_bytes()));
    sid
}

/// Returns a DACL that grants an access mask to administrators and SYSTEM only.
pub fn default_dacl(mask: u32) -> Vec<u8> {
    let mut acl = vec![ACL_REVISION, 0, 0, 0, 2, 0, 0, 0];
    for allowed in [ADMINISTRATORS, SYSTEM] {
        let sid = sid(allowed);
        acl.extend([0, 0]);
        acl.extend((8 + sid.len() as u16).to_le_bytes());
        acl.extend(mask.to_le_bytes());
        acl.extend(sid);
    }
    let size = (acl.len() as u16).to_le_bytes();
    acl[ACL_SIZE as usize..][..2].copy_from_slice(&size);
    acl
}

/// Returns the size of the descriptor that [`put_default`] writes.
#[must_use]
pub fn default_size() -> usize {
    DESCRIPTOR_SIZE + default_dacl(0).len()
}

/// Writes an absolute descriptor without owner and group. Its DACL grants an access mask to administrators and SYSTEM
/// only.
pub fn put_default(address: u64, mask: u32) {
    let dacl = address + DESCRIPTOR_SIZE as u64;
    guest::fill(address, 0, DESCRIPTOR_SIZE);
    guest::write(address, REVISION);
    guest::write(address + CONTROL, DACL_PRESENT);
    guest::write(address + Part::Dacl.absolute(), dacl);
    guest::put(dacl, &default_dacl(mask));
}

/// Returns the descriptor of [`put_default`] in self-relative format.
#[must_use]
pub fn default_relative(mask: u32) -> Vec<u8> {
    let mut bytes = vec![0; RELATIVE_SIZE];
    bytes[0] = REVISION;
    bytes[CONTROL as usize..][..2].copy_from_slice(&(SELF_RELATIVE | DACL_PRESENT).to_le_bytes());
    bytes[Part::Dacl.relative() as usize..][..4]
        .copy_from_slice(&(RELATIVE_SIZE as u32).to_le_bytes());
    bytes.extend(default_dacl(mask));
    bytes
}

/// A member of `SE_EXPORTS`.
pub enum Export {
    Privilege(u32),
    Sid(Sid),
}

/// The members of `SE_EXPORTS`, in order, as of Windows 10 version 2004.
pub const EXPORTS: &[Export] = {
    use Export::{Privilege, Sid};
    &[
        Privilege(2),                   // SeCreateTokenPrivilege
        Privilege(3),                   // SeAssignPrimaryTokenPrivilege
        Privilege(4),                   // SeLockMemoryPrivilege
        Privilege(5),                   // SeIncreaseQuotaPrivilege
        Privilege(6),                   // SeUnsolicitedInputPrivilege
        Privilege(7),                   // SeTcbPrivilege
        Privilege(8),                   // SeSecurityPrivilege
        Privilege(9),                   // SeTakeOwnershipPrivilege
        Privilege(10),                  // SeLoadDriverPrivilege
        Privilege(15),                  // SeCreatePagefilePrivilege
        Privilege(14),                  // SeIncreaseBasePriorityPrivilege
        Privilege(11),                  // SeSystemProfilePrivilege
        Privilege(12),                  // SeSystemtimePrivilege
        Privilege(13),                  // SeProfileSingleProcessPrivilege
        Privilege(16),                  // SeCreatePermanentPrivilege
        Privilege(17),                  // SeBackupPrivilege
        Privilege(18),                  // SeRestorePrivilege
        Privilege(19),                  // SeShutdownPrivilege
        Privilege(20),                  // SeDebugPrivilege
        Privilege(21),                  // SeAuditPrivilege
        Privilege(22),                  // SeSystemEnvironmentPrivilege
        Privilege(23),                  // SeChangeNotifyPrivilege
        Privilege(24),                  // SeRemoteShutdownPrivilege
        Sid((0, &[0])),                 // SeNullSid
        Sid((1, &[0])),                 // SeWorldSid
        Sid((2, &[0])),                 // SeLocalSid
        Sid((3, &[0])),                 // SeCreatorOwnerSid
        Sid((3, &[1])),                 // SeCreatorGroupSid
        Sid((5, &[])),                  // SeNtAuthoritySid
        Sid((5, &[1])),                 // SeDialupSid
        Sid((5, &[2])),                 // SeNetworkSid
        Sid((5, &[3])),                 // SeBatchSid
        Sid((5, &[4])),                 // SeInteractiveSid
        Sid(SYSTEM),                    // SeLocalSystemSid
        Sid(ADMINISTRATORS),            // SeAliasAdminsSid
        Sid((5, &[32, 545])),           // SeAliasUsersSid
        Sid((5, &[32, 546])),           // SeAliasGuestsSid
        Sid((5, &[32, 547])),           // SeAliasPowerUsersSid
        Sid((5, &[32, 548])),           // SeAliasAccountOpsSid
        Sid((5, &[32, 549])),           // SeAliasSystemOpsSid
        Sid((5, &[32, 550])),           // SeAliasPrintOpsSid
        Sid((5, &[32, 551])),           // SeAliasBackupOpsSid
        Sid((5, &[11])),                // SeAuthenticatedUsersSid
        Sid((5, &[12])),                // SeRestrictedSid
        Sid((5, &[7])),                 // SeAnonymousLogonSid
        Privilege(25),                  // SeUndockPrivilege
        Privilege(26),                  // SeSyncAgentPrivilege
        Privilege(27),                  // SeEnableDelegationPrivilege
        Sid((5, &[19])),                // SeLocalServiceSid
        Sid((5, &[20])),                // SeNetworkServiceSid
        Privilege(28),                  // SeManageVolumePrivilege
        Privilege(29),                  // SeImpersonatePrivilege
        Privilege(30),                  // SeCreateGlobalPrivilege
        Privilege(31),                  // SeTrustedCredManAccessPrivilege
        Privilege(32),                  // SeRelabelPrivilege
        Privilege(33),                  // SeIncreaseWorkingSetPrivilege
        Privilege(34),                  // SeTimeZonePrivilege
        Privilege(35),                  // SeCreateSymbolicLinkPrivilege
        Sid((5, &[17])),                // SeIUserSid
        Sid((16, &[0])),                // SeUntrustedMandatorySid
        Sid((16, &[0x1000])),           // SeLowMandatorySid
        Sid((16, &[0x2000])),           // SeMediumMandatorySid
        Sid((16, &[0x3000])),           // SeHighMandatorySid
        Sid((16, &[0x4000])),           // SeSystemMandatorySid
        Sid((3, &[4])),                 // SeOwnerRightsSid
        Sid((15, &[2, 1])),             // SeAllAppPackagesSid
        Sid((5, &[84, 0, 0, 0, 0, 0])), // SeUserModeDriversSid
        Sid((19, &[1024, 8192])),       // SeProcTrustWinTcbSid
        Sid((5, TRUSTED_INSTALLER)),    // SeTrustedInstallerSid
        Privilege(36),                  // SeDelegateSessionUserImpersonatePrivilege
    ]
};

pub const TRUSTED_INSTALLER: &[u32] = &[
    80,
    956_008_885,
    3_418_522_649,
    1_831_038_044,
    1_853_292_631,
    2_271_478_464,
];

/// Returns the structure to which the kernel variable `SeExports` points.
#[must_use]
pub fn exports() -> u64 {
    let identifiers: Vec<Vec<u8>> = EXPORTS
        .iter()
        .map(|export| match export {
            Export::Privilege(_) => Vec::new(),
            Export::Sid(known) => sid(*known),
        })
        .collect();
    let room = identifiers.iter().map(Vec::len).sum();
    let mut next = system_block(room, "the security identifiers of SeExports");
    let exports = system_block(8 * EXPORTS.len(), "the structure SE_EXPORTS");
    for (at, (export, identifier)) in EXPORTS.iter().zip(identifiers).enumerate() {
        let place = exports + 8 * at as u64;
        match export {
            Export::Privilege(number) => guest::write(place, u64::from(*number)),
            Export::Sid(_) => {
                guest::write(place, next);
                guest::put(next, &identifier);
                next += identifier.len() as u64;
            }
        }
    }
    exports
}
