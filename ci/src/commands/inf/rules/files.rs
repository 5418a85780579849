//! Which files are copied, where from and where to.

use super::{
    Said,
    package::{Kind, Package},
};

/// The folder of the package in the driver store, from which a primitive driver runs ("Using Dirids").
const DRIVER_STORE: &str = "13";

pub fn destinations(package: &Package) -> Said {
    let Some(destinations) = package.the(Kind::Destinations) else {
        return vec![];
    };
    let mut said = vec![];
    let lists = [Kind::CopiedFiles, Kind::DeletedFiles].map(|kind| package.all(kind));
    let lists = lists.concat();
    for list in &lists {
        if destinations.entry(&list.name).is_none() {
            let text = format!("[DestinationDirs] has no {}", list.name);
            said.push((Some(1275), text));
        }
    }
    for entry in &destinations.entries {
        let name = entry.key.as_deref().unwrap_or_default();
        if !lists
            .iter()
            .any(|list| list.name.eq_ignore_ascii_case(name))
        {
            let text = format!(
                "line {}: [DestinationDirs] {name} is no list of files",
                entry.line
            );
            said.push((None, text));
        }
        if entry.value(0) != DRIVER_STORE {
            let text = format!(
                "line {}: the files of {name} go to {}: a primitive driver stays in the driver store, {DRIVER_STORE}",
                entry.line,
                entry.value(0)
            );
            said.push((Some(1322), text));
        }
        if !entry.value(1).is_empty() {
            let text = format!(
                "line {}: the files of {name} go to {}, and lie beside the INF: in the driver store both are the same",
                entry.line,
                entry.value(1)
            );
            said.push((Some(1100), text));
        }
    }
    said
}

pub fn sources(package: &Package) -> Said {
    let (Some(files), Some(disks)) = (package.the(Kind::DiskFiles), package.the(Kind::DiskNames))
    else {
        return vec![];
    };
    let mut said = vec![];
    let copied: Vec<_> = package
        .all(Kind::CopiedFiles)
        .into_iter()
        .flat_map(|list| &list.entries)
        .collect();
    for entry in &copied {
        if files.entry(entry.value(0)).is_none() {
            let text = format!(
                "line {}: {} is copied and not listed in [SourceDisksFiles]",
                entry.line,
                entry.value(0)
            );
            said.push((Some(1230), text));
        }
    }
    for entry in &files.entries {
        let (name, disk) = (entry.key.as_deref().unwrap_or_default(), entry.value(0));
        if disk.parse::<u32>().is_err() {
            let text = format!(
                "line {}: {name} is on the disk {disk}, which is no number",
                entry.line
            );
            said.push((Some(1008), text));
        } else if disks.entry(disk).is_none() {
            let text = format!(
                "line {}: {name} is on the disk {disk}, which [SourceDisksNames] does not have",
                entry.line
            );
            said.push((Some(1273), text));
        }
        let is_copied = copied
            .iter()
            .any(|copied| copied.value(0).eq_ignore_ascii_case(name));
        // A catalog is `catalog`'s.
        if !is_copied && !name.to_lowercase().ends_with(".cat") {
            let text = format!("line {}: {name} is listed and not copied", entry.line);
            said.push((None, text));
        }
    }
    for entry in &disks.entries {
        let disk = entry.key.as_deref().unwrap_or_default();
        if disk.parse::<u32>().is_err() {
            let text = format!("line {}: the disk {disk} is no number", entry.line);
            said.push((Some(1008), text));
        } else if !files.entries.iter().any(|file| file.value(0) == disk) {
            let text = format!("line {}: there is no file on the disk {disk}", entry.line);
            said.push((None, text));
        }
    }
    said
}

/// Windows itself takes out of the driver store what it put there. A list that is copied, too, is `shared`'s.
pub fn deleted(package: &Package) -> Said {
    package
        .all(Kind::DeletedFiles)
        .into_iter()
        .filter(|list| !package.kinds(list).contains(&Kind::CopiedFiles))
        .map(|list| {
            let text = format!(
                "DelFiles names [{}]: files in the driver store are not an INF's to delete",
                list.name
            );
            (Some(1102), text)
        })
        .collect()
}

pub fn service_binary(package: &Package) -> Said {
    let mut said = vec![];
    for install in package.installs() {
        let Some(service) = install.service else {
            continue;
        };
        let Some(entry) = service.entry("ServiceBinary") else {
            continue;
        };
        let binary = entry.value(0);
        let Some((dirid, file)) = binary
            .strip_prefix('%')
            .and_then(|rest| rest.split_once(r"%\"))
        else {
            let text = format!(
                "line {}: ServiceBinary {binary} is no path below a folder's number: write %13%\\name.sys",
                entry.line
            );
            said.push((Some(2085), text));
            continue;
        };
        let is_copied = install.copied.iter().any(|list| {
            let destination = package
                .the(Kind::Destinations)
                .and_then(|destinations| destinations.value(&list.name));
            list.entries.iter().any(|entry| entry.value(0) == file)
                // Where there is no destination, or another, another rule says so.
                && (dirid == DRIVER_STORE || destination == Some(dirid))
        });
        if !is_copied {
            let text = format!(
                "line {}: [{}] copies no file to {binary}",
                entry.line, install.section.name
            );
            said.push((Some(2084), text));
        }
    }
    said
}
