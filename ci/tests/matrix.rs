//! The matrix derives itself: what is declared is tried.

use std::fs;

use xtask::{
    matrix::{
        checks::Emitted,
        combinations::{Axis, Reason, chosen},
    },
    options,
};

#[test]
fn an_option_that_was_just_declared_is_in_the_matrix() {
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
    // With every answer of every other option.
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

/// What `cargo xtask matrix` looks through first, without the pairs: no file too many, none too few.
#[test]
fn each_option_alone_gives_the_files_that_it_calls_for() {
    let axes: Vec<_> = options::declared().unwrap().iter().map(Axis::of).collect();
    for combination in chosen(&axes) {
        if combination.reason != Reason::Pairs {
            let checked = Emitted::new(&combination).and_then(|it| it.check(&combination));
            assert!(checked.is_ok(), "{:?}: {checked:?}", combination.answers);
        }
    }
}
