//! Rules for sections: which sections exist, what they contain, and which systems they are for.

use std::collections::BTreeSet;

use super::{
    breach::{Said, at, nowhere},
    package::{
        Decoration, Install, Kind, PARAMETERS_BUILD, Package, Systems, Unreadable, target_build,
        without_services,
    },
};
use crate::commands::inf::reader::{Encoding, Section};

pub fn encoding(package: &Package) -> Said {
    let mut said = vec![];
    match package.inf.encoding {
        Encoding::Utf16 => return said,
        Encoding::Utf8 => said.push(at(
            1,
            "it begins with the byte order mark of UTF-8: save it as ASCII, or as UTF-16 with a byte order mark"
                .to_owned(),
        )),
        Encoding::Ansi => {}
    }
    for (number, line) in (1..).zip(package.inf.text.lines()) {
        if let Some(other) = line.chars().find(|character| !character.is_ascii()) {
            let text = format!(
                "{other:?} depends on the code page of the machine: write ASCII, or save the file as UTF-16 \
                 with a byte order mark"
            );
            said.push(at(number, text).documented(1003));
        }
    }
    said
}

pub fn plain_text(package: &Package) -> Said {
    let mut said = vec![];
    // Lines may end with LF or with CR LF, but all in the same way.
    let ends: Vec<_> = package
        .inf
        .text
        .split_inclusive('\n')
        .map(|line| line.ends_with("\r\n"))
        .collect();
    if let [first, rest @ .., _] = &ends[..]
        && let Some(at_other) = rest.iter().position(|end| end != first)
    {
        let text = "the line ending differs from that of the first line";
        said.push(at(at_other + 2, text.to_owned()));
    }
    for (number, line) in (1..).zip(package.inf.text.lines()) {
        let mut quoted = false;
        let odd = line.chars().find(|character| {
            quoted ^= *character == '"';
            character.is_control() && (quoted || *character != '\t')
        });
        if let Some(odd) = odd {
            said.push(at(number, format!("{odd:?} is in a value")).documented(1003));
        }
    }
    said
}

/// The lines with `$ARCH$` in any case, without comments.
fn with_architecture<'a>(package: &Package<'a>) -> impl Iterator<Item = (usize, &'a str)> {
    let lines = (1..).zip(package.inf.text.lines());
    lines
        .map(|(number, line)| (number, line.split(';').next().unwrap_or_default().trim()))
        .filter(|(_, line)| line.to_lowercase().contains("$arch$"))
}

pub fn stampinf(package: &Package) -> Said {
    with_architecture(package)
        .filter(|(_, line)| {
            line.to_lowercase().matches("$arch$").count() > line.matches("$ARCH$").count()
        })
        .map(|(number, line)| {
            let text = format!("{line}: stampinf replaces $ARCH$ only in capitals");
            at(number, text).seen(1274)
        })
        .collect()
}

/// stampinf replaces `$ARCH$` everywhere in the file.
pub fn stampinf_in_values(package: &Package) -> Said {
    with_architecture(package)
        .filter(|(_, line)| !line.starts_with('[') && line.contains("$ARCH$"))
        .map(|(number, line)| {
            let text = format!("{line}: stampinf replaces $ARCH$ here too, such as with amd64");
            at(number, text).documented(1274)
        })
        .collect()
}

pub fn strings_used(package: &Package) -> Said {
    // An undefined string may be an unused one with a misspelt name.
    if package.inf.has_undefined_strings() {
        return vec![];
    }
    let entries = package.entries(Kind::Strings);
    entries
        .filter_map(|entry| {
            let name = entry.key.as_ref()?;
            let used = package.inf.used_strings.contains(&name.to_lowercase());
            let text = format!("the string {name} is not used");
            (!used).then(|| at(entry.line, text))
        })
        .collect()
}

/// Whether a section belongs to the INF of a device or of a device class.
fn is_of_devices(section: &Section) -> bool {
    const NAMES: [&str; 6] = [
        "manufacturer",
        "classinstall32",
        "interfaceinstall32",
        "controlflags",
        "deviceinstall32",
        "signatureattributes",
    ];
    let name = section.name.to_lowercase();
    NAMES.contains(&name.split('.').next().unwrap_or_default())
}

pub fn primitive(package: &Package) -> Said {
    let sections = package.inf.sections.iter();
    sections
        .filter(|section| is_of_devices(section))
        .map(|section| {
            let text = format!("a primitive driver has no [{}] section", section.name);
            at(section.line, text).documented(1420)
        })
        .collect()
}

pub fn found(package: &Package) -> Said {
    let mut said = vec![];
    for reference in &package.references {
        if package.inf.section(reference.name).is_none() {
            let code = match reference.kind {
                Kind::Service => 2006,
                _ => 1203,
            };
            let text = format!(
                "{} names the section [{}], which does not exist",
                reference.directive, reference.name
            );
            said.push(at(reference.line, text).seen(code));
        }
    }
    for (kind, name) in [
        (Kind::DiskNames, "SourceDisksNames"),
        (Kind::DiskFiles, "SourceDisksFiles"),
        (Kind::Destinations, "DestinationDirs"),
        (Kind::Install, "DefaultInstall"),
    ] {
        if package.all(kind).is_empty() {
            let breach = nowhere(format!("there is no section [{name}]"));
            said.push(match kind {
                Kind::Destinations => breach.seen(1275),
                _ => breach,
            });
        }
    }
    said
}

pub fn used(package: &Package) -> Said {
    let sections = package.inf.sections.iter();
    sections
        .filter(|section| package.kinds(section).is_empty() && !is_of_devices(section))
        .map(|section| {
            let text = format!("no directive names the section [{}]", section.name);
            at(section.line, text).seen(2083)
        })
        .collect()
}

pub fn shared(package: &Package) -> Said {
    let mut said = vec![];
    for section in &package.inf.sections {
        let mut kinds = package.kinds(section);
        kinds.retain(|kind| *kind != Kind::Other);
        if kinds.len() < 2 {
            continue;
        }
        let directives: BTreeSet<_> = package
            .references
            .iter()
            .filter(|reference| reference.name.eq_ignore_ascii_case(&section.name))
            .map(|reference| reference.directive)
            .collect();
        let files = [Kind::CopiedFiles, Kind::DeletedFiles];
        let text = format!(
            "the section [{}] is used for different purposes, by {}",
            section.name,
            Vec::from_iter(directives).join(" and ")
        );
        let breach = at(section.line, text);
        said.push(if kinds.iter().all(|kind| files.contains(kind)) {
            breach.seen(1205)
        } else {
            breach.documented(1206)
        });
    }
    said
}

pub fn keys_once(package: &Package) -> Said {
    const REPEATABLE: [&str; 4] = ["addreg", "addtrigger", "bitreg", "delreg"];
    let mut said = vec![];
    for section in [
        Kind::Version,
        Kind::DiskNames,
        Kind::DiskFiles,
        Kind::Destinations,
        Kind::Service,
    ]
    .into_iter()
    .flat_map(|kind| package.all(kind))
    {
        let mut keys = BTreeSet::new();
        for entry in &section.entries {
            let Some(key) = entry.key.as_ref().map(|key| key.to_lowercase()) else {
                continue;
            };
            if !REPEATABLE.contains(&key.as_str()) && !keys.insert(key.clone()) {
                let text = format!("[{}] has {key} a second time", section.name);
                said.push(at(entry.line, text).documented(1088));
            }
        }
    }
    said
}

/// The documented directives of a section that apply to the package of a minifilter; `None` if its keys are names.
fn directives(kind: Kind) -> Option<&'static [&'static str]> {
    Some(match kind {
        Kind::Version => &[
            "Signature",
            "Class",
            "ClassGuid",
            "Provider",
            "DriverVer",
            "CatalogFile",
            "PnpLockdown",
            "ExtensionId",
        ],
        // Without AddReg, because registry values at HKR belong to the service.
        Kind::Install => &[
            "OptionDesc",
            "CopyFiles",
            "CopyINF",
            "DelFiles",
            "RenFiles",
            "AddProperty",
            "Include",
            "Needs",
        ],
        Kind::InstallServices => &["AddService", "DelService", "Include", "Needs"],
        // RequiredPrivileges and similar directives are for services that are programs.
        Kind::Service => &[
            "DisplayName",
            "Description",
            "ServiceBinary",
            "ServiceType",
            "StartType",
            "ErrorControl",
            "StartName",
            "LoadOrderGroup",
            "Dependencies",
            "Security",
            "BootFlags",
            "AddReg",
            "DelReg",
            "BitReg",
        ],
        Kind::EventLog => &["AddReg", "DelReg", "BitReg"],
        Kind::Uninstall => &["LegacyUninstall", "DelFiles", "DelReg", "RenFiles"],
        Kind::UninstallServices => &["DelService"],
        _ => return None,
    })
}

pub fn directives_allowed(package: &Package) -> Said {
    let filters: Vec<_> = package.filters().iter().map(|it| it.line).collect();
    let mut said = vec![];
    for section in &package.inf.sections {
        let Some(kind) = package.kind(section).filter(|kind| *kind != Kind::Other) else {
            continue;
        };
        // A service that is a program has other directives.
        if kind == Kind::Service && !filters.contains(&section.line) {
            continue;
        }
        for entry in &section.entries {
            let what = match (&entry.key, directives(kind)) {
                (Some(key), _) if !kind.has_keys() => format!("{key} ="),
                // The reader reports a string without a value.
                (None, _) if kind.has_keys() && kind != Kind::Strings => entry.values.join(","),
                (Some(key), Some(allowed)) => {
                    // CatalogFile.NTamd64
                    let name = key.split('.').next().unwrap_or_default();
                    if allowed.iter().any(|it| it.eq_ignore_ascii_case(name)) {
                        continue;
                    }
                    key.clone()
                }
                _ => continue,
            };
            let text = format!(
                "{what} does not belong in [{}] of a minifilter driver",
                section.name
            );
            said.push(at(entry.line, text).documented(1290));
        }
    }
    said
}

/// Whether a section has a directive with a value.
fn has(section: &Section, directive: &str) -> bool {
    section
        .entry(directive)
        .is_some_and(|entry| entry.values.iter().any(|value| !value.is_empty()))
}

/// The sections of a kind; of services, only those of filters.
fn of_kind<'a>(package: &Package<'a>, kind: Kind) -> Vec<&'a Section> {
    match kind {
        Kind::Service => package.filters(),
        kind => package.all(kind),
    }
}

pub fn directives_required(package: &Package) -> Said {
    let mut said = vec![];
    for (kind, required) in [
        // Other directives have their own rules.
        (
            Kind::Version,
            &["Class", "ClassGuid", "Provider", "DriverVer"][..],
        ),
        (Kind::InstallServices, &["AddService"]),
        (
            Kind::Service,
            &[
                "ServiceType",
                "StartType",
                "ErrorControl",
                "ServiceBinary",
                "LoadOrderGroup",
            ],
        ),
        (Kind::EventLog, &["AddReg"]),
    ] {
        for section in of_kind(package, kind) {
            for directive in required {
                // stampinf sets it.
                let may_be_empty = *directive == "DriverVer" && package.inf.is_inx;
                if has(section, directive) || may_be_empty && section.entry(directive).is_some() {
                    continue;
                }
                let line = section.entry(directive).map_or(section.line, |it| it.line);
                let text = format!("[{}] has no {directive}", section.name);
                let breach = at(line, text);
                said.push(match (kind, *directive) {
                    (Kind::Version, "Provider") => breach.seen(1234),
                    (Kind::Version, _) => breach.documented(1234),
                    (_, "ErrorControl") => breach.seen(1013),
                    _ => breach.documented(1289),
                });
            }
        }
    }
    said
}

pub fn directives_recommended(package: &Package) -> Said {
    let mut said = vec![];
    for (kind, recommended) in [
        (Kind::Install, &["CopyFiles"][..]),
        (Kind::Service, &["DisplayName", "Description"]),
        (Kind::UninstallServices, &["DelService"]),
    ] {
        for section in of_kind(package, kind) {
            for directive in recommended {
                if !has(section, directive) {
                    let text = format!("[{}] has no {directive}", section.name);
                    said.push(at(section.line, text).documented(1289));
                }
            }
        }
    }
    said
}

/// The entries of a known form, with their minimum and maximum number of values, and whether they must have a value.
fn counted<'a>(
    package: &Package<'a>,
) -> Vec<(&'a crate::commands::inf::reader::Entry, usize, usize, bool)> {
    let mut entries = vec![];
    for section in &package.inf.sections {
        let Some(kind) = package.kind(section).filter(|kind| *kind != Kind::Other) else {
            continue;
        };
        for entry in &section.entries {
            let key = entry.key.as_deref().unwrap_or_default();
            let (mut least, most) = number_of_values(kind, &key.to_lowercase());
            let is_registry = matches!(kind, Kind::ServiceRegistry | Kind::EventRegistry);
            if is_registry && entry.values.len() <= 2 {
                // A key without a value.
                least = 1;
            }
            // Other rules report an empty directive.
            entries.push((entry, least, most, directives(kind).is_none()));
        }
    }
    entries
}

fn shown(entry: &crate::commands::inf::reader::Entry) -> String {
    let key = entry.key.clone();
    key.unwrap_or_else(|| entry.values.join(","))
}

pub fn values(package: &Package) -> Said {
    let entries = counted(package).into_iter();
    entries
        .filter(|(entry, _, most, _)| entry.values.len() > *most)
        .map(|(entry, _, most, _)| {
            let text = format!(
                "{} has {} values, but at most {most} are documented",
                shown(entry),
                entry.values.len()
            );
            at(entry.line, text).documented(1201)
        })
        .collect()
}

pub fn values_present(package: &Package) -> Said {
    let entries = counted(package).into_iter();
    entries
        .filter(|(entry, least, most, must_not_be_empty)| {
            let is_empty = entry.values.iter().all(String::is_empty);
            let found = entry.values.len();
            found <= *most && (found < *least || is_empty && *must_not_be_empty)
        })
        .map(|(entry, ..)| {
            at(entry.line, format!("{} lacks a value", shown(entry))).documented(1006)
        })
        .collect()
}

/// The minimum and maximum number of values.
fn number_of_values(kind: Kind, key: &str) -> (usize, usize) {
    match (kind, key) {
        (Kind::Version, "driverver") => (1, 2),
        // `destinations` checks the folder below a destination.
        (Kind::Destinations | Kind::DiskFiles, _) => (1, 3),
        (Kind::DiskNames, _) => (1, 6),
        (Kind::CopiedFiles | Kind::DeletedFiles, _) => (1, 5),
        (Kind::InstallServices, "addservice") => (3, 6),
        (Kind::InstallServices | Kind::UninstallServices, "delservice") => (1, 4),
        (Kind::ServiceRegistry | Kind::EventRegistry, _) => (5, usize::MAX),
        (
            _,
            "signature" | "class" | "classguid" | "provider" | "pnplockdown" | "displayname"
            | "description" | "servicebinary" | "servicetype" | "starttype" | "errorcontrol"
            | "startname" | "loadordergroup" | "legacyuninstall",
        ) => (1, 1),
        _ => (1, usize::MAX),
    }
}

/// The sections that are for certain systems.
fn decorated<'a>(package: &Package<'a>) -> Vec<&'a Section> {
    [
        Kind::Install,
        Kind::InstallServices,
        Kind::Uninstall,
        Kind::UninstallServices,
    ]
    .into_iter()
    .flat_map(|kind| package.all(kind))
    .collect()
}

fn architecture_of(section: &Section) -> Option<String> {
    let architecture = Decoration::of(&section.name).architecture;
    architecture.map(str::to_lowercase)
}

pub fn architecture(package: &Package) -> Said {
    const KNOWN: [&str; 6] = ["$arch$", "amd64", "arm64", "x86", "arm", "ia64"];
    let mut said = vec![];
    let installed: BTreeSet<_> = package
        .all(Kind::Install)
        .into_iter()
        .filter_map(architecture_of)
        .collect();
    for section in decorated(package) {
        let name = &section.name;
        let Some(architecture) = architecture_of(section) else {
            let text = format!("[{name}] names no architecture: decorate it, as in .NTamd64");
            said.push(at(section.line, text).seen(1421));
            continue;
        };
        if !KNOWN.contains(&architecture.as_str()) {
            let text = format!("[{name}]: {architecture} is not an architecture");
            said.push(at(section.line, text));
        } else if !installed.is_empty() && !installed.contains(&architecture) {
            let text = format!("[{name}]: no section installs the driver for {architecture}");
            said.push(at(section.line, text).seen(2083));
        }
    }
    if let Some(first) = package.all(Kind::Install).first()
        && installed.is_empty()
    {
        let text = "there is no [DefaultInstall] section for an architecture";
        said.push(at(first.line, text.to_owned()).documented(1423));
    }
    said
}

pub fn architecture_current(package: &Package) -> Said {
    decorated(package)
        .into_iter()
        .filter_map(|section| {
            let architecture = architecture_of(section)?;
            ["x86", "arm", "ia64"]
                .contains(&architecture.as_str())
                .then(|| {
                    let text = format!(
                        "[{}]: Windows 11 runs on amd64 and arm64, not on {architecture}",
                        section.name
                    );
                    at(section.line, text)
                })
        })
        .collect()
}

pub fn system_version(package: &Package) -> Said {
    let mut said = vec![];
    for section in decorated(package) {
        let Some(version) = Decoration::of(&section.name).version else {
            continue;
        };
        match target_build(version) {
            Ok(_) => {}
            Err(Unreadable::Build(build)) => {
                let text = format!(
                    "[{}] is for build {build}: the lowest build in a name is 14310",
                    section.name
                );
                said.push(at(section.line, text).documented(1288));
            }
            Err(Unreadable::Form) => {
                let text = format!(
                    "[{}] has the version {version}: write it as in 10.0...25952",
                    section.name
                );
                said.push(at(section.line, text).documented(1287));
            }
        }
    }
    said
}

/// One install section is for systems that read the instances below `Parameters`, and one is for earlier systems.
pub fn layouts(package: &Package) -> Said {
    let installs = package.installs();
    let mut said = vec![];
    let is = |systems: Systems| move |install: &Install| install.systems == systems;
    // `system-version` reports a version that cannot be read.
    if installs.iter().any(is(Systems::Unreadable)) {
        return said;
    }
    for install in &installs {
        if let Systems::From(build) = install.systems
            && build != PARAMETERS_BUILD
        {
            let text = format!(
                "[{}] is for builds from {build}: the filter manager reads the instances below Parameters \
                 from build {PARAMETERS_BUILD}",
                install.section.name
            );
            said.push(at(install.section.line, text).seen(1323));
        }
    }
    let number = installs.iter().filter(|it| is(Systems::All)(it)).count();
    let missing = match installs.first() {
        Some(first) if number == installs.len() => Some((first, "from")),
        Some(first) if number == 0 => Some((first, "before")),
        _ => None,
    };
    if let Some((first, systems)) = missing {
        let text = format!(
            "there is no install section only for systems {systems} build {PARAMETERS_BUILD}: from that build, the \
             filter manager reads the instances below Parameters, and before that build beside Parameters"
        );
        said.push(at(first.section.line, text));
    }
    said
}

pub fn services_sections(package: &Package) -> Said {
    let mut said = vec![];
    for (kind, services) in [
        (Kind::Install, Kind::InstallServices),
        (Kind::Uninstall, Kind::UninstallServices),
    ] {
        for section in package.all(kind) {
            let name = format!("{}.Services", section.name);
            if package.inf.section(&name).is_none() {
                let text = format!("[{}] has no matching section [{name}]", section.name);
                said.push(at(section.line, text));
            }
        }
        for section in package.all(services) {
            let name = without_services(&section.name);
            if package.inf.section(name).is_none() {
                let text = format!("[{}] has no matching section [{name}]", section.name);
                said.push(at(section.line, text).seen(2083));
            }
        }
    }
    said
}
