//! The merge of two changes of a `Cargo.lock`, package by package: by lines, packages that are near each other are in
//! conflict, and cargo reads no file with a conflict.

use std::collections::{BTreeMap, BTreeSet};

use cargo_lock::{Dependency, Lockfile, Package, package::SourceId};
use semver::Version;

/// The name of the file.
pub const FILE: &str = "Cargo.lock";

/// What distinguishes a package. The version of a package in the project itself can change.
type Key = (String, Option<SourceId>, Option<Version>);

/// Merges. `None` if a text is no lock file, or if the result would lack a package.
#[must_use]
pub fn merged(base: &str, ours: &str, theirs: &str) -> Option<String> {
    let parsed = |text: &str| text.parse::<Lockfile>().ok();
    let (base, ours, mut whole) = (parsed(base)?, parsed(ours)?, parsed(theirs)?);
    let (base, ours, theirs) = (by_key(&base), by_key(&ours), by_key(&whole));
    let keys: BTreeSet<&Key> = base
        .keys()
        .chain(ours.keys())
        .chain(theirs.keys())
        .collect();
    let packages = keys.into_iter().filter_map(|key| {
        package(
            base.get(key).copied(),
            ours.get(key).copied(),
            theirs.get(key).copied(),
        )
    });
    let packages: Vec<Package> = packages.collect();
    whole.packages = packages
        .iter()
        .map(|package| with_known_dependencies(package, &packages))
        .collect::<Option<_>>()?;
    whole.packages.sort();
    Some(whole.to_string())
}

fn by_key(file: &Lockfile) -> BTreeMap<Key, &Package> {
    let packages = file.packages.iter().map(|it| {
        let version = it.source.as_ref().map(|_| it.version.clone());
        ((it.name.to_string(), it.source.clone(), version), it)
    });
    packages.collect()
}

/// A package of the result, if it has it.
fn package(
    base: Option<&Package>,
    ours: Option<&Package>,
    theirs: Option<&Package>,
) -> Option<Package> {
    if ours == base {
        return theirs.cloned();
    }
    if theirs == base {
        return ours.cloned();
    }
    let (Some(ours), Some(theirs)) = (ours, theirs) else {
        return ours.or(theirs).cloned();
    };
    let mut whole = ours.clone();
    if base.is_some_and(|base| base.version == ours.version) {
        whole.version = theirs.version.clone();
    }
    let is_old = |it: &&Dependency| base.is_some_and(|base| base.dependencies.contains(it));
    let in_both = ours.dependencies.iter();
    let in_both = in_both.filter(|it| is_old(it) && theirs.dependencies.contains(it));
    let new = ours.dependencies.iter().chain(&theirs.dependencies);
    let new = new.filter(|it| !is_old(it));
    let all: BTreeSet<&Dependency> = in_both.chain(new).collect();
    whole.dependencies = all.into_iter().cloned().collect();
    Some(whole)
}

/// A package whose dependencies are among the others: one that the other side has updated is replaced by its new version.
fn with_known_dependencies(package: &Package, all: &[Package]) -> Option<Package> {
    let known = |dependency: &Dependency| {
        if all.iter().any(|it| dependency.matches(it)) {
            return Some(dependency.clone());
        }
        let others = all.iter().filter(|it| {
            it.name == dependency.name && is_compatible(&it.version, &dependency.version)
        });
        others.max_by_key(|it| &it.version).map(Dependency::from)
    };
    let dependencies = package.dependencies.iter().map(known);
    let dependencies: BTreeSet<Dependency> = dependencies.collect::<Option<_>>()?;
    Some(Package {
        dependencies: dependencies.into_iter().collect(),
        ..package.clone()
    })
}

/// Whether cargo takes one version for another.
fn is_compatible(new: &Version, old: &Version) -> bool {
    let part = |it: &Version| match (it.major, it.minor) {
        (0, 0) => (0, 0, it.patch),
        (0, minor) => (0, minor, 0),
        (major, _) => (major, 0, 0),
    };
    part(new) == part(old) && new >= old
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    /// A lock file: each package with its version and its dependencies. The first one is the project.
    fn lock(packages: &[(&str, &str, &[&str])]) -> String {
        let mut text = "version = 4\n".to_owned();
        for (at, (name, version, dependencies)) in packages.iter().enumerate() {
            let list: Vec<_> = dependencies
                .iter()
                .map(|it| format!(" \"{it}\",\n"))
                .collect();
            let _ = writeln!(
                text,
                "\n[[package]]\nname = \"{name}\"\nversion = \"{version}\""
            );
            if at != 0 {
                text += "source = \"registry+https://github.com/rust-lang/crates.io-index\"\n";
            }
            if !list.is_empty() {
                let _ = writeln!(text, "dependencies = [\n{}]", list.concat());
            }
        }
        let mut file: Lockfile = text.parse().unwrap();
        file.packages.sort();
        file.to_string()
    }

    #[test]
    fn packages_and_dependencies_of_both_sides_are_there() {
        let base = lock(&[("my-filter", "0.1.0", &["b"]), ("b", "1.0.0", &[])]);
        let ours = lock(&[
            ("my-filter", "2.0.0", &["a", "b"]),
            ("a", "0.3.1", &["b"]),
            ("b", "1.0.0", &[]),
        ]);
        let theirs = lock(&[
            ("my-filter", "0.1.0", &["b", "c"]),
            ("b", "1.0.7", &[]),
            ("c", "1.0.0", &[]),
        ]);
        let whole = lock(&[
            ("my-filter", "2.0.0", &["a", "b", "c"]),
            ("a", "0.3.1", &["b"]),
            ("b", "1.0.7", &[]),
            ("c", "1.0.0", &[]),
        ]);
        assert_eq!(merged(&base, &ours, &theirs).as_deref(), Some(&*whole));
    }

    #[test]
    fn what_one_side_removes_is_gone() {
        let base = lock(&[
            ("my-filter", "0.1.0", &["a", "b"]),
            ("a", "1.0.0", &[]),
            ("b", "1.0.0", &[]),
        ]);
        let ours = lock(&[("my-filter", "0.1.0", &["b"]), ("b", "1.0.0", &[])]);
        let theirs = lock(&[("my-filter", "0.1.0", &["a"]), ("a", "1.0.0", &[])]);
        let whole = lock(&[("my-filter", "0.1.0", &[])]);
        assert_eq!(merged(&base, &ours, &theirs).as_deref(), Some(&*whole));
    }

    #[test]
    fn a_result_that_cargo_does_not_read_is_none() {
        let base = lock(&[("my-filter", "0.1.0", &["b"]), ("b", "1.0.0", &[])]);
        let ours = lock(&[
            ("my-filter", "0.1.0", &["a", "b"]),
            ("a", "1.0.0", &["b"]),
            ("b", "1.0.0", &[]),
        ]);
        let theirs = lock(&[("my-filter", "0.1.0", &["b"]), ("b", "2.0.0", &[])]);
        assert_eq!(merged(&base, &ours, &theirs), None);
        assert_eq!(merged(&base, "<<<<<<<", &theirs), None);
    }
}
