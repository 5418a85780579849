//! What `[Version]` says.

use super::{
    Said,
    package::{Kind, Package},
};
use crate::commands::inf::groups::GROUPS;

pub fn signature(package: &Package) -> Said {
    let signature = package.version("Signature");
    match signature.map(|entry| entry.value(0)) {
        Some(signature) if signature.eq_ignore_ascii_case("$Windows NT$") => vec![],
        Some(other) => vec![(
            Some(1001),
            format!("[Version] Signature is {other}: write \"$WINDOWS NT$\""),
        )],
        None => vec![(
            Some(1001),
            "[Version] has no Signature: write \"$WINDOWS NT$\"".to_owned(),
        )],
    }
}

pub fn class(package: &Package) -> Said {
    let (Some(class), Some(guid)) = (package.version("Class"), package.version("ClassGuid")) else {
        return vec![];
    };
    let (class, guid) = (class.value(0), guid.value(0));
    if !is_guid(guid) {
        let text = format!("[Version] ClassGuid {guid} is no GUID in braces");
        return vec![(Some(1010), text)];
    }
    let named = GROUPS.iter().find(|group| group.class == class);
    let numbered = GROUPS
        .iter()
        .find(|group| group.class_guid().eq_ignore_ascii_case(guid));
    match (named, numbered) {
        (Some(one), Some(other)) if one.class == other.class => vec![],
        (_, Some(group)) => vec![(
            Some(1280),
            format!(
                "[Version] ClassGuid {guid} is of the class {}, and Class is {class}",
                group.class
            ),
        )],
        (Some(group), None) => vec![(
            Some(1281),
            format!(
                "[Version] the class {class} has the ClassGuid {}, and not {guid}",
                group.class_guid()
            ),
        )],
        (None, None) => vec![(
            None,
            format!("[Version] Class {class} {guid} is no documented class of file-system filters"),
        )],
    }
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
    let provider = package
        .version("Provider")
        .map_or("", |entry| entry.value(0));
    if provider.to_lowercase().starts_with("microsoft") {
        let text = format!("[Version] Provider is {provider}: only Microsoft's own INFs say so");
        return vec![(Some(1204), text)];
    }
    vec![]
}

/// stampinf fills it in: an INX may have it empty.
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
        said.push((Some(1218), text));
    }
    let parts: Vec<_> = version.split('.').collect();
    let is_version = parts.len() == 4
        && parts.iter().all(|part| !part.is_empty() && digits(part))
        && parts.iter().all(|part| part.parse::<u16>().is_ok())
        && parts.iter().any(|part| number(part) > 0);
    if !is_version {
        let text = format!(
            "[Version] DriverVer has the version {version}: write w.x.y.z, four numbers up to 65535 that are not all 0"
        );
        said.push((Some(1217), text));
    }
    said
}

pub fn catalog(package: &Package) -> Said {
    let mut said = vec![];
    if let Some(version) = package.the(Kind::Version) {
        let catalog = version.value("CatalogFile").unwrap_or_default();
        let stem = catalog.strip_suffix(".cat").unwrap_or_default();
        if catalog.is_empty() {
            let text = "[Version] has no CatalogFile: without it the package cannot be signed";
            said.push((Some(1233), text.to_owned()));
        } else if stem.is_empty() || catalog.contains(['\\', '/']) {
            let text = format!("[Version] CatalogFile {catalog} is no name of a .cat file");
            said.push((Some(1214), text));
        }
    }
    for file in package.all(Kind::DiskFiles) {
        for key in file.entries.iter().filter_map(|entry| entry.key.as_ref()) {
            if key.to_lowercase().ends_with(".cat") {
                let text = format!("[{}] lists the catalog {key}", file.name);
                said.push((Some(1213), text));
            }
        }
    }
    said
}

pub fn pnp_lockdown(package: &Package) -> Said {
    let Some(version) = package.the(Kind::Version) else {
        return vec![];
    };
    match version.value("PnpLockdown") {
        Some("1") => vec![],
        other => vec![(
            Some(1324),
            format!(
                "[Version] PnpLockdown is {other:?}: 1 keeps others from changing the driver's files"
            ),
        )],
    }
}
