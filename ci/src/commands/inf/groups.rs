//! The load-order groups, from Microsoft's documentation and metadata.
//!
//! Names and ranges: "Load Order Groups and Altitudes for Minifilter Drivers". Class names: "File System Filter
//! Driver Classes and Class GUIDs". GUIDs: devguid.h, from windows-sys. Nothing is taken from `hooks/groups.rhai`,
//! which the tests compare with this table.

use std::ops::RangeInclusive;

use windows_sys::{Win32::Devices::DeviceAndDriverInstallation as classes, core::GUID};

/// A load-order group.
pub struct Group {
    /// The answer that selects it.
    pub option: &'static str,
    /// Its name.
    pub name: &'static str,
    /// The range of the integer part of its altitudes.
    pub altitudes: RangeInclusive<u32>,
    /// The name of its setup class.
    pub class: &'static str,
    guid: GUID,
}

impl Group {
    /// The GUID of its setup class, in braces.
    #[must_use]
    pub fn class_guid(&self) -> String {
        let GUID {
            data1,
            data2,
            data3,
            data4: [one, two, tail @ ..],
        } = self.guid;
        let tail = tail
            .iter()
            .fold(0_u64, |tail, byte| tail << 8 | u64::from(*byte));
        format!("{{{data1:08x}-{data2:04x}-{data3:04x}-{one:02x}{two:02x}-{tail:012x}}}")
    }

    /// Whether an altitude, a decimal number, is in the range of the group. Only the integer part is compared.
    #[must_use]
    pub fn has(&self, altitude: &str) -> bool {
        is_within(&self.altitudes, altitude)
    }
}

/// Whether an altitude, a decimal number, is in a range. Only the integer part is compared.
#[must_use]
pub fn is_within(altitudes: &RangeInclusive<u32>, altitude: &str) -> bool {
    let (integer, fraction) = altitude.split_once('.').unwrap_or((altitude, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits(integer)
        && digits(fraction)
        && integer
            .parse()
            .is_ok_and(|integer| altitudes.contains(&integer))
}

/// The altitudes of a load-order group, which may have no class.
#[must_use]
pub fn altitudes(group: &str) -> Option<RangeInclusive<u32>> {
    let classless = CLASSLESS.iter().map(|(name, range)| (*name, range));
    GROUPS
        .iter()
        .map(|group| (group.name, &group.altitudes))
        .chain(classless)
        .find(|(name, _)| name.eq_ignore_ascii_case(group))
        .map(|(_, altitudes)| altitudes.clone())
}

/// The groups for which the documentation names no class that vendors other than Microsoft can use.
const CLASSLESS: [(&str, RangeInclusive<u32>); 6] = [
    ("Filter", 420_000..=429_999),
    ("FSFilter Top", 400_000..=409_999),
    ("FSFilter Imaging", 170_000..=175_000),
    ("FSFilter Bottom", 40_000..=49_999),
    ("FSFilter System", 20_000..=29_999),
    ("FSFilter Infrastructure", 0..=19_999),
];

/// The groups that have a documented class.
#[rustfmt::skip]
pub const GROUPS: [Group; 17] = [
    group("activity-monitor", "FSFilter Activity Monitor", 360_000..=389_999, "ActivityMonitor", classes::GUID_DEVCLASS_FSFILTER_ACTIVITYMONITOR),
    group("undelete", "FSFilter Undelete", 340_000..=349_999, "Undelete", classes::GUID_DEVCLASS_FSFILTER_UNDELETE),
    group("anti-virus", "FSFilter Anti-Virus", 320_000..=329_999, "AntiVirus", classes::GUID_DEVCLASS_FSFILTER_ANTIVIRUS),
    group("replication", "FSFilter Replication", 300_000..=309_999, "Replication", classes::GUID_DEVCLASS_FSFILTER_REPLICATION),
    group("continuous-backup", "FSFilter Continuous Backup", 280_000..=289_999, "ContinuousBackup", classes::GUID_DEVCLASS_FSFILTER_CONTINUOUSBACKUP),
    group("content-screener", "FSFilter Content Screener", 260_000..=269_999, "ContentScreener", classes::GUID_DEVCLASS_FSFILTER_CONTENTSCREENER),
    group("quota-management", "FSFilter Quota Management", 240_000..=249_999, "QuotaManagement", classes::GUID_DEVCLASS_FSFILTER_QUOTAMANAGEMENT),
    group("system-recovery", "FSFilter System Recovery", 220_000..=229_999, "SystemRecovery", classes::GUID_DEVCLASS_FSFILTER_SYSTEMRECOVERY),
    group("cluster-file-system", "FSFilter Cluster File System", 200_000..=209_999, "CFSMetaDataServer", classes::GUID_DEVCLASS_FSFILTER_CFSMETADATASERVER),
    group("hsm", "FSFilter HSM", 180_000..=189_999, "HSM", classes::GUID_DEVCLASS_FSFILTER_HSM),
    group("compression", "FSFilter Compression", 160_000..=169_999, "Compression", classes::GUID_DEVCLASS_FSFILTER_COMPRESSION),
    group("encryption", "FSFilter Encryption", 140_000..=149_999, "Encryption", classes::GUID_DEVCLASS_FSFILTER_ENCRYPTION),
    group("virtualization", "FSFilter Virtualization", 130_000..=139_999, "Virtualization", classes::GUID_DEVCLASS_FSFILTER_VIRTUALIZATION),
    group("physical-quota-management", "FSFilter Physical Quota Management", 120_000..=129_999, "PhysicalQuotaManagement", classes::GUID_DEVCLASS_FSFILTER_PHYSICALQUOTAMANAGEMENT),
    group("open-file", "FSFilter Open File", 100_000..=109_999, "OpenFileBackup", classes::GUID_DEVCLASS_FSFILTER_OPENFILEBACKUP),
    group("security-enhancer", "FSFilter Security Enhancer", 80_000..=89_999, "SecurityEnhancer", classes::GUID_DEVCLASS_FSFILTER_SECURITYENHANCER),
    group("copy-protection", "FSFilter Copy Protection", 60_000..=69_999, "CopyProtection", classes::GUID_DEVCLASS_FSFILTER_COPYPROTECTION),
];

const fn group(
    option: &'static str,
    name: &'static str,
    altitudes: RangeInclusive<u32>,
    class: &'static str,
    guid: GUID,
) -> Group {
    Group {
        option,
        name,
        altitudes,
        class,
        guid,
    }
}
