//! Rules for `[Version]`.

use super::{
    breach::{Said, at},
    package::{Kind, Package},
};
use crate::commands::inf::{groups::GROUPS, reader::Section};

fn line(section: &Section, directive: &str) -> usize {
    section.entry(directive).map_or(section.line, |it| it.line)
}

pub fn signature(package: &Package) -> Said {
    let Some(version) = package.version_section() else {
        return vec![];
    };
    let line = line(version, "Signature");
    let text = match version.value("Signature").unwrap_or_default() {
        // Both mean all versions of Windows.
        signature
            if ["$Windows NT$", "$Chicago$"]
                .iter()
                .any(|it| it.eq_ignore_ascii_case(signature)) =>
        {
            return vec![];
        }
        "" => "[Version] has no Signature: write \"$WINDOWS NT$\"".to_owned(),
        other => format!("[Version] Signature is {other}: write \"$WINDOWS NT$\""),
    };
    vec![at(line, text).documented(1001)]
}

pub fn class(package: &Package) -> Said {
    let (Some(class), Some(guid)) = (package.version("Class"), package.version("ClassGuid")) else {
        return vec![];
    };
    let line = guid.line;
    let (class, guid) = (class.value(0), guid.value(0));
    if !is_guid(guid) {
        let text = format!("[Version] ClassGuid {guid} is not a GUID in braces");
        return vec![at(line, text).seen(1010)];
    }
    let named = GROUPS
        .iter()
        .find(|group| group.class.eq_ignore_ascii_case(class));
    let numbered = GROUPS
        .iter()
        .find(|group| group.class_guid().eq_ignore_ascii_case(guid));
    match (named, numbered) {
        (Some(one), Some(other)) if one.class == other.class => vec![],
        (_, Some(group)) => {
            let text = format!(
                "[Version] ClassGuid {guid} is that of the class {}, but Class is {class}",
                group.class
            );
            vec![at(line, text).seen(1280)]
        }
        (Some(group), None) => {
            let text = format!(
                "[Version] the ClassGuid of the class {class} is {}, and not {guid}",
                group.class_guid()
            );
            vec![at(line, text).seen(1281)]
        }
        // `filter-class` reports this.
        (None, None) => vec![],
    }
}

pub fn filter_class(package: &Package) -> Said {
    let (Some(class), Some(guid)) = (package.version("Class"), package.version("ClassGuid")) else {
        return vec![];
    };
    let line = class.line;
    let (class, guid) = (class.value(0), guid.value(0));
    let is_known = GROUPS.iter().any(|group| {
        group.class.eq_ignore_ascii_case(class) || group.class_guid().eq_ignore_ascii_case(guid)
    });
    if is_known || !is_guid(guid) {
        return vec![];
    }
    let text = format!("[Version] Class {class} {guid} is not documented for file-system filters");
    vec![at(line, text)]
}

fn is_guid(text: &str) -> bool {
    let inner = text
        .strip_prefix('{')
        .and_then(|text| text.strip_suffix('}'));
    inner.is_some_and(|inner| {
        let parts: Vec<_> = inner.split('-').collect();
        parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12])
            && parts.concat().bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

pub fn provider(package: &Package) -> Said {
    let Some(entry) = package.version("Provider") else {
        return vec![];
    };
    let provider = entry.value(0);
    if provider.to_lowercase().starts_with("microsoft") {
        let text = format!("[Version] Provider is {provider}: only Microsoft may use this name");
        return vec![at(entry.line, text).seen(1204)];
    }
    vec![]
}

/// The message for a number that is too large for a version. The build script and New-Package.ps1 of an emitted project
/// have the same message.
fn too_large(version: &str) -> Option<String> {
    const LIMIT: u64 = 65535;
    let number = version
        .split('.')
        .find(|number| number.parse().is_ok_and(|number: u64| number >= LIMIT))?;
    Some(format!(
        "{number} in the version {version} is too large: each number of a driver's version must be below {LIMIT}"
    ))
}

/// stampinf sets `DriverVer`, which may be empty in an INX.
pub fn driver_version(package: &Package) -> Said {
    let Some(entry) = package.version("DriverVer") else {
        return vec![];
    };
    let mut said = vec![];
    let (date, version) = (entry.value(0), entry.value(1));
    let fields: Vec<_> = date.split(['/', '-']).collect();
    let digits = |text: &&str| text.bytes().all(|byte| byte.is_ascii_digit());
    let number = |text: &str| text.parse::<u32>().unwrap_or(0);
    let is_date = fields.iter().map(|field| field.len()).eq([2, 2, 4])
        && fields.iter().all(digits)
        && (1..=12).contains(&number(fields[0]))
        && (1..=31).contains(&number(fields[1]));
    if !is_date {
        let text = format!("[Version] DriverVer has the date {date}: write mm/dd/yyyy");
        said.push(at(entry.line, text).seen(1218));
    }
    let parts: Vec<_> = version.split('.').collect();
    let is_version = parts.len() == 4
        && parts
            .iter()
            .all(|part| part.parse::<u64>().is_ok() && digits(part));
    if !is_version {
        let text = format!(
            "[Version] DriverVer has the version {version}: write w.x.y.z, four numbers below 65535"
        );
        said.push(at(entry.line, text).seen(1217));
    } else if let Some(text) = too_large(version) {
        said.push(at(entry.line, format!("[Version] DriverVer: {text}")));
    } else if parts.iter().all(|part| number(part) == 0) {
        let text = format!("[Version] DriverVer has the version {version}, which is all zeros");
        said.push(at(entry.line, text));
    }
    said
}

pub fn catalog(package: &Package) -> Said {
    let mut said = vec![];
    if let Some(version) = package.version_section() {
        // CatalogFile.NTamd64 is for one architecture.
        let mut catalogs = version.entries.iter().filter(|entry| {
            let key = entry.key.as_deref().unwrap_or_default().to_lowercase();
            key.split('.').next() == Some("catalogfile") && !entry.value(0).is_empty()
        });
        let mut any = false;
        for entry in catalogs.by_ref() {
            any = true;
            let catalog = entry.value(0).to_lowercase();
            let stem = catalog.strip_suffix(".cat").unwrap_or_default();
            if stem.is_empty() || catalog.contains(['\\', '/']) {
                let text = format!(
                    "[Version] CatalogFile {} is not the name of a .cat file",
                    entry.value(0)
                );
                said.push(at(entry.line, text).seen(1214));
            }
        }
        if !any {
            let text = "[Version] has no CatalogFile: without it the package cannot be signed";
            let line = line(version, "CatalogFile");
            said.push(at(line, text.to_owned()).seen(1233));
        }
    }
    for entry in package.entries(Kind::DiskFiles) {
        let key = entry.key.as_deref().unwrap_or_default();
        if key.to_lowercase().ends_with(".cat") {
            let text = format!("[SourceDisksFiles] lists the catalog {key}");
            said.push(at(entry.line, text).seen(1213));
        }
    }
    said
}

pub fn pnp_lockdown(package: &Package) -> Said {
    let Some(version) = package.version_section() else {
        return vec![];
    };
    let found = match version.value("PnpLockdown") {
        Some("1") => return vec![],
        Some(other) => format!("PnpLockdown is {other:?}"),
        None => "no PnpLockdown".to_owned(),
    };
    let text = format!("[Version] {found}: write 1, which protects the driver's files");
    vec![at(line(version, "PnpLockdown"), text).seen(1324)]
}
