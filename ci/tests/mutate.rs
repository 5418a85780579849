//! Mutants of the emitted driver are built and judged.

use serde_json::Value;
use xtask::checks::{
    matrix::{self, combinations},
    mutate::{
        JOBS, Run,
        equivalents::{self, Equivalent},
        judge::Verdict,
        report::Outcome,
    },
};

/// How many mutants are in the sample.
const SAMPLE: usize = 40;

/// The score of the sample, in percent. About twenty of its mutants are counted, so one is five percent.
const SCORE: f64 = 80.0;

/// The mutants of the project with the defaults.
fn defaults(entries: &str) -> anyhow::Result<Run> {
    let axes = matrix::axes()?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("mutants.toml");
    std::fs::write(&file, entries)?;
    Run::new(&[combinations::defaults(&axes)], equivalents::read(&file)?)
}

/// The entry for a mutant of which there is a verdict in data.
fn entry(mutant: &Value) -> String {
    let line = |key: &str| format!("{key} = {}\n", mutant[key]);
    let keys = ["file", "function", "find", "replace", "occurrence"];
    format!(
        "[[mutant]]\n{}reason = \"a test\"\n",
        keys.map(line).concat()
    )
}

fn verdicts(outcome: &Outcome) -> Vec<&Verdict> {
    outcome.tried.iter().map(|tried| &tried.verdict).collect()
}

#[test]
fn a_mutant_is_killed_or_has_the_same_code() {
    let mut run = defaults("").unwrap();
    run.keep(|it| {
        // Without this call, the driver never filters.
        let never_starts = it.function == "load" && it.find == "driver.start_filtering()?;";
        // Only the build script reads the text.
        let text = it.file == "src/messages.rs" && it.replace == r#""""#;
        it.operator == "delete" && never_starts || it.operator == "literal" && text
    });
    let outcome = run.judge(JOBS, None).unwrap();
    let verdicts = verdicts(&outcome);
    assert_eq!(
        *verdicts[0],
        Verdict::Killed(vec!["start-filtering".to_owned()])
    );
    assert!(verdicts.len() > 1);
    assert!(verdicts[1..].iter().all(|it| **it == Verdict::SameCode));

    // A killed mutant is not equivalent.
    let data = outcome.json();
    let mut run = defaults(&entry(&data["mutants"][0])).unwrap();
    run.keep(|it| it.find == "driver.start_filtering()?;" && it.replace.is_empty());
    let outcome = run.judge(JOBS, None).unwrap();
    assert_eq!(outcome.wrong_entries.len(), 1);
    assert!(!outcome.passed(0.0));
}

#[test]
fn a_list_of_equivalents_must_name_mutants() {
    let mut mutant = serde_json::json!({
        "file": "src/driver.rs",
        "function": "load",
        "find": "driver.start_filtering()?;",
        "replace": "",
        "occurrence": 1,
    });
    let refused = |text: &str| defaults(text).map(drop).unwrap_err().to_string();
    assert_eq!(
        refused(&entry(&mutant).repeat(2)),
        "ci/mutants.toml lists this mutant twice: \
         src/driver.rs, load: driver.start_filtering()?; →  (1)"
    );
    assert!(refused(&entry(&mutant).replace("a test", " ")).contains("has no reason"));
    mutant["occurrence"] = 2.into();
    assert_eq!(
        refused(&entry(&mutant)),
        "ci/mutants.toml lists mutants that do not exist; remove them or correct them:\n\
         src/driver.rs, load: driver.start_filtering()?; →  (2)"
    );
    let entries: Vec<Equivalent> =
        equivalents::read(&xtask::repository().join(equivalents::FILE)).unwrap();
    assert!(entries.iter().all(|entry| !entry.reason.is_empty()));
}

#[test]
fn a_sample_is_judged() {
    let sample = || {
        let mut run = Run::of_template().unwrap();
        run.sample(SAMPLE, 1);
        run
    };
    let outcome = sample().judge(JOBS, None).unwrap();
    let data = outcome.json();
    assert_eq!(data["tried"], SAMPLE);
    assert_eq!(data["seed"], 1);
    for mutant in data["mutants"].as_array().unwrap() {
        for key in ["file", "line", "column", "function", "operator", "verdict"] {
            assert!(!mutant[key].is_null(), "{key} of {mutant}");
        }
        let projects = mutant["projects"].as_array().unwrap();
        assert!(!projects.is_empty());
        let killed = mutant["verdict"] == "killed";
        assert_eq!(killed, mutant["rules"].is_array());
    }
    let all = outcome.all();
    assert!(all.killed > 0, "{data}");
    assert!(outcome.passed(SCORE), "{data}");
    // The verdicts are kept, and the seed repeats the sample.
    let again = sample().judge(JOBS, None).unwrap();
    assert_eq!(again.json(), data);
}
