//! The matrix is derived from the declared options.

use std::{collections::BTreeSet, fs};

use xtask::{
    checks::matrix::{
        self,
        combinations::{Axis, chosen},
        snapshot,
    },
    commands::options,
};

#[test]
fn a_new_option_is_in_the_matrix() {
    let declared = fs::read_to_string(xtask::repository().join("cargo-generate.toml")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cargo-generate.toml");
    let dummy = "[placeholders.dummy]\ntype = \"bool\"\nprompt = \"Dummy\"\ndefault = false\n";
    fs::write(&file, format!("{declared}\n{dummy}")).unwrap();

    let axes: Vec<_> = options::declared_in(&file)
        .unwrap()
        .iter()
        .map(Axis::of)
        .collect();
    let combinations = chosen(&axes);
    let with = |answer: &str| {
        let answer = ("dummy".to_owned(), answer.to_owned());
        combinations
            .iter()
            .filter(|it| it.answers.contains(&answer))
            .count()
    };
    assert!(with("true") > 0 && with("false") > 0);
    // The new option is combined with every answer of every other option.
    for axis in &axes {
        for value in &axis.values {
            let pair = [
                ("dummy".to_owned(), "true".to_owned()),
                (axis.name.clone(), value.clone()),
            ];
            let there = combinations
                .iter()
                .any(|it| pair.iter().all(|answer| it.answers.contains(answer)));
            assert!(there || axis.name == "dummy", "{pair:?}");
        }
    }
}

/// The nightly run tries all of them.
#[test]
fn options_of_the_same_file_are_combined_and_the_others_are_not() {
    let axes: Vec<_> = options::declared().unwrap().iter().map(Axis::of).collect();
    let all = matrix::all(&axes).unwrap();
    assert!(all.len() < 3000, "{}", all.len());
    let with = |answers: &[(&str, &str)]| {
        all.iter().any(|it| {
            answers
                .iter()
                .all(|(name, value)| it.answers.contains(&((*name).into(), (*value).into())))
        })
    };
    // src/unload.rs, src/operations.rs and src/instance.rs.
    for operation in ["read", "file-system-control", "shutdown"] {
        for flag in ["true", "false"] {
            assert!(with(&[
                ("unload_policy", "always"),
                ("service_stop", flag),
                ("control_device", "true"),
            ]));
            assert!(with(&[
                ("operations", operation),
                ("bypass_io", "veto"),
                ("parameters", flag)
            ]));
            assert!(with(&[
                ("operations", operation),
                ("dev_drive", "skip"),
                ("parameters", flag)
            ]));
        }
    }
}

#[test]
fn every_combination_answers_every_option() {
    let axes: Vec<_> = options::declared().unwrap().iter().map(Axis::of).collect();
    let names: Vec<_> = axes.iter().map(|axis| axis.name.as_str()).collect();
    for combination in chosen(&axes) {
        let answered: Vec<_> = combination
            .answers
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        assert_eq!(answered, names);
    }
}

/// The snapshot shows a reviewer what a change emits, so it must match what is emitted.
#[test]
fn the_snapshot_is_what_is_emitted() {
    let axes: Vec<_> = options::declared().unwrap().iter().map(Axis::of).collect();
    let (kept, emitted) = (snapshot::kept().unwrap(), snapshot::emitted(&axes).unwrap());
    let drifted: Vec<_> = kept
        .keys()
        .chain(emitted.keys())
        .filter(|name| kept.get(*name) != emitted.get(*name))
        .collect::<BTreeSet<_>>()
        .into_iter()
        .map(|name| name.display().to_string())
        .collect();
    assert!(
        drifted.is_empty(),
        "ci/snapshot differs from what is emitted. If the change is intended, run `cargo xtask matrix --snapshot` \
         and commit the result. These files differ:\n{}",
        drifted.join("\n")
    );
}
