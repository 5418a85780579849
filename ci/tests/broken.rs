//! Tests that the bench finds each broken driver in `broken.toml` by its rule and no other, and finds
//! nothing in the correct drivers there.

mod emitting;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::PathBuf,
};

use emitting::windows::Windows;
use serde_json::Value;
use tempfile::TempDir;
use xtask::{
    changes::Changed,
    checks::driver,
    commands::new,
    openwdk::target::{Arch, Profile},
};

/// A project with changes, and the rule that finds them, or `None` for a correct driver.
struct Case {
    changed: Changed,
    rule: Option<String>,
}

/// The cases of `broken.toml`, and each project that they change without a change: the correct counterpart.
fn cases() -> Vec<Case> {
    let text = fs::read_to_string(xtask::repository().join("ci/tests/broken.toml")).unwrap();
    let table: toml::Table = toml::from_str(&text).unwrap();
    let lists: Vec<_> = table.keys().map(String::as_str).collect();
    assert_eq!(lists, ["driver", "good"]);
    let mut cases = Vec::new();
    for (list, entries) in table {
        let entries: Vec<toml::Table> = entries.try_into().unwrap();
        for mut entry in entries {
            let rule = entry.remove("rule").map(|rule| rule.try_into().unwrap());
            let changed: Changed = entry.try_into().unwrap();
            assert_eq!(rule.is_some(), list == "driver", "{}", changed.name);
            cases.push(Case { changed, rule });
        }
    }
    let answers: BTreeSet<_> = cases
        .iter()
        .map(|case| case.changed.answers.clone())
        .collect();
    for (number, answers) in answers.into_iter().enumerate() {
        let changed = Changed {
            name: format!("unchanged-{number}"),
            answers,
            edit: Vec::new(),
        };
        cases.push(Case {
            changed,
            rule: None,
        });
    }
    cases
}

/// Fails with every change that does not apply to the project that it is for.
fn must_apply(cases: &[Case]) {
    let mut projects = BTreeMap::new();
    let mut wrong = String::new();
    for Case { changed, .. } in cases {
        let mut files = projects
            .entry(&changed.answers)
            .or_insert_with(|| emitting::rendered(&changed.given()))
            .clone();
        for edit in &changed.edit {
            let text = files.get(&edit.file).cloned().unwrap_or_default();
            let text = String::from_utf8(text).unwrap();
            match edit.apply_to(&text) {
                Ok(text) => drop(files.insert(edit.file.clone(), text.into_bytes())),
                Err(error) => {
                    let _ = writeln!(wrong, "broken.toml, {}: {error}", changed.name);
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// Builds all drivers, in one project for each set of answers, so that cargo compiles little more
/// than the change. Each `.sys` is in a folder of its own, beside the expectations of its project.
fn build_all(cases: &[Case], folder: &TempDir) -> Vec<PathBuf> {
    let mut projects = BTreeMap::new();
    let mut built = Vec::new();
    for (number, Case { changed, .. }) in cases.iter().enumerate() {
        let project = projects.entry(&changed.answers).or_insert_with(|| {
            let parent = folder.path().join(number.to_string());
            fs::create_dir(&parent).unwrap();
            new::emit("my-filter", &changed.given(), &parent).unwrap()
        });
        println!("building {}", changed.name);
        let applied = changed.apply(project).unwrap();
        let sys = driver::build(project, Profile::Release, Arch::Amd64)
            .unwrap_or_else(|error| panic!("{}: {error:#}", changed.name));
        let folder = project.join(&changed.name);
        fs::create_dir(&folder).unwrap();
        let expectations = "testbench.toml";
        fs::copy(project.join(expectations), folder.join(expectations)).unwrap();
        drop(applied);
        let own = folder.join(&changed.name).with_extension("sys");
        fs::copy(sys, &own).unwrap();
        built.push(own);
    }
    built
}

/// The rules of the findings, each with the finding.
fn rules(report: &Value) -> BTreeMap<&str, String> {
    let findings = report["findings"].as_array().unwrap().iter();
    findings
        .map(|finding| (finding["rule"].as_str().unwrap(), finding.to_string()))
        .collect()
}

#[test]
fn each_driver_is_found_only_by_its_rule_here_and_under_wine() {
    let cases = cases();
    let names: BTreeSet<_> = cases.iter().map(|case| &case.changed.name).collect();
    assert_eq!(names.len(), cases.len(), "two drivers have the same name");

    must_apply(&cases);
    let folder = emitting::folder();
    let built = build_all(&cases, &folder);
    let reports: Vec<_> = built
        .iter()
        .map(|sys| driver::judge_as_expected(sys).unwrap())
        .collect();
    let mut wrong = String::new();
    for (case, report) in cases.iter().zip(&reports) {
        let found = rules(report);
        if !found.keys().eq(case.rule.iter()) {
            let _ = writeln!(
                wrong,
                "{}: expected {:?}, found {:?}\n{}",
                case.changed.name,
                case.rule,
                found.keys(),
                found.values().cloned().collect::<Vec<_>>().join("\n")
            );
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    let drivers = built.iter().map(PathBuf::as_path);
    Windows::new().assert_agrees(drivers.zip(&reports));
}
