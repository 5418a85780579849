//! What every combination of answers must pass.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    thread,
};

use anyhow::{Context, bail, ensure};
use object::{
    LittleEndian,
    pe::{IMAGE_FILE_MACHINE_ARM64, IMAGE_SUBSYSTEM_NATIVE},
    read::pe::PeFile64,
};
use serde::Deserialize;
use tempfile::TempDir;
use testbench::{Expectations, expect::ErrorLog};

use super::combinations::Combination;
use crate::{
    checks::{cache::Inputs, driver, render, tools},
    commands::{
        inf,
        new::{
            self,
            record::{self, ValuesFile},
        },
        options,
    },
    files_below,
    openwdk::target::{Arch, Profile},
    repository,
};

/// The name of the projects. Other tests vary the name.
pub const NAME: &str = "my-filter";

/// The content of `ci/files.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Files {
    always: BTreeSet<String>,
    each: BTreeMap<String, String>,
    when: BTreeMap<String, Vec<BTreeMap<String, Vec<String>>>>,
}

impl Files {
    fn read() -> anyhow::Result<Self> {
        let text = fs::read_to_string(repository().join("ci/files.toml"))?;
        toml::from_str(&text).context("ci/files.toml is not understood")
    }

    /// The files that a project with these answers has.
    fn of(self, answers: &BTreeMap<&str, &str>) -> BTreeSet<String> {
        let mut files = self.always;
        for (option, pattern) in &self.each {
            let items = answers
                .get(option.as_str())
                .into_iter()
                .flat_map(|list| list.split(','));
            files.extend(items.map(|item| pattern.replace("{}", &item.replace('-', "_"))));
        }
        for (file, alternatives) in self.when {
            let holds = |conditions: &BTreeMap<String, Vec<String>>| {
                conditions.iter().all(|(option, values)| {
                    answers.get(option.as_str()).is_some_and(|answer| {
                        answer
                            .split(',')
                            .any(|item| values.iter().any(|it| it == item))
                    })
                })
            };
            if alternatives.iter().any(holds) {
                files.insert(file);
            }
        }
        files
    }
}

/// An emitted project, in a temporary folder.
pub struct Emitted {
    project: PathBuf,
    folder: TempDir,
}

impl Emitted {
    /// Emits a project.
    ///
    /// # Errors
    ///
    /// The answers are refused.
    pub fn new(combination: &Combination) -> anyhow::Result<Self> {
        let folder = crate::scratch_folder()?;
        let project = new::emit(NAME, &combination.given(), folder.path())?;
        Ok(Self { project, folder })
    }

    /// The files of the project, without those of the test bench, which are the same in every project.
    ///
    /// # Errors
    ///
    /// Where one cannot be read.
    pub fn files(&self) -> anyhow::Result<BTreeMap<PathBuf, Vec<u8>>> {
        files_of(&self.project)
    }

    /// Emits the project with the released `cargo generate` as well, and compares that with the rendering.
    ///
    /// # Errors
    ///
    /// The file in which the two differ.
    pub fn compare_with_released(&self, combination: &Combination) -> anyhow::Result<()> {
        let source = new::staged()?;
        let from = source.path().to_string_lossy();
        let destination = self.folder.path().join("released");
        fs::create_dir(&destination)?;
        let mut released = tools::cargo_generate(["--path", &from], NAME, &destination)?;
        released.args(["--vcs", "none"]);
        for (name, value) in &combination.answers {
            released.arg("-d").arg(format!("{name}={value}"));
        }
        let output = released.output()?;
        ensure!(
            output.status.success(),
            "the released cargo-generate refuses it:\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
        render::compare(&destination.join(NAME), NAME, &combination.given())
            .context("the released cargo-generate")
    }

    /// A digest of the files that determine the driver's code.
    ///
    /// # Errors
    ///
    /// Where a file cannot be read.
    pub fn code(&self) -> anyhow::Result<String> {
        let mut inputs = Inputs::of("code");
        for (name, bytes) in sources(self.files()?)? {
            inputs = inputs.with(&name.to_string_lossy(), bytes);
        }
        Ok(inputs.digest())
    }

    /// The content of `testbench.toml`; `None` in a project without a test bench.
    ///
    /// # Errors
    ///
    /// Where it cannot be read.
    pub fn expectations(&self) -> anyhow::Result<Option<String>> {
        let file = self.project.join("testbench.toml");
        if !file.is_file() {
            return Ok(None);
        }
        Ok(Some(fs::read_to_string(file)?))
    }

    /// Runs the checks that need no build.
    ///
    /// # Errors
    ///
    /// The first check that fails.
    pub fn check(&self, combination: &Combination) -> anyhow::Result<()> {
        let given = combination.given();
        let answers = given
            .iter()
            .copied()
            .chain([("project-name", NAME)])
            .collect();
        let expected = Files::read()?.of(&answers);
        let files = self.files()?;
        let found: BTreeSet<String> = files
            .keys()
            .map(|path| path.to_string_lossy().replace('\\', "/"))
            .collect();
        let too_many: Vec<_> = found.difference(&expected).collect();
        let missing: Vec<_> = expected.difference(&found).collect();
        ensure!(
            too_many.is_empty() && missing.is_empty(),
            "by ci/files.toml, {too_many:?} should not be there, and {missing:?} should"
        );
        for (path, bytes) in files {
            let text = String::from_utf8(bytes)
                .with_context(|| format!("{} is not text", path.display()))?;
            let workflow = path.starts_with(".github");
            for left_over in ["{{", "{%", "%}"] {
                if text.contains(left_over) && !workflow {
                    bail!(
                        "{} holds {left_over}, which is the template's",
                        path.display()
                    );
                }
            }
            if path.extension().is_some_and(|extension| extension == "inx") {
                inf::check(&text, &answers)?;
            }
        }
        render::compare(&self.project, NAME, &given)?;
        self.check_record()
            .context("made again from its own template.toml")
    }

    /// Checks that the record of the project makes the same project.
    fn check_record(&self) -> anyhow::Result<()> {
        let options = options::declared()?;
        let record = ValuesFile::read(&options, &self.project.join(record::FILE))?;
        ensure!(record.name.as_deref() == Some(NAME), "the name is another");
        let version = record::template_version()?;
        ensure!(
            record.version.as_ref() == Some(&version),
            "the version is another"
        );
        let missing = record::new_options(&version, &record.answers, &options);
        ensure!(missing.is_empty(), "{}", missing.join("\n"));
        let answers = record.answers.iter();
        let answers: Vec<_> = answers
            .map(|(option, answer)| (option.as_str(), answer.as_str()))
            .collect();
        render::compare(&self.project, NAME, &answers)
    }
}

/// The files of a project, with `testbench/` as one entry and without build folders.
///
/// # Errors
///
/// Where one cannot be read.
pub fn files_of(project: &Path) -> anyhow::Result<BTreeMap<PathBuf, Vec<u8>>> {
    let mut files = BTreeMap::new();
    for name in files_below(project)? {
        if name.starts_with("testbench") {
            files.insert(PathBuf::from("testbench/"), Vec::new());
        } else {
            let bytes = fs::read(project.join(&name))?;
            files.insert(name, bytes);
        }
    }
    Ok(files)
}

/// Keeps the files of a project that determine the driver's code, and of Cargo.toml what cargo needs for it.
///
/// # Errors
///
/// Cargo.toml is not understood.
pub fn sources(
    mut files: BTreeMap<PathBuf, Vec<u8>>,
) -> anyhow::Result<BTreeMap<PathBuf, Vec<u8>>> {
    let manifest = files.remove(Path::new("Cargo.toml")).unwrap_or_default();
    let mut manifest: toml::Table = toml::from_str(std::str::from_utf8(&manifest)?)?;
    // Who made it and on which terms, and what lies beside it.
    manifest.remove("package");
    manifest.remove("workspace");
    files.retain(|name, _| name.starts_with("src") || name.starts_with("build"));
    files.insert("Cargo.toml".into(), manifest.to_string().into_bytes());
    Ok(files)
}

/// The figures of a driver that passed.
pub struct Verified {
    /// How many faults the bench injected.
    pub faults: usize,
    /// Whether it was linked for ARM64 as well.
    pub linked_for_arm64: bool,
}

/// One project folder for all combinations, so that cargo compiles little more than what differs.
pub struct Workshop {
    project: PathBuf,
}

impl Workshop {
    /// Opens it, below `ci/target`.
    ///
    /// # Errors
    ///
    /// Where the folder cannot be made.
    pub fn open() -> anyhow::Result<Self> {
        let project = repository().join("ci/target/matrix").join(NAME);
        fs::create_dir_all(&project)?;
        Ok(Self { project })
    }

    /// Formats, lints, builds and verifies the project, and with `closely` links it for ARM64.
    ///
    /// # Errors
    ///
    /// The first of these that fails.
    pub fn verify(&self, emitted: &Emitted, closely: bool) -> anyhow::Result<Verified> {
        self.take(emitted)?;
        thread::scope(|scope| {
            // Another profile than what is built, and so at the same time.
            let lint = scope.spawn(|| driver::lint(&self.project));
            let built = self.build_and_verify(closely);
            let lint = lint
                .join()
                .unwrap_or_else(|_| bail!("the linting thread ended early"));
            lint.and(built)
        })
    }

    fn build_and_verify(&self, closely: bool) -> anyhow::Result<Verified> {
        let sys = driver::build(&self.project, Profile::Release, Arch::Amd64)?;
        let expectations = self.project.join("testbench.toml");
        let expectations = if expectations.is_file() {
            Expectations::read(&expectations)?
        } else {
            // A project without a bench keeps the rules all the same. Either way of reporting a failed start will do.
            Expectations {
                error_log: Some(ErrorLog::Debugger),
                ..Expectations::default()
            }
        };
        let report = driver::judge(&sys, Some(expectations))?;
        driver::must_be_clean(&report)?;
        if closely {
            let sys =
                driver::build(&self.project, Profile::Release, Arch::Arm64).context("for ARM64")?;
            ensure_is_for_arm64(&sys)?;
        }
        let faults = report["faults-injected"].as_u64();
        Ok(Verified {
            faults: usize::try_from(faults.context("a report counts the faults")?)?,
            linked_for_arm64: closely,
        })
    }

    /// Makes the project the same as `emitted`. Equal files are not written.
    fn take(&self, emitted: &Emitted) -> anyhow::Result<()> {
        let files = emitted.files()?;
        for name in files_of(&self.project)?.into_keys() {
            if !files.contains_key(&name) {
                fs::remove_file(self.project.join(name))?;
            }
        }
        for (name, bytes) in files {
            let path = self.project.join(&name);
            if name == Path::new("testbench/") || fs::read(&path).is_ok_and(|old| old == bytes) {
                continue;
            }
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)?;
            }
            fs::write(path, bytes)?;
        }
        Ok(())
    }
}

/// Checks the headers of a driver for ARM64.
fn ensure_is_for_arm64(sys: &Path) -> anyhow::Result<()> {
    let bytes = fs::read(sys)?;
    let file = PeFile64::parse(&*bytes)?;
    let header = file.nt_headers();
    ensure!(
        header.file_header.machine.get(LittleEndian) == IMAGE_FILE_MACHINE_ARM64
            && header.optional_header.subsystem.get(LittleEndian) == IMAGE_SUBSYSTEM_NATIVE,
        "{} is no driver for ARM64",
        sys.display()
    );
    Ok(())
}
