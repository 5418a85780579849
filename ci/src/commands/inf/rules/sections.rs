//! Which sections there are, what they may say, and for which systems they are.

use std::collections::BTreeSet;

use super::{
    Said,
    package::{Decoration, Kind, PARAMETERS_BUILD, Package, target_build},
};
use crate::commands::inf::reader::Section;

pub fn encoding(package: &Package) -> Said {
    let mut said = vec![];
    for (number, line) in (1..).zip(package.inf.text.split_inclusive('\n')) {
        let Some(line) = line.strip_suffix("\r\n") else {
            let text = format!("line {number} does not end with carriage return and line feed");
            said.push((None, text));
            continue;
        };
        if let Some(other) = line
            .chars()
            .find(|character| !matches!(character, ' '..='~'))
        {
            let text =
                format!("line {number} has {other:?}: an INF in ANSI is printable ASCII here");
            said.push((Some(1003), text));
        }
    }
    said
}

/// It replaces `$ARCH$` wherever it stands.
pub fn stampinf(package: &Package) -> Said {
    let mut said = vec![];
    for (number, line) in (1..).zip(package.inf.text.lines()) {
        let heading = line.starts_with("[Default");
        if line.to_lowercase().contains("$arch$") && !(heading && line.contains("$ARCH$")) {
            let text = format!(
                "line {number}: {line}: $ARCH$ belongs, in capitals, into the names of install sections"
            );
            said.push((Some(1274), text));
        }
    }
    said
}

pub fn strings_used(package: &Package) -> Said {
    let strings = package.all(Kind::Strings);
    let entries = strings.iter().flat_map(|strings| &strings.entries);
    entries
        .filter_map(|entry| {
            let name = entry.key.as_ref()?;
            let used = package.inf.used_strings.contains(&name.to_lowercase());
            let text = format!("line {}: the string {name} is used nowhere", entry.line);
            (!used).then_some((None, text))
        })
        .collect()
}

/// Whether it is one of a device's or a device class's.
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
            let text = format!("a primitive driver has no section [{}]", section.name);
            (Some(1420), text)
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
                "line {}: {} names the section [{}], which is not there",
                reference.line, reference.directive, reference.name
            );
            said.push((Some(code), text));
        }
    }
    for name in [
        "SourceDisksNames",
        "SourceDisksFiles",
        "DestinationDirs",
        "Strings",
    ] {
        if package.inf.section(name).is_none() {
            said.push((None, format!("there is no section [{name}]")));
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
            (Some(2083), text)
        })
        .collect()
}

pub fn shared(package: &Package) -> Said {
    let mut said = vec![];
    for section in &package.inf.sections {
        let kinds = package.kinds(section);
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
        let code = if kinds.iter().all(|kind| files.contains(kind)) {
            1205
        } else {
            1206
        };
        let text = format!(
            "the section [{}] is named in different meanings, by {directives:?}",
            section.name
        );
        said.push((Some(code), text));
    }
    said
}

/// The directives of a section; `None` where its keys are names.
fn allowed(kind: Kind) -> Option<&'static [&'static str]> {
    Some(match kind {
        Kind::Version => &[
            "Signature",
            "Class",
            "ClassGuid",
            "Provider",
            "DriverVer",
            "CatalogFile",
            "PnpLockdown",
        ],
        // Registry values at HKR belong to the service: it has none of its own.
        Kind::Install => &["CopyFiles"],
        Kind::InstallServices => &["AddService"],
        Kind::Service => &[
            "DisplayName",
            "Description",
            "ServiceBinary",
            "ServiceType",
            "StartType",
            "ErrorControl",
            "LoadOrderGroup",
            "Dependencies",
            "AddReg",
        ],
        Kind::EventLog => &["AddReg"],
        // DelFiles has its own rule.
        Kind::Uninstall => &["LegacyUninstall", "DelFiles"],
        Kind::UninstallServices => &["DelService"],
        _ => return None,
    })
}

pub fn directives_allowed(package: &Package) -> Said {
    let mut said = vec![];
    for section in &package.inf.sections {
        let kinds = package.kinds(section);
        let Some(&kind) = kinds.first().filter(|_| kinds.len() == 1) else {
            continue;
        };
        for entry in &section.entries {
            let what = match (&entry.key, allowed(kind)) {
                (Some(key), _) if !kind.has_keys() => format!("{key} ="),
                (None, _) if kind.has_keys() => entry.values.join(","),
                (Some(key), Some(allowed))
                    if !allowed.iter().any(|it| it.eq_ignore_ascii_case(key)) =>
                {
                    key.clone()
                }
                _ => continue,
            };
            let text = format!(
                "line {}: {what} has no place in [{}] of a minifilter driver",
                entry.line, section.name
            );
            said.push((Some(1290), text));
        }
    }
    said
}

pub fn directives_required(package: &Package) -> Said {
    let stamped = !package.inf.text.contains("$ARCH$");
    let mut said = vec![];
    for section in &package.inf.sections {
        for kind in package.kinds(section) {
            let (code, required) = match kind {
                // The others have rules of their own.
                Kind::Version => (1234, &["Class", "ClassGuid", "Provider", "DriverVer"][..]),
                Kind::Uninstall => continue,
                kind => (1289, allowed(kind).unwrap_or_default()),
            };
            for directive in required {
                let may_be_empty = *directive == "DriverVer" && !stamped;
                let is_missing = match section.entry(directive) {
                    Some(entry) => !may_be_empty && entry.values.iter().all(String::is_empty),
                    None => true,
                };
                if is_missing {
                    let text = format!("[{}] has no {directive}", section.name);
                    said.push((Some(code), text));
                }
            }
        }
    }
    said
}

pub fn values(package: &Package) -> Said {
    let mut said = vec![];
    for section in &package.inf.sections {
        let kinds = package.kinds(section);
        let Some(&kind) = kinds.first().filter(|_| kinds.len() == 1) else {
            continue;
        };
        // Directives that are empty have rules of their own.
        let are_directives = allowed(kind).is_some();
        for entry in &section.entries {
            let key = entry.key.as_deref().unwrap_or_default();
            let (least, most) = number_of_values(kind, &key.to_lowercase());
            let found = entry.values.len();
            let is_empty = entry.values.iter().all(String::is_empty);
            let what = entry.key.clone().unwrap_or_else(|| entry.values.join(","));
            let line = entry.line;
            if found > most {
                let text = format!("line {line}: {what} has {found} values, and takes {most}");
                said.push((Some(1201), text));
            } else if found < least || (is_empty && !are_directives) {
                said.push((Some(1006), format!("line {line}: {what} lacks a value")));
            }
        }
    }
    said
}

/// The least and the most.
fn number_of_values(kind: Kind, key: &str) -> (usize, usize) {
    match (kind, key) {
        // The folder below a destination has its own rule.
        (Kind::Version, "driverver") | (Kind::Destinations, _) => (1, 2),
        (Kind::InstallServices, _) => (3, 4),
        (Kind::UninstallServices, _) => (2, 2),
        (Kind::ServiceRegistry | Kind::EventRegistry, _) => (5, 5),
        (_, "copyfiles" | "delfiles" | "addreg" | "dependencies") => (1, usize::MAX),
        _ => (1, 1),
    }
}

/// The sections that are for a system.
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

pub fn architecture(package: &Package) -> Said {
    let mut said = vec![];
    let mut architectures = BTreeSet::new();
    for section in decorated(package) {
        if let Some(architecture) = Decoration::of(&section.name).architecture {
            architectures.insert(architecture.to_lowercase());
        } else {
            let text = format!(
                "[{}] names no architecture: it must be decorated as in .NT$ARCH$",
                section.name
            );
            said.push((Some(1421), text));
        }
    }
    let has_one = |section: &&Section| Decoration::of(&section.name).architecture.is_some();
    if !package.all(Kind::Install).iter().any(has_one) {
        let text = "there is no [DefaultInstall] section for an architecture";
        said.push((Some(1423), text.to_owned()));
    }
    if architectures.len() > 1 {
        let text = format!("the sections are for different architectures: {architectures:?}");
        said.push((None, text));
    }
    for architecture in architectures {
        if !["$arch$", "amd64", "arm64"].contains(&architecture.as_str()) {
            let text = format!("{architecture} is no architecture that the driver is built for");
            said.push((None, text));
        }
    }
    said
}

pub fn system_version(package: &Package) -> Said {
    let mut said = vec![];
    for section in decorated(package) {
        let Some(version) = Decoration::of(&section.name).version else {
            continue;
        };
        match target_build(version) {
            Ok(_) => {}
            Err(Some(build)) => said.push((
                Some(1288),
                format!(
                    "[{}] is for build {build}: a build in a name is at least 14310",
                    section.name
                ),
            )),
            Err(None) => said.push((
                Some(1287),
                format!(
                    "[{}] has the version {version}: write it as in 10.0...25952",
                    section.name
                ),
            )),
        }
    }
    said
}

/// One section for the filter managers that read the instances below `Parameters`, one for those before.
pub fn layouts(package: &Package) -> Said {
    let installs = package.installs();
    // The others are `system-version`'s.
    if installs.len() < package.all(Kind::Install).len() {
        return vec![];
    }
    let mut builds: Vec<_> = installs.iter().map(|install| install.build).collect();
    builds.sort_unstable();
    if builds == [None, Some(PARAMETERS_BUILD)] {
        return vec![];
    }
    let names: Vec<_> = installs.iter().map(|it| &it.section.name).collect();
    let text = format!(
        "the install sections are {names:?}: there must be one from build {PARAMETERS_BUILD} and one for earlier systems"
    );
    vec![(None, text)]
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
                let text = format!("[{}] has no [{name}] beside it", section.name);
                said.push((None, text));
            }
        }
        for section in package.all(services) {
            let name = &section.name[..section.name.len() - ".Services".len()];
            if package.inf.section(name).is_none() {
                let text = format!("[{}] has no [{name}] beside it", section.name);
                said.push((None, text));
            }
        }
    }
    said
}
