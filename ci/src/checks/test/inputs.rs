//! Which files each stage and each test program reads, and so what a change can affect.

use std::{collections::BTreeSet, process::Command};

use anyhow::{Context, ensure};

use crate::repository;

/// What a project is emitted from.
const EMITTED: [&str; 4] = [
    "cargo-generate.toml",
    "ci/tools/cargo-generate/",
    "hooks/",
    "template/",
];

/// What every test program is compiled from.
const PROGRAM: [&str; 6] = [
    ".cargo/",
    "ci/Cargo.lock",
    "ci/Cargo.toml",
    "ci/build.rs",
    "ci/src/",
    "ci/tests/emitting/",
];

/// What nothing reads.
const UNREAD: [&str; 6] = [
    ".ci/",
    ".gitattributes",
    ".gitignore",
    "CONTRIBUTING.md",
    "LICENSE-APACHE",
    "LICENSE-MIT",
];

/// What a stage reads. Those of the stage `template` are its programs'.
const STAGES: [(&str, &[&str]); 10] = [
    ("format", &["ci/"]),
    ("bench-format", &["template/testbench/"]),
    ("lint", &["ci/", "template/testbench/"]),
    ("bench-lint", &["template/testbench/"]),
    ("bench-windows", &["template/testbench/"]),
    ("bench", &["template/testbench/"]),
    (
        "unit",
        &[
            "ci/Cargo",
            "ci/build.rs",
            "ci/openwdk/",
            "ci/src/",
            "cargo-generate.toml",
            "hooks/",
            "template/",
        ],
    ),
    ("template", &[]),
    (
        "matrix",
        &[
            "ci/Cargo",
            "ci/build.rs",
            "ci/files.toml",
            "ci/openwdk/",
            "ci/src/",
            "ci/tools/cargo-generate/",
            "cargo-generate.toml",
            "hooks/",
            "template/",
        ],
    ),
    (
        "hostile",
        &[
            "ci/Cargo",
            "ci/build.rs",
            "ci/src/",
            "cargo-generate.toml",
            "hooks/",
            "template/",
        ],
    ),
];

/// What a test program reads besides [`PROGRAM`] and the file and folder of its name, and whether it emits projects.
const PROGRAMS: [(&str, bool, &[&str]); 23] = [
    ("author", true, &["ci/openwdk/", "ci/tests/example.toml"]),
    (
        "bench_c",
        false,
        &["ci/openwdk/", "ci/tests/drivers/", "template/testbench/"],
    ),
    ("broken", true, &["ci/openwdk/", "ci/tests/broken.toml"]),
    ("emission", true, &["README.md"]),
    ("follow", true, &["CHANGELOG.md", "ci/versions.toml"]),
    ("hostile", true, &[]),
    ("inf", true, &["ci/openwdk/", "ci/tests/broken_inf.toml"]),
    ("inf_verb", true, &["ci/tests/broken_inf.toml"]),
    ("kit", true, &[]),
    ("layer", true, &["ci/openwdk/", "ci/tests/example.toml"]),
    ("matrix", true, &["ci/files.toml", "ci/snapshot/"]),
    ("mutate", true, &["ci/mutants.toml", "ci/openwdk/"]),
    ("openwdk", false, &["ci/openwdk/"]),
    (
        "pipeline",
        true,
        &[".github/", "ci/openwdk/", "ci/snapshot/", "ci/tools/"],
    ),
    ("project", true, &["ci/imports.toml", "ci/openwdk/"]),
    ("record", true, &[]),
    ("refusals", true, &[]),
    ("render", true, &[]),
    ("scripts", false, &["template/scripts/"]),
    ("structure", true, &["ci/snapshot/"]),
    ("terminal", true, &[]),
    ("traces", true, &[]),
    ("versions", true, &["CHANGELOG.md", "ci/versions.toml"]),
];

/// What a stage reads.
pub fn of_stage(stage: &str) -> Option<&'static [&'static str]> {
    STAGES
        .iter()
        .find(|(name, _)| *name == stage)
        .map(|(_, inputs)| *inputs)
}

/// The files that differ from a commit.
pub struct Changes {
    files: BTreeSet<String>,
}

impl Changes {
    /// The files of the working tree that differ from a commit, and those that git does not track and does not ignore.
    ///
    /// # Errors
    ///
    /// git is not there, or knows no such commit.
    pub fn since(revision: &str) -> anyhow::Result<Self> {
        let commit = format!("{revision}^{{commit}}");
        let known = git(&[
            "rev-parse",
            "--verify",
            "--quiet",
            "--end-of-options",
            &commit,
        ])?;
        let commit = known.lines().next().with_context(|| {
            format!(
                "--changed={revision}: git knows no such commit; name a branch, a tag or a hash"
            )
        })?;
        let changed = git(&["diff", "--name-only", "--no-renames", commit])?;
        let new = git(&["ls-files", "--others", "--exclude-standard"])?;
        Ok(Self {
            files: changed
                .lines()
                .chain(new.lines())
                .map(str::to_owned)
                .collect(),
        })
    }

    /// The changed files that something reads. A file that no table names may be read by anything.
    fn read(&self) -> impl Iterator<Item = &str> {
        let unread = |file: &&str| !UNREAD.iter().any(|place| file.starts_with(place));
        self.files.iter().map(String::as_str).filter(unread)
    }

    /// Whether a stage reads one of the files.
    pub fn affect_stage(&self, stage: &str) -> bool {
        if stage == "template" {
            return !self.programs().is_empty();
        }
        let inputs = of_stage(stage).unwrap_or_default();
        self.read()
            .any(|file| is_unknown(file) || inputs.iter().any(|place| file.starts_with(place)))
    }

    /// Whether a test program reads one of the files.
    pub fn affect_program(&self, program: &str) -> bool {
        let row = PROGRAMS.iter().find(|(name, ..)| *name == program);
        self.read().any(|file| {
            is_unknown(file)
                || row.is_none_or(|(name, emits, more)| reads(name, *emits, more, file))
        })
    }

    /// The test programs that read one of the files.
    pub fn programs(&self) -> Vec<&'static str> {
        PROGRAMS
            .iter()
            .map(|(name, ..)| *name)
            .filter(|name| self.affect_program(name))
            .collect()
    }
}

fn reads(program: &str, emits: bool, more: &[&str], file: &str) -> bool {
    let emitted: &[&str] = if emits { &EMITTED } else { &[] };
    let its_own = file
        .strip_prefix("ci/tests/")
        .and_then(|rest| rest.strip_prefix(program))
        .is_some_and(|rest| rest == ".rs" || rest.starts_with('/'));
    let mut places = PROGRAM.iter().chain(emitted).chain(more);
    its_own || places.any(|place| file.starts_with(place))
}

/// Whether no table names a file.
fn is_unknown(file: &str) -> bool {
    let by_stage = STAGES.iter().flat_map(|(_, inputs)| *inputs);
    let by_program = PROGRAMS
        .iter()
        .any(|(name, emits, more)| reads(name, *emits, more, file));
    !by_program && !by_stage.into_iter().any(|place| file.starts_with(place))
}

fn git(arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new("git")
        .args(["-c", "core.quotePath=false"])
        .args(arguments)
        .current_dir(repository())
        .output()
        .context("git cannot be started, and --changed asks it what changed")?;
    ensure!(
        output.status.success() || arguments.contains(&"--verify"),
        "git {} failed: {}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8(output.stdout)?)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn changes(files: &[&str]) -> Changes {
        Changes {
            files: files.iter().map(ToString::to_string).collect(),
        }
    }

    fn stages(files: &[&str]) -> Vec<&'static str> {
        let changes = changes(files);
        let names = STAGES.iter().map(|(name, _)| *name);
        names.filter(|name| changes.affect_stage(name)).collect()
    }

    #[test]
    fn a_change_affects_what_reads_it() {
        assert_eq!(stages(&["CONTRIBUTING.md"]), [""; 0]);
        assert_eq!(changes(&["README.md"]).programs(), ["emission"]);
        assert_eq!(stages(&[".github/dependabot.yml"]), ["template"]);
        assert_eq!(
            changes(&[".github/dependabot.yml"]).programs(),
            ["pipeline"]
        );
        assert_eq!(
            changes(&["ci/tests/inf.rs"]).programs(),
            ["inf"],
            "a test program reads its own file"
        );
        assert_eq!(stages(&["ci/tests/inf.rs"]), ["format", "lint", "template"]);
        assert_eq!(
            stages(&["hooks/pre.rhai"]),
            ["unit", "template", "matrix", "hostile"]
        );
        let everything = STAGES.map(|(name, _)| name);
        assert_eq!(stages(&["a-new-file"]), everything);
        assert_eq!(changes(&["a-new-file"]).programs().len(), PROGRAMS.len());
    }

    #[test]
    fn every_test_program_has_a_row() {
        let mut programs: Vec<String> = fs::read_dir(repository().join("ci/tests"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| {
                path.extension().is_some_and(|it| it == "rs") || path.join("main.rs").is_file()
            })
            .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
            .collect();
        programs.sort();
        assert_eq!(programs, PROGRAMS.map(|(name, ..)| name));
    }

    #[test]
    fn an_unknown_commit_is_refused() {
        let refused = Changes::since("no-such-branch").map(drop).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "--changed=no-such-branch: git knows no such commit; name a branch, a tag or a hash"
        );
    }
}
