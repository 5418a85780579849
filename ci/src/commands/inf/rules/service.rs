//! Rules for the service, its event source, and the removal of both.

use std::collections::BTreeMap;

use super::{
    breach::{Said, at},
    package::{Added, Install, Kind, Package},
};
use crate::commands::inf::{
    groups::{self, GROUPS},
    installed::number,
    reader::Entry,
};

/// The `AddService` entries that install filters.
fn added<'a>(package: &Package<'a>) -> Vec<&'a Entry> {
    let installs = package.installs().into_iter();
    let filters = installs.filter_map(|install| install.filter);
    filters.map(|filter| filter.entry).collect()
}

pub fn name(package: &Package) -> Said {
    let entries = added(package).into_iter();
    entries
        .filter(|entry| entry.value(0).is_empty())
        .map(|entry| at(entry.line, "AddService names no service".to_owned()).seen(1253))
        .collect()
}

pub fn flags(package: &Package) -> Said {
    const FUNCTION_DRIVER: u32 = 0x2;
    let entries = added(package).into_iter();
    entries
        .filter(|entry| !entry.value(1).is_empty())
        .filter_map(|entry| {
            let flags = entry.value(1);
            let text = match number(flags) {
                Some(number) if number & FUNCTION_DRIVER == 0 => return None,
                Some(_) => format!(
                    "AddService has the flags {flags}: 0x2 is for a device's function driver, which a filter is not"
                ),
                None => format!("AddService has the flags {flags}, which are not a number"),
            };
            Some(at(entry.line, text))
        })
        .collect()
}

pub fn kind(package: &Package) -> Said {
    let mut said = vec![];
    for section in package.filters() {
        if let Some(entry) = section.entry("ServiceType")
            && number(entry.value(0)) != Some(2)
        {
            let text = format!(
                "ServiceType is {}: write 2, which is a file-system driver",
                entry.value(0)
            );
            said.push(at(entry.line, text));
        }
        let mut services = section.all("Dependencies").flat_map(|entry| &entry.values);
        if !services.any(|service| service.eq_ignore_ascii_case("FltMgr")) {
            let line = section
                .entry("Dependencies")
                .map_or(section.line, |entry| entry.line);
            let text = format!(
                "Dependencies of [{}] lack FltMgr: the filter manager must start first",
                section.name
            );
            said.push(at(line, text));
        }
    }
    said
}

pub fn error_control(package: &Package) -> Said {
    let filters = package.filters().into_iter();
    filters
        .filter_map(|section| section.entry("ErrorControl"))
        .filter(|entry| !entry.value(0).is_empty() && number(entry.value(0)) != Some(1))
        .map(|entry| {
            let text = format!(
                "ErrorControl is {}: write 1, with which a failed start is reported and the system starts",
                entry.value(0)
            );
            at(entry.line, text)
        })
        .collect()
}

pub fn start_type(package: &Package) -> Said {
    let mut said = vec![];
    let filters = package.filters().into_iter();
    for entry in filters.filter_map(|section| section.entry("StartType")) {
        let start = entry.value(0);
        match number(start) {
            Some(0..=3) => {}
            Some(4) => said.push(at(
                entry.line,
                "StartType is 4: a disabled service cannot be installed".to_owned(),
            )),
            // `directives-required` reports an empty value.
            None if start.is_empty() => {}
            None => {
                let text = format!("StartType is {start}: write 0 to 3");
                said.push(at(entry.line, text).seen(1013));
            }
            Some(_) => said.push(at(
                entry.line,
                format!("StartType is {start}: write 0 to 3"),
            )),
        }
    }
    said
}

/// The rule applies to every start type: "Creating an INF File for a Minifilter Driver" requires a group even if it
/// does not determine the start order. It does for boot and system start.
pub fn load_order_group(package: &Package) -> Said {
    let guid = package.version("ClassGuid").map(|entry| entry.value(0));
    let of_class = GROUPS
        .iter()
        .find(|group| guid.is_some_and(|guid| group.class_guid().eq_ignore_ascii_case(guid)));
    let mut said = vec![];
    let filters = package.filters().into_iter();
    for entry in filters.filter_map(|section| section.entry("LoadOrderGroup")) {
        let name = entry.value(0);
        let text = match (groups::altitudes(name), of_class) {
            _ if name.is_empty() => continue,
            (None, _) => format!("{name} is not a load-order group of minifilters"),
            (Some(_), Some(right)) if !right.name.eq_ignore_ascii_case(name) => format!(
                "the class {} belongs to the group {}, and not to {name}",
                right.class, right.name
            ),
            _ => continue,
        };
        said.push(at(entry.line, text));
    }
    said
}

/// Values in a form that can be compared: equal numbers are equal, whether decimal or hexadecimal.
fn comparable<'a>(values: impl IntoIterator<Item = &'a String>) -> String {
    let value = |value: &String| number(value).map_or_else(|| value.clone(), |it| it.to_string());
    let values: Vec<String> = values.into_iter().map(value).collect();
    values.join(",")
}

/// The values of an installation's filter, by key and name in lower case, with their lines. Keys have no `Parameters`
/// prefix, in which the two layouts differ.
fn values(install: &Install) -> BTreeMap<[String; 2], (usize, String)> {
    install
        .filter_values()
        .map(|(key, name, entry)| {
            let key = key.to_lowercase();
            let key = match key.strip_prefix("parameters") {
                Some(rest) => rest.trim_start_matches('\\').to_owned(),
                None => key,
            };
            let data = comparable(entry.values.iter().skip(4));
            ([key, name.to_lowercase()], (entry.line, data))
        })
        .collect()
}

pub fn same(package: &Package) -> Said {
    let installs = package.installs();
    let mut said = vec![];
    for (position, one) in installs.iter().enumerate() {
        for other in &installs[position + 1..] {
            if one.architecture == other.architecture
                && let (Some(left), Some(right)) = (&one.filter, &other.filter)
            {
                compare((one, left), (other, right), &mut said);
            }
        }
    }
    said
}

/// The entries of a service-install section, except those that have their own rules.
fn settings(added: &Added) -> BTreeMap<String, (usize, String)> {
    const OTHERS: [&str; 3] = ["addreg", "loadordergroup", "servicebinary"];
    added
        .section
        .into_iter()
        .flat_map(|section| &section.entries)
        .filter_map(|entry| {
            let key = entry.key.as_ref()?.to_lowercase();
            Some((key, (entry.line, comparable(&entry.values))))
        })
        .filter(|(key, _)| !OTHERS.contains(&key.as_str()))
        .collect()
}

fn compare(one: (&Install, &Added), other: (&Install, &Added), said: &mut Said) {
    let between = format!("[{}] and [{}]", one.0.section.name, other.0.section.name);
    let right = settings(other.1);
    for (key, (_, value)) in settings(one.1) {
        if let Some((line, different)) = right.get(&key).filter(|(_, it)| *it != value) {
            let text = format!("{key} differs between {between}: {value} and {different}");
            said.push(at(*line, text).documented(1333));
        }
    }
    let (left, right) = (one.1.entry, other.1.entry);
    if left.value(0) != right.value(0) {
        let text = format!(
            "the service differs between {between}: {} and {}",
            left.value(0),
            right.value(0)
        );
        said.push(at(right.line, text).documented(1333));
    }
    let right = values(other.0);
    for (place, (_, value)) in values(one.0) {
        if let Some((line, different)) = right.get(&place).filter(|(_, it)| *it != value) {
            let text = format!(
                "{} differs between {between}: {value} and {different}",
                place[1]
            );
            said.push(at(*line, text).documented(1332));
        }
    }
}

/// All installations have an event source, or none has. It has the message file of Windows before that of the driver,
/// and all types.
pub fn event_source(package: &Package) -> Said {
    let installs = package.installs();
    let mut said = vec![];
    let filters = || {
        let with_filter = installs.iter().filter_map(|install| {
            let filter = install.filter.as_ref()?;
            Some((install, filter))
        });
        with_filter.partition::<Vec<_>, _>(|(_, filter)| !filter.entry.value(3).is_empty())
    };
    let (with, without) = filters();
    if let (Some(_), Some((_, filter))) = (with.first(), without.first()) {
        let text = "only some install sections name a section for the event log";
        said.push(at(filter.entry.line, text.to_owned()));
    }
    for (install, filter) in with {
        // `sections-shared` reports a list that also has another purpose.
        let lists: Vec<_> = filter
            .event_values
            .iter()
            .filter(|list| package.kinds(list).len() == 1)
            .collect();
        let Some(first) = lists.first() else {
            continue;
        };
        let entries = || lists.iter().flat_map(|list| &list.entries);
        for name in ["EventMessageFile", "TypesSupported"] {
            if !entries().any(|entry| entry.value(2).eq_ignore_ascii_case(name)) {
                let text = format!("[{}]: the event source has no {name}", first.name);
                said.push(at(first.line, text));
            }
        }
        for entry in entries() {
            let (key, name, value) = (entry.value(1), entry.value(2), entry.value(4));
            let is_right = key.is_empty()
                && match name.to_lowercase().as_str() {
                    "eventmessagefile" => is_message_file(value, install),
                    "typessupported" => number(value) == Some(7),
                    _ => false,
                };
            if !is_right {
                let text = format!(
                    "{name} {value}: an event source has an EventMessageFile, which is IoLogMsg.dll and the driver, \
                     and TypesSupported, which is 7"
                );
                said.push(at(entry.line, text));
            }
        }
    }
    said
}

fn is_message_file(value: &str, install: &Install) -> bool {
    let Some((system, driver)) = value.split_once(';') else {
        return false;
    };
    let file = driver.rsplit('\\').next().unwrap_or_default();
    system.eq_ignore_ascii_case(r"%SystemRoot%\System32\IoLogMsg.dll") && install.has_file(file)
}

pub fn legacy_uninstall(package: &Package) -> Said {
    package
        .all(Kind::Uninstall)
        .into_iter()
        .filter(|section| section.value("LegacyUninstall") != Some("1"))
        .map(|section| {
            let text = format!(
                "[{}] has no LegacyUninstall = 1: Windows itself uninstalls a primitive driver",
                section.name
            );
            at(section.line, text).seen(1422)
        })
        .collect()
}

pub fn uninstall(package: &Package) -> Said {
    const DELETE_EVENT_LOG_ENTRY: u32 = 0x4;
    const STOP_SERVICE: u32 = 0x200;
    let added = added(package);
    let mut said = vec![];
    for entry in package.entries(Kind::UninstallServices) {
        if !entry.is("DelService") || entry.value(0).is_empty() {
            continue;
        }
        let Some(of) = added.iter().find(|of| of.value(0) == entry.value(0)) else {
            if let Some(filter) = added.first() {
                let text = format!(
                    "DelService removes {}, but {} is installed",
                    entry.value(0),
                    filter.value(0)
                );
                said.push(at(entry.line, text));
            }
            continue;
        };
        let mut needed = STOP_SERVICE;
        if !of.value(3).is_empty() {
            needed |= DELETE_EVENT_LOG_ENTRY;
        }
        let flags = number(entry.value(1)).unwrap_or(0);
        if flags & needed != needed {
            let text = format!(
                "DelService has the flags {}: 0x{needed:x} stops the service and removes what was installed",
                entry.value(1)
            );
            said.push(at(entry.line, text));
        }
    }
    said
}
