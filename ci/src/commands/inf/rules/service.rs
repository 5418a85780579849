//! The service, its event source, and how both go.

use std::collections::BTreeMap;

use super::{
    Said,
    package::{Install, Kind, Package},
};
use crate::commands::inf::{groups::GROUPS, installed::number, reader::Section};

pub fn name(package: &Package) -> Said {
    let mut said = vec![];
    for section in package.all(Kind::InstallServices) {
        let Some(entry) = section.entry("AddService") else {
            continue;
        };
        if entry.value(0).is_empty() {
            let text = format!("line {}: AddService names no service", entry.line);
            said.push((Some(1253), text));
        }
        if !matches!(number(entry.value(1)), Some(0)) && !entry.value(1).is_empty() {
            let text = format!(
                "line {}: AddService has the flags {}: the filter is no device's function driver, and what is installed anew replaces all of the old",
                entry.line,
                entry.value(1)
            );
            said.push((None, text));
        }
    }
    said
}

pub fn kind(package: &Package) -> Said {
    let mut said = vec![];
    for section in package.all(Kind::Service) {
        for (directive, right, why) in [
            ("ServiceType", "2", "a file-system driver"),
            (
                "ErrorControl",
                "1",
                "a start that fails is reported, and the system starts",
            ),
            ("Dependencies", "FltMgr", "the filter manager starts first"),
        ] {
            let Some(entry) = section.entry(directive) else {
                continue;
            };
            let found = entry.values.join(",");
            let is_right = match number(right) {
                Some(right) => number(&found) == Some(right),
                None => found.eq_ignore_ascii_case(right),
            };
            if !is_right {
                let text = format!(
                    "line {}: {directive} is {found}: a minifilter's is {right}, {why}",
                    entry.line
                );
                said.push((None, text));
            }
        }
    }
    said
}

pub fn start_type(package: &Package) -> Said {
    let mut said = vec![];
    for section in package.all(Kind::Service) {
        let Some(entry) = section.entry("StartType") else {
            continue;
        };
        match number(entry.value(0)) {
            Some(0..=3) => {}
            Some(4) => said.push((
                None,
                format!(
                    "line {}: StartType is 4: what is disabled cannot be installed",
                    entry.line
                ),
            )),
            _ => said.push((
                None,
                format!(
                    "line {}: StartType is {}: write 0 to 3",
                    entry.line,
                    entry.value(0)
                ),
            )),
        }
    }
    said
}

/// With any start type: "Creating an INF File for a Minifilter Driver" asks for a group even where the group does
/// not order the start, and boot and system start are ordered by it.
pub fn load_order_group(package: &Package) -> Said {
    let class = package.version("Class").map(|entry| entry.value(0));
    let guid = package.version("ClassGuid").map(|entry| entry.value(0));
    let of_class = GROUPS.iter().find(|group| {
        Some(group.class) == class
            && guid.is_some_and(|guid| group.class_guid().eq_ignore_ascii_case(guid))
    });
    let mut said = vec![];
    for section in package.all(Kind::Service) {
        let Some(entry) = section.entry("LoadOrderGroup") else {
            continue;
        };
        let name = entry.value(0);
        match (GROUPS.iter().find(|group| group.name == name), of_class) {
            (None, _) => {
                let start = section.value("StartType").unwrap_or_default();
                let text = format!(
                    "line {}: {name} is no load-order group of minifilters, and orders no start of type {start}",
                    entry.line
                );
                said.push((None, text));
            }
            (Some(group), Some(right)) if group.name != right.name => {
                let text = format!(
                    "line {}: the class {} belongs to the group {}, and not to {name}",
                    entry.line, right.class, right.name
                );
                said.push((None, text));
            }
            _ => {}
        }
    }
    said
}

/// The values at a key, by lower-case key and name. The two layouts differ in the filter manager's own keys.
fn values(install: &Install) -> BTreeMap<[String; 2], String> {
    install
        .service_values()
        .map(|(key, name, entry)| {
            let key = key.to_lowercase();
            let key = match key.strip_prefix("parameters") {
                Some(rest) => rest.trim_start_matches('\\').to_owned(),
                None => key,
            };
            let data = entry.values.get(3..).unwrap_or_default().join(",");
            ([key, name.to_lowercase()], data)
        })
        .collect()
}

pub fn same(package: &Package) -> Said {
    let installs = package.installs();
    let mut said = vec![];
    for (position, one) in installs.iter().enumerate() {
        for other in &installs[position + 1..] {
            compare(one, other, &mut said);
        }
    }
    said
}

fn compare(one: &Install, other: &Install, said: &mut Said) {
    let between = format!("[{}] and [{}]", one.section.name, other.section.name);
    let settings = |section: Option<&Section>| -> BTreeMap<String, String> {
        section
            .into_iter()
            .flat_map(|section| &section.entries)
            .filter_map(|entry| Some((entry.key.as_ref()?.to_lowercase(), entry.values.join(","))))
            .filter(|(key, _)| key != "addreg")
            .collect()
    };
    let (left, right) = (settings(one.service), settings(other.service));
    for (key, value) in &left {
        if let Some(different) = right.get(key).filter(|it| *it != value) {
            let text = format!("{key} differs between {between}: {value} and {different}");
            said.push((Some(1333), text));
        }
    }
    let services = [one, other].map(|it| it.add_service.map(|entry| entry.value(0)));
    if let [Some(left), Some(right)] = services
        && left != right
    {
        let text = format!("the service differs between {between}: {left} and {right}");
        said.push((Some(1333), text));
    }
    let (left, right) = (values(one), values(other));
    for (place, value) in &left {
        if let Some(different) = right.get(place).filter(|it| *it != value) {
            let text = format!(
                "{} differs between {between}: {value} and {different}",
                place[1]
            );
            said.push((Some(1332), text));
        }
    }
}

/// Both installations have one or none has: the system's messages before the driver's own, and all types.
pub fn event_source(package: &Package) -> Said {
    let installs = package.installs();
    let mut said = vec![];
    let with = |install: &&Install| {
        install
            .add_service
            .is_some_and(|entry| !entry.value(3).is_empty())
    };
    let number_with = installs.iter().filter(with).count();
    if number_with != 0 && number_with != installs.len() {
        let text = "only some install sections name a section for the event log";
        said.push((None, text.to_owned()));
    }
    for install in installs.iter().filter(with) {
        let lists = install.event_values.iter();
        // What else a list is for, `sections-shared` asks.
        let lists: Vec<_> = lists
            .filter(|list| package.kinds(list).len() == 1)
            .collect();
        if lists.is_empty() {
            continue;
        }
        let entries = || lists.iter().flat_map(|list| &list.entries);
        for name in ["EventMessageFile", "TypesSupported"] {
            if !entries().any(|entry| entry.value(2).eq_ignore_ascii_case(name)) {
                let here = &install.section.name;
                said.push((None, format!("[{here}]: the event source has no {name}")));
            }
        }
        for entry in entries() {
            let (key, name, value) = (entry.value(1), entry.value(2), entry.value(4));
            let right = key.is_empty()
                && match name.to_lowercase().as_str() {
                    "eventmessagefile" => is_message_file(value, install),
                    "typessupported" => number(value) == Some(7),
                    _ => false,
                };
            if !right {
                let text = format!(
                    "line {}: {name} {value}: an event source has the system's messages and the driver's as EventMessageFile, and 7 as TypesSupported",
                    entry.line
                );
                said.push((None, text));
            }
        }
    }
    said
}

fn is_message_file(value: &str, install: &Install) -> bool {
    let Some((system, driver)) = value.split_once(';') else {
        return false;
    };
    let file = driver.rsplit('\\').next();
    system == r"%SystemRoot%\System32\IoLogMsg.dll"
        && install
            .copied
            .iter()
            .flat_map(|list| &list.entries)
            .any(|entry| Some(entry.value(0)) == file)
}

pub fn legacy_uninstall(package: &Package) -> Said {
    package
        .all(Kind::Uninstall)
        .into_iter()
        .filter(|section| section.value("LegacyUninstall") != Some("1"))
        .map(|section| {
            let text = format!(
                "[{}] has no LegacyUninstall = 1: Windows itself undoes what a primitive driver installed",
                section.name
            );
            (Some(1422), text)
        })
        .collect()
}

pub fn uninstall(package: &Package) -> Said {
    const DELETE_EVENT_LOG_ENTRY: u32 = 0x4;
    const STOP_SERVICE: u32 = 0x200;
    let installs = package.installs();
    let Some(added) = installs.iter().find_map(|install| install.add_service) else {
        return vec![];
    };
    let mut flags = STOP_SERVICE;
    if !added.value(3).is_empty() {
        flags |= DELETE_EVENT_LOG_ENTRY;
    }
    let mut said = vec![];
    for section in package.all(Kind::UninstallServices) {
        let Some(entry) = section.entry("DelService") else {
            continue;
        };
        if entry.value(0) != added.value(0) {
            let text = format!(
                "line {}: DelService removes {}, and {} was installed",
                entry.line,
                entry.value(0),
                added.value(0)
            );
            said.push((None, text));
        }
        if entry.values.len() == 2 && number(entry.value(1)) != Some(flags) {
            let text = format!(
                "line {}: DelService has the flags {}: 0x{flags:x} stops the service and takes away what was installed",
                entry.line,
                entry.value(1)
            );
            said.push((None, text));
        }
    }
    said
}
