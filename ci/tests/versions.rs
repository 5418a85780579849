//! The versions of the template: what is released stays as it is.

use std::fs;

use xtask::{
    checks::versions::{self, digest, judged},
    commands::new::record::template_version,
};

#[test]
fn a_released_version_emits_what_it_emitted() {
    let versions = versions::read().unwrap();
    let last = versions.last().unwrap();
    assert_eq!(
        last.number,
        template_version().unwrap(),
        "hooks/version.rhai and the last version in ci/versions.toml"
    );
    if let Some(released) = &last.digest {
        assert!(
            digest(&xtask::repository()).unwrap() == *released,
            "what is emitted has changed since version {} was released: start the next version, as CONTRIBUTING.md says",
            last.number
        );
    }
}

#[test]
fn each_version_has_its_changes_listed() {
    let changes = fs::read_to_string(xtask::repository().join("CHANGELOG.md")).unwrap();
    for version in versions::read().unwrap() {
        let head = if version.released {
            format!("## {}, released 20", version.number)
        } else {
            format!("## {}, not released", version.number)
        };
        assert!(
            changes.lines().any(|line| line.starts_with(&head)),
            "{head}"
        );
    }
}

#[test]
fn a_byte_in_the_template_changes_the_digest() {
    let copy = xtask::commands::new::staged().unwrap();
    let before = digest(copy.path()).unwrap();
    assert_eq!(before, digest(&xtask::repository()).unwrap());
    let file = copy.path().join("template/src/lib.rs");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text + "\n").unwrap();
    assert_ne!(before, digest(copy.path()).unwrap());
}

#[test]
fn a_wrong_list_of_versions_is_refused() {
    let entry = |number: &str, released: bool, digest: bool, commit: bool| -> String {
        let mut text = format!("[[version]]\nnumber = \"{number}\"\nreleased = {released}\n");
        if digest {
            text += "digest = \"0\"\n";
        }
        if commit {
            let commit = "0".repeat(40);
            text = format!("{text}commit = \"{commit}\"\n");
        }
        text
    };
    let released = entry("0.1.0", true, true, true);
    let next = entry("0.2.0", false, false, false);
    judged(&format!("{released}{next}")).unwrap();
    judged(&entry("0.1.0", true, true, false)).unwrap();
    for (text, rule) in [
        (
            format!("{released}{}", entry("0.1.0", false, false, false)),
            "0.1.0 stands before an older version",
        ),
        (
            format!("{}{next}", entry("0.1.0", false, false, false)),
            "0.1.0 is not released, and another version follows it",
        ),
        (
            entry("0.1.0", true, false, false),
            "a released version has a digest",
        ),
        (
            entry("0.1.0", false, true, false),
            "a released version has a digest",
        ),
        (
            format!("{}{next}", released.replace(&"0".repeat(40), "12")),
            "a commit is 40 hexadecimal digits",
        ),
        (released, "is entered when the next version starts"),
        (
            entry("0.1", true, true, false),
            "ci/versions.toml is not understood",
        ),
    ] {
        let refusal = format!("{:#}", judged(&text).unwrap_err());
        assert!(refusal.contains(rule), "{refusal}");
    }
}
