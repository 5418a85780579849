//! The bench can fail: drivers that are broken on purpose are found, each by its rule and no other,
//! and drivers that do the same things right are nobody's business. They stand in `broken.toml`.

mod emitting;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use emitting::windows::Windows;
use serde::Deserialize;
use serde_json::Value;
use tempfile::TempDir;
use xtask::{
    build::{self, Profile},
    new,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    /// Broken drivers.
    driver: Vec<Changed>,
    /// Drivers that are not.
    good: Vec<Changed>,
}

/// An emitted project with a change.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Changed {
    name: String,
    /// The rule that finds it; a good driver has none.
    rule: Option<String>,
    #[serde(default)]
    answers: BTreeMap<String, String>,
    edit: Vec<Edit>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Edit {
    file: String,
    find: String,
    replace: String,
}

impl Changed {
    /// Builds it in `project`, which is left as it was, and returns the `.sys` in a place of its own.
    fn build(&self, project: &Path) -> PathBuf {
        let mut originals = BTreeMap::new();
        for edit in &self.edit {
            let file = project.join(&edit.file);
            let text = fs::read_to_string(&file).unwrap();
            let times = text.matches(&edit.find).count();
            let (name, shown) = (&self.name, &edit.file);
            assert_eq!(
                times, 1,
                "{name}: this stands {times} times in {shown}:\n{}",
                edit.find
            );
            fs::write(&file, text.replace(&edit.find, &edit.replace)).unwrap();
            originals.entry(file).or_insert(text);
        }
        let built = build::build(project, Profile::Release);
        for (file, text) in originals {
            fs::write(file, text).unwrap();
        }
        let own = project.join(&self.name).with_extension("sys");
        fs::copy(
            built.unwrap_or_else(|error| panic!("{}: {error:#}", self.name)),
            &own,
        )
        .unwrap();
        own
    }
}

/// Builds all of them, in one project for each set of answers: cargo then compiles little more than
/// the change. Each lies beside the expectations of its project.
fn build_all(changed: &[Changed], folder: &TempDir) -> Vec<PathBuf> {
    let mut projects = BTreeMap::new();
    let mut built = Vec::new();
    for (number, driver) in changed.iter().enumerate() {
        let project = projects.entry(&driver.answers).or_insert_with(|| {
            let parent = folder.path().join(number.to_string());
            fs::create_dir(&parent).unwrap();
            let answers: Vec<_> = driver
                .answers
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect();
            new::emit("my-filter", &answers, &parent).unwrap()
        });
        println!("building {}", driver.name);
        built.push(driver.build(project));
    }
    built
}

/// What `cargo xtask verify` reports.
fn verify(sys: &Path) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(["verify", "--json"])
        .arg(sys)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let report: Value = serde_json::from_str(&said).unwrap_or_else(|error| {
        panic!(
            "{}: {error}\n{said}{}",
            sys.display(),
            String::from_utf8_lossy(&output.stderr)
        )
    });
    assert!(!report["expectations"].is_null(), "{}", sys.display());
    let status = i32::from(!report["findings"].as_array().unwrap().is_empty());
    assert_eq!(output.status.code(), Some(status), "{}", sys.display());
    report
}

/// The rules that are broken, with what the report says of each.
fn rules(report: &Value) -> BTreeMap<&str, String> {
    let findings = report["findings"].as_array().unwrap().iter();
    findings
        .map(|finding| (finding["rule"].as_str().unwrap(), finding.to_string()))
        .collect()
}

#[test]
fn each_is_found_by_its_rule_and_no_other_under_wine_as_well() {
    let text = fs::read_to_string(xtask::repository().join("ci/tests/broken.toml")).unwrap();
    let table: Table = toml::from_str(&text).unwrap();
    let changed: Vec<_> = table.driver.into_iter().chain(table.good).collect();
    let names: BTreeSet<_> = changed.iter().map(|driver| &driver.name).collect();
    assert_eq!(names.len(), changed.len(), "two drivers have one name");

    let folder = emitting::folder();
    let built = build_all(&changed, &folder);
    let reports: Vec<_> = built.iter().map(|sys| verify(sys)).collect();
    let mut wrong = String::new();
    for (driver, report) in changed.iter().zip(&reports) {
        let found = rules(report);
        if !found.keys().eq(driver.rule.iter()) {
            let _ = writeln!(
                wrong,
                "{}: to be found by {:?}, found by {:?}\n{}",
                driver.name,
                driver.rule,
                found.keys(),
                found.values().cloned().collect::<Vec<_>>().join("\n")
            );
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    let drivers = built.iter().map(PathBuf::as_path);
    Windows::new().assert_agrees(drivers.zip(&reports));
}
