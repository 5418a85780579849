//! Rules for files: sources, destinations and deletion.

use super::{
    breach::{Said, at},
    package::{DRIVER_STORE, Kind, Package},
};
use crate::commands::inf::reader::Section;

/// The lists of files that are copied or deleted.
fn lists<'a>(package: &Package<'a>) -> Vec<&'a Section> {
    [Kind::CopiedFiles, Kind::DeletedFiles]
        .map(|kind| package.all(kind))
        .concat()
}

pub fn destinations(package: &Package) -> Said {
    let mut said = vec![];
    // `sections-found` reports a missing section.
    if package.all(Kind::Destinations).is_empty() {
        return said;
    }
    for list in lists(package) {
        let Some(destination) = package.destination(&list.name) else {
            let text = format!("[DestinationDirs] has no {}", list.name);
            said.push(at(list.line, text).seen(1275));
            continue;
        };
        let folder = destination.value(1).trim_matches('\\');
        let elsewhere = list
            .entries
            .iter()
            .map(|entry| entry.value(0))
            .find(|file| {
                package.source(file).is_some()
                    && !package.source_folder(file).eq_ignore_ascii_case(folder)
            });
        if let Some(file) = elsewhere.filter(|_| destination.value(0) == DRIVER_STORE) {
            let text = format!(
                "{file} is copied to the folder {folder:?} from {:?}: in the driver store, both must be the same",
                package.source_folder(file)
            );
            said.push(at(destination.line, text).seen(1100));
        }
    }
    said
}

pub fn driver_store(package: &Package) -> Said {
    let copied = package.all(Kind::CopiedFiles);
    let entries = package.entries(Kind::Destinations);
    entries
        .filter(|entry| {
            // Files that an earlier version of the driver copied elsewhere may be deleted there.
            entry.is("DefaultDestDir") || copied.iter().any(|list| entry.is(&list.name))
        })
        .filter(|entry| entry.value(0) != DRIVER_STORE)
        .map(|entry| {
            let text = format!(
                "the files of {} are copied to dirid {}: a primitive driver stays in the driver store, {DRIVER_STORE}",
                entry.key.as_deref().unwrap_or_default(),
                entry.value(0)
            );
            at(entry.line, text).seen(1322)
        })
        .collect()
}

pub fn sources(package: &Package) -> Said {
    let mut said = vec![];
    if package.all(Kind::DiskFiles).is_empty() || package.all(Kind::DiskNames).is_empty() {
        return said;
    }
    let listed = package.entries(Kind::CopiedFiles).map(|entry| {
        let names = [entry.value(1), entry.value(0)];
        let name = names.into_iter().find(|name| !name.is_empty());
        (entry.line, name.unwrap_or_default())
    });
    let alone = package
        .installs()
        .into_iter()
        .flat_map(|install| install.section.all("CopyFiles"))
        .flat_map(|entry| entry.values.iter().map(|name| (entry.line, name)))
        .filter_map(|(line, name)| Some((line, name.strip_prefix('@')?)));
    for (line, file) in listed.chain(alone) {
        if package.source(file).is_none() {
            let text = format!("{file} is copied but not listed in [SourceDisksFiles]");
            said.push(at(line, text).seen(1230));
        }
    }
    for entry in package.entries(Kind::DiskFiles) {
        let (name, disk) = (entry.key.as_deref().unwrap_or_default(), entry.value(0));
        if disk.parse::<u32>().is_err() {
            let text = format!("{name} is on the disk {disk}, which is not a number");
            said.push(at(entry.line, text).seen(1008));
        } else if !package.entries(Kind::DiskNames).any(|it| it.is(disk)) {
            let text =
                format!("{name} is on the disk {disk}, which [SourceDisksNames] does not list");
            said.push(at(entry.line, text).seen(1273));
        }
    }
    for entry in package.entries(Kind::DiskNames) {
        let disk = entry.key.as_deref().unwrap_or_default();
        if disk.parse::<u32>().is_err() {
            let text = format!("the disk {disk} is not a number");
            said.push(at(entry.line, text).seen(1008));
        }
    }
    said
}

pub fn used(package: &Package) -> Said {
    let mut said = vec![];
    let installs = package.installs();
    for entry in package.entries(Kind::Destinations) {
        let name = entry.key.as_deref().unwrap_or_default();
        let is_used = lists(package)
            .iter()
            .any(|list| list.name.eq_ignore_ascii_case(name));
        if !is_used && !name.eq_ignore_ascii_case("DefaultDestDir") {
            let text = format!("[DestinationDirs] {name} is not a list of files");
            said.push(at(entry.line, text));
        }
    }
    for entry in package.entries(Kind::DiskFiles) {
        let name = entry.key.as_deref().unwrap_or_default();
        let is_copied = installs.iter().any(|install| install.has_file(name))
            || package
                .entries(Kind::CopiedFiles)
                .any(|copied| copied.value(1).eq_ignore_ascii_case(name));
        // `catalog` reports a catalog.
        if !is_copied && !name.to_lowercase().ends_with(".cat") {
            let text = format!("{name} is listed but not copied");
            said.push(at(entry.line, text));
        }
    }
    let is_listed = |disk: &str| package.entries(Kind::DiskNames).any(|it| it.is(disk));
    // A file whose disk is not listed, which `sources` reports, may be meant for an unused disk.
    let mut files = package.entries(Kind::DiskFiles);
    if files.any(|file| !is_listed(file.value(0))) {
        return said;
    }
    for entry in package.entries(Kind::DiskNames) {
        let disk = entry.key.as_deref().unwrap_or_default();
        let mut files = package.entries(Kind::DiskFiles).peekable();
        if files.peek().is_some() && !files.any(|file| file.value(0) == disk) {
            let text = format!("there is no file on the disk {disk}");
            said.push(at(entry.line, text));
        }
    }
    said
}

/// Windows itself removes files from the driver store. `sections-shared` reports a list that is also copied.
pub fn deleted(package: &Package) -> Said {
    let lists = package.all(Kind::DeletedFiles).into_iter();
    lists
        .filter(|list| !package.kinds(list).contains(&Kind::CopiedFiles))
        .filter(|list| {
            let to = package.destination(&list.name);
            to.is_some_and(|to| to.value(0) == DRIVER_STORE)
        })
        .map(|list| {
            let text = format!(
                "DelFiles names [{}]: an INF must not delete files in the driver store",
                list.name
            );
            at(list.line, text).seen(1102)
        })
        .collect()
}

pub fn service_binary(package: &Package) -> Said {
    let mut said = vec![];
    for install in package.installs() {
        let Some(entry) = install
            .filter
            .as_ref()
            .and_then(|filter| filter.section?.entry("ServiceBinary"))
            .filter(|entry| !entry.value(0).is_empty())
        else {
            continue;
        };
        let binary = entry.value(0);
        let Some((dirid, path)) = binary
            .strip_prefix('%')
            .and_then(|rest| rest.split_once(r"%\"))
        else {
            let text = format!(
                "ServiceBinary {binary} is not a path below a dirid: write it as in %13%\\name.sys"
            );
            said.push(at(entry.line, text).seen(2085));
            continue;
        };
        if !install.has_path(package, dirid, path) {
            let text = format!("[{}] copies no file to {binary}", install.section.name);
            said.push(at(entry.line, text).documented(2084));
        }
    }
    said
}
