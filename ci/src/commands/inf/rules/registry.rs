//! Rules for registry values.

use std::collections::BTreeSet;

use super::{
    breach::{Breach, Said, at},
    package::{Install, Kind, Package},
};
use crate::commands::inf::{
    groups::{self, GROUPS},
    installed::number,
    reader::Entry,
};

const TEXT: u32 = 0;
const BYTES: u32 = 0x0000_0001;
const EXPANDED: u32 = 0x0002_0000;
const LIST: u32 = 0x0001_0000;
const NUMBER: u32 = 0x0001_0001;
const NONE: u32 = 0x0002_0001;
const LARGE_NUMBER: u32 = 0x000b_0001;

/// The bits of an entry's flags that specify the type.
const TYPE: u32 = 0xffff_0001;
/// The flag of an entry that creates a key without a value.
const KEY_ONLY: u32 = 0x10;

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
            "[{}] writes to {root}: write the values to HKR",
            section.name
        );
        said.push(at(entry.line, text).seen(code));
    }
    said
}

/// The type that a value must have if Windows reads it.
fn known(key: &str, name: &str, is_event_source: bool) -> Option<u32> {
    let name = name.to_lowercase();
    let in_instances = is_below(key, "Instances") || is_below(key, r"Parameters\Instances");
    match name.as_str() {
        "defaultinstance" | "altitude" if in_instances => Some(TEXT),
        "flags" if in_instances => Some(NUMBER),
        "supportedfeatures" if key.is_empty() || key.eq_ignore_ascii_case("Parameters") => {
            Some(NUMBER)
        }
        "eventmessagefile" if is_event_source => Some(EXPANDED),
        "typessupported" if is_event_source => Some(NUMBER),
        _ => None,
    }
}

fn is_byte(text: &str) -> bool {
    (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

pub fn types(package: &Package) -> Said {
    let mut said = vec![];
    for (section, entry) in package.registry_values() {
        let (name, value) = (entry.value(2), entry.value(4));
        let line = entry.line;
        let flags = match entry.value(3) {
            "" => Some(TEXT),
            flags => number(flags),
        };
        let Some(flags) = flags else {
            let text = format!("{name} has the type {}, not a number", entry.value(3));
            said.push(at(line, text));
            continue;
        };
        if flags & KEY_ONLY != 0 {
            continue;
        }
        let kind = flags & TYPE;
        let is_event_source = package.kinds(section).contains(&Kind::EventRegistry);
        let known = known(entry.value(1), name, is_event_source);
        let data = entry.values.get(4..).unwrap_or_default();
        if let Some(right) = known.filter(|right| *right != kind) {
            let text = format!("{name} has the type 0x{kind:08x}: it must be 0x{right:08x}");
            said.push(at(line, text).documented(1431));
        } else if ![TEXT, BYTES, EXPANDED, LIST, NUMBER, NONE, LARGE_NUMBER].contains(&kind) {
            let text = format!("{name} has the type 0x{kind:08x}, which does not exist");
            said.push(at(line, text));
        } else if kind == NUMBER
            && number(value).is_none()
            // A number may also be written as four bytes.
            && !(data.len() == 4 && data.iter().all(|byte| is_byte(byte)))
        {
            let text = format!("{name} is {value}, which is not a 32-bit number");
            said.push(at(line, text).seen(1268));
        } else if kind == BYTES && !data.iter().all(|byte| byte.is_empty() || is_byte(byte)) {
            let text = format!(
                "{name} is {}: write each byte as two hexadecimal digits, with commas between the bytes",
                data.join(",")
            );
            said.push(at(line, text).seen(1267));
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
            let text = format!("[{}] writes {} a second time", section.name, entry.value(2));
            said.push(at(entry.line, text).documented(1294));
        }
    }
    said
}

/// In a value, the only dirid that stays valid is that of the package's folder. Other paths begin with an environment
/// variable.
pub fn paths(package: &Package) -> Said {
    let mut said = vec![];
    for (_, entry) in package.registry_values() {
        let value = entry.value(4);
        let (line, name) = (entry.line, entry.value(2));
        if value.to_lowercase().contains(r":\windows") {
            let text = format!("{name} has the path {value}: begin it with %%SystemRoot%%");
            said.push(at(line, text).seen(1258));
        }
        for path in value.split(';') {
            let folder = path.strip_prefix('%').and_then(|rest| rest.split_once('%'));
            let Some((folder, _)) = folder else { continue };
            if folder.bytes().all(|byte| byte.is_ascii_digit()) && folder != "13" {
                let text =
                    format!("{name} has the path {path}: the only dirid allowed here is %13%");
                said.push(at(line, text).seen(1258));
            }
        }
    }
    said
}

/// Whether a key is `root` or is below it.
fn is_below(key: &str, root: &str) -> bool {
    let (key, root) = (key.to_lowercase(), root.to_lowercase());
    key == root
        || key
            .strip_prefix(&root)
            .is_some_and(|rest| rest.starts_with('\\'))
}

/// Before build 25952, the filter manager reads values beside `Parameters`, so the rule applies from that build.
pub fn parameters_key(package: &Package) -> Said {
    let mut said = vec![];
    for install in package.installs() {
        if install.has_parameters_layout() != Some(true) {
            continue;
        }
        for (key, name, entry) in install.filter_values() {
            if !is_below(key, "Parameters") {
                let text = format!(
                    "{name} is written to {key:?}: in [{}] it must be below Parameters",
                    install.section.name
                );
                said.push(at(entry.line, text).seen(1323));
            }
        }
    }
    said
}

/// The two keys of instances: the one that the filter manager reads on the systems of an installation, and the other.
///
/// A section for all systems, without another section for build 25952 and later, is judged by the key that it writes.
/// `layouts` reports that the section does not suit the other systems.
fn instances_keys(install: &Install, installs: &[Install]) -> Option<[&'static str; 2]> {
    const BELOW: &str = r"Parameters\Instances";
    const BESIDE: &str = "Instances";
    let is_below = install.has_parameters_layout()?;
    let has_other = installs.iter().any(|other| {
        other.architecture == install.architecture && other.has_parameters_layout() == Some(true)
    });
    let writes_below = || find(install, BELOW, "DefaultInstance").is_some();
    Some(if is_below || !has_other && writes_below() {
        [BELOW, BESIDE]
    } else {
        [BESIDE, BELOW]
    })
}

/// The entry for a value of an installation's filter.
fn find<'a>(install: &Install<'a>, key: &str, name: &str) -> Option<&'a Entry> {
    let mut values = install.filter_values();
    let found = values
        .find(|(it, other, _)| it.eq_ignore_ascii_case(key) && other.eq_ignore_ascii_case(name));
    found.map(|(_, _, entry)| entry)
}

/// The line of the `AddReg` directive of an installation's filter.
fn line_of_values(install: &Install) -> usize {
    let filter = install.filter.as_ref();
    let section = filter.and_then(|filter| filter.section);
    section.map_or(install.section.line, |section| {
        section.entry("AddReg").map_or(section.line, |it| it.line)
    })
}

/// The installations of a filter whose keys of instances are known, with these keys.
fn with_layout<'a>(package: &Package<'a>) -> Vec<(Install<'a>, [&'static str; 2])> {
    let installs = package.installs();
    let keys: Vec<_> = installs
        .iter()
        .map(|install| instances_keys(install, &installs))
        .collect();
    let with_keys = installs.into_iter().zip(keys);
    with_keys
        .filter(|(install, _)| {
            let filter = install.filter.as_ref();
            filter.is_some_and(|filter| filter.section.is_some())
        })
        .filter_map(|(install, keys)| Some((install, keys?)))
        .collect()
}

pub fn supported_features(package: &Package) -> Said {
    let mut said = vec![];
    for (install, [root, _]) in with_layout(package) {
        let key = root.strip_suffix(r"\Instances").unwrap_or_default();
        let here = &install.section.name;
        match find(&install, key, "SupportedFeatures") {
            // Offloaded read, offloaded write, query open, BypassIO.
            Some(entry) if matches!(number(entry.value(4)), Some(0..=0xf)) => {}
            Some(entry) => said.push(at(
                entry.line,
                format!("SupportedFeatures {} has undefined bits", entry.value(4)),
            )),
            None => said.push(at(
                line_of_values(&install),
                format!("[{here}] writes no SupportedFeatures to {key:?}"),
            )),
        }
    }
    said
}

/// The breach for a value that an installation does not write to a key. It has the line where the file has the value
/// instead.
fn missing(
    package: &Package,
    install: &Install,
    [root, other]: [&str; 2],
    key: &str,
    name: &str,
) -> Breach {
    let here = &install.section.name;
    let below = key.strip_prefix(root).unwrap_or_default();
    if let Some(entry) = find(install, &format!("{other}{below}"), name) {
        let text = format!(
            "{name} is written to {}: on the systems of [{here}], the filter manager reads it from {key}",
            entry.value(1)
        );
        return at(entry.line, text);
    }
    let of_filters: Vec<_> = package
        .installs()
        .into_iter()
        .filter_map(|install| install.filter)
        .flat_map(|filter| filter.values)
        .map(|list| list.line)
        .collect();
    let mut others = package
        .inf
        .sections
        .iter()
        .filter(|section| !of_filters.contains(&section.line))
        .flat_map(|section| section.entries.iter().map(move |entry| (section, entry)));
    let stray = others.find(|(_, entry)| {
        entry.value(1).eq_ignore_ascii_case(key) && entry.value(2).eq_ignore_ascii_case(name)
    });
    if let Some((section, entry)) = stray {
        let text = format!(
            "{name} for {key} is in [{}], which no AddReg directive of the service of [{here}] names",
            section.name
        );
        return at(entry.line, text);
    }
    let text = format!("[{here}] writes no {name} to {key}");
    at(line_of_values(install), text)
}

pub fn instances(package: &Package) -> Said {
    let mut said = vec![];
    for (install, [root, other]) in with_layout(package) {
        let prefix = format!(r"{root}\");
        let instances: BTreeSet<_> = install
            .filter_values()
            .filter_map(|(key, _, _)| key.split_at_checked(prefix.len()))
            .filter(|(start, _)| start.eq_ignore_ascii_case(&prefix))
            .map(|(_, name)| name)
            .collect();
        let is_instance = |name: &str| instances.iter().any(|it| it.eq_ignore_ascii_case(name));
        let missing = |key: &str, name: &str| missing(package, &install, [root, other], key, name);
        match find(&install, root, "DefaultInstance") {
            None => said.push(missing(root, "DefaultInstance")),
            Some(entry) if is_instance(entry.value(4)) => {}
            Some(entry) => {
                // The whole instance may be below the other key.
                let name = entry.value(4);
                let key = format!(r"{root}\{name}");
                let elsewhere = format!(r"{other}\{name}");
                said.push(if find(&install, &elsewhere, "Altitude").is_some() {
                    missing(&key, "Altitude")
                } else {
                    let text = format!(r"{root} has no instance {name}, which is the default");
                    at(entry.line, text)
                });
            }
        }
        // If a whole instance is below the other key, each of its values is reported. From build 25952,
        // `parameters-key` reports the values beside Parameters.
        if instances.is_empty() && install.has_parameters_layout() == Some(false) {
            let prefix = format!(r"{other}\");
            let elsewhere = install.filter_values().filter_map(|(key, name, _)| {
                let (start, instance) = key.split_at_checked(prefix.len())?;
                let key = format!(r"{root}\{instance}");
                start
                    .eq_ignore_ascii_case(&prefix)
                    .then(|| missing(&key, name))
            });
            said.extend(elsewhere);
        }
        for instance in &instances {
            let key = format!(r"{root}\{instance}");
            if find(&install, &key, "Altitude").is_none() {
                said.push(missing(&key, "Altitude"));
            }
            match find(&install, &key, "Flags") {
                // 0x1 suppresses automatic attachment, 0x2 manual attachment.
                Some(entry) if matches!(number(entry.value(4)), Some(0..=3)) => {}
                Some(entry) => said.push(at(
                    entry.line,
                    format!("Flags are {}: write 0x0, 0x1, 0x2 or 0x3", entry.value(4)),
                )),
                None => said.push(missing(&key, "Flags")),
            }
        }
    }
    said
}

pub fn altitude(package: &Package) -> Said {
    let guid = package.version("ClassGuid").map(|entry| entry.value(0));
    let of_class = GROUPS
        .iter()
        .find(|group| guid.is_some_and(|guid| group.class_guid().eq_ignore_ascii_case(guid)));
    let mut said = vec![];
    for install in package.installs() {
        let section = install.filter.as_ref().and_then(|filter| filter.section);
        let group = section.and_then(|section| section.value("LoadOrderGroup"));
        let Some(group) = group else { continue };
        let Some(altitudes) = groups::altitudes(group) else {
            continue;
        };
        for (key, name, entry) in install.filter_values() {
            let altitude = entry.value(4);
            let in_instances = ["Instances", r"Parameters\Instances"]
                .iter()
                .any(|root| is_below(key, root));
            if !in_instances
                || !name.eq_ignore_ascii_case("Altitude")
                || groups::is_within(&altitudes, altitude)
                // Then the group is wrong, which `load-order-group` reports.
                || of_class.is_some_and(|class| class.has(altitude))
            {
                continue;
            }
            let text = format!(
                "{altitude} is not an altitude of {group}, which has the range {} to {}",
                altitudes.start(),
                altitudes.end()
            );
            said.push(at(entry.line, text));
        }
    }
    said
}
