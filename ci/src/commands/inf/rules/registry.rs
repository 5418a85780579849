//! What is written into the registry.

use std::collections::BTreeSet;

use super::{
    Said,
    package::{Install, Package},
};
use crate::commands::inf::{groups::GROUPS, installed::number};

const TEXT: u32 = 0;
const EXPANDED: u32 = 0x0002_0000;
const NUMBER: u32 = 0x0001_0001;

/// Values whose type is known, at whatever key.
const KNOWN: [(&str, u32); 6] = [
    ("DefaultInstance", TEXT),
    ("Altitude", TEXT),
    ("Flags", NUMBER),
    ("SupportedFeatures", NUMBER),
    ("EventMessageFile", EXPANDED),
    ("TypesSupported", NUMBER),
];

pub fn root(package: &Package) -> Said {
    let mut said = vec![];
    for (section, entry) in package.registry_values() {
        let root = entry.value(0).to_uppercase();
        let code = match root.as_str() {
            "HKR" => continue,
            "HKLM" | "HKCR" | "HKCU" | "HKU" => 1321,
            _ => 1224,
        };
        let text = format!(
            "line {}: [{}] writes to {root}: a driver's values lie at HKR",
            entry.line, section.name
        );
        said.push((Some(code), text));
    }
    said
}

pub fn types(package: &Package) -> Said {
    let mut said = vec![];
    for (_, entry) in package.registry_values() {
        let (name, kind, value) = (entry.value(2), entry.value(3), entry.value(4));
        let line = entry.line;
        let kind = number(kind).filter(|kind| [TEXT, EXPANDED, NUMBER].contains(kind));
        let known = KNOWN.iter().find(|(it, _)| it.eq_ignore_ascii_case(name));
        match (kind, known) {
            (Some(kind), Some((_, right))) if kind != *right => {
                let text =
                    format!("line {line}: {name} has the type 0x{kind:08x}: it is 0x{right:08x}");
                said.push((Some(1431), text));
            }
            (None, _) => {
                let text = format!(
                    "line {line}: {name} has the type {}, which no value of a minifilter has",
                    entry.value(3)
                );
                said.push((None, text));
            }
            (Some(NUMBER), _) if number(value).is_none() => {
                let text = format!("line {line}: {name} is {value}, which is no number of 32 bits");
                said.push((Some(1268), text));
            }
            _ => {}
        }
    }
    said
}

pub fn once(package: &Package) -> Said {
    let mut seen = BTreeSet::new();
    let mut said = vec![];
    for (section, entry) in package.registry_values() {
        let place = [
            &section.name,
            entry.value(0),
            entry.value(1),
            entry.value(2),
        ];
        if !seen.insert(place.map(str::to_lowercase)) {
            let text = format!(
                "line {}: [{}] writes {} a second time",
                entry.line,
                section.name,
                entry.value(2)
            );
            said.push((Some(1294), text));
        }
    }
    said
}

/// Only the package's own folder is a number that lasts; other paths begin with an environment variable.
pub fn paths(package: &Package) -> Said {
    let mut said = vec![];
    for (_, entry) in package.registry_values() {
        let value = entry.value(4);
        let (line, name) = (entry.line, entry.value(2));
        if value.to_lowercase().contains(r":\windows") {
            let text =
                format!("line {line}: {name} has the path {value}: begin it with %%SystemRoot%%");
            said.push((Some(1257), text));
        }
        for path in value.split(';') {
            let folder = path.strip_prefix('%').and_then(|rest| rest.split_once('%'));
            let Some((folder, _)) = folder else { continue };
            if folder.bytes().all(|byte| byte.is_ascii_digit()) && folder != "13" {
                let text = format!(
                    "line {line}: {name} has the path {path}: only %13% may be a folder's number here"
                );
                said.push((Some(1258), text));
            }
        }
    }
    said
}

/// Whether a key is `root` or lies below it.
fn is_below(key: &str, root: &str) -> bool {
    let (key, root) = (key.to_lowercase(), root.to_lowercase());
    key == root
        || key
            .strip_prefix(&root)
            .is_some_and(|rest| rest.starts_with('\\'))
}

/// Before build 25952 the filter manager has its own values beside `Parameters`.
pub fn parameters_key(package: &Package) -> Said {
    let mut said = vec![];
    for install in package.installs() {
        for (key, name, entry) in install.service_values() {
            let filter_managers =
                is_below(key, "Instances") || (key.is_empty() && name == "SupportedFeatures");
            if is_below(key, "Parameters") || (filter_managers && !install.has_parameters_layout())
            {
                continue;
            }
            let text = format!(
                "line {}: {} is written to {key:?}: in [{}] it must lie below Parameters",
                entry.line, name, install.section.name
            );
            said.push((Some(1323), text));
        }
    }
    said
}

/// Where the filter manager that an installation is for looks for the instances.
fn instances_key(install: &Install) -> &'static str {
    if install.has_parameters_layout() {
        r"Parameters\Instances"
    } else {
        "Instances"
    }
}

pub fn instances(package: &Package) -> Said {
    let mut said = vec![];
    for install in package.installs() {
        if install.values.is_empty() {
            continue;
        }
        let here = &install.section.name;
        let mut say = |text: String| said.push((None, format!("[{here}]: {text}")));
        let root = instances_key(&install);
        let find = |key: &str, name: &str| {
            install
                .service_values()
                .find(|(it, other, _)| {
                    it.eq_ignore_ascii_case(key) && other.eq_ignore_ascii_case(name)
                })
                .map(|(_, _, entry)| entry.value(4))
        };
        let features = root.strip_suffix(r"\Instances").unwrap_or_default();
        match find(features, "SupportedFeatures").map(number) {
            // Offloaded reads and writes, queries of names by open, BypassIO.
            Some(Some(0..=0xf)) => {}
            Some(_) => say("SupportedFeatures has bits that mean nothing".to_owned()),
            None => say(format!("no SupportedFeatures in {features:?}")),
        }

        let prefix = format!(r"{root}\");
        let instances: BTreeSet<_> = install
            .service_values()
            .filter_map(|(key, _, _)| key.split_at_checked(prefix.len()))
            .filter(|(start, _)| start.eq_ignore_ascii_case(&prefix))
            .map(|(_, name)| name)
            .collect();
        match find(root, "DefaultInstance") {
            None => say(format!("no DefaultInstance in {root}")),
            Some(name) if !instances.contains(name) => {
                say(format!(
                    r"no instance {name}, which is the default, in {root}"
                ));
            }
            Some(_) => {}
        }
        for instance in instances {
            let key = format!(r"{root}\{instance}");
            if find(&key, "Altitude").is_none() {
                say(format!("no Altitude in {key}"));
            }
            match find(&key, "Flags").map(number) {
                // 0x1 suppresses automatic attachment, 0x2 attachment by hand.
                Some(Some(0..=3)) => {}
                Some(_) => say(format!("Flags in {key} are none of 0x0, 0x1, 0x2, 0x3")),
                None => say(format!("no Flags in {key}")),
            }
        }
        if !install.has_parameters_layout()
            && install
                .service_values()
                .any(|(key, _, _)| is_below(key, r"Parameters\Instances"))
        {
            say(
                r"instances below Parameters, where earlier filter managers do not look".to_owned(),
            );
        }
    }
    said
}

pub fn altitude(package: &Package) -> Said {
    let mut said = vec![];
    for install in package.installs() {
        let group = install.service.and_then(|it| it.value("LoadOrderGroup"));
        let Some(group) = GROUPS.iter().find(|it| Some(it.name) == group) else {
            continue;
        };
        for (_, name, entry) in install.service_values() {
            let altitude = entry.value(4);
            if name.eq_ignore_ascii_case("Altitude") && !group.has(altitude) {
                let text = format!(
                    "line {}: {altitude} is no altitude of {}, which has those from {} to {}",
                    entry.line,
                    group.name,
                    group.altitudes.start(),
                    group.altitudes.end()
                );
                said.push((None, text));
            }
        }
    }
    said
}
