//! Builds mutants of a project and judges them.
//!
//! cargo builds the project once and says how it compiles the driver. Each mutant is compiled with that command, in a
//! folder of each worker, without cargo: cargo and its build script would take longer than the compiler. Link-time
//! optimization is off, so that the compiler can reuse what did not change: this halves its time.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Mutex, PoisonError},
};

use anyhow::{Context, bail, ensure};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use testbench::Expectations;

use super::operators::{self, Mutant};
use crate::{
    checks::{
        cache::Inputs,
        driver,
        matrix::{checks::NAME, combinations::Combination},
    },
    commands::{
        build::{self, Compilation},
        new,
    },
    files_below, interruption,
};

/// The rule with which the bench reports its own failure.
const BENCH_ERROR: &str = "bench-error";

/// The arguments with which the compiler is fast, and the same source gives the same file: no debug information, and a
/// digest as the time.
const ADDED: [&str; 10] = [
    "-C",
    "lto=no",
    "-C",
    "debuginfo=0",
    "-C",
    "link-arg=/Brepro",
    "-C",
    "link-arg=/DEBUG:NONE",
    "-A",
    "warnings",
];

/// The verdict on one mutant in one project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It does not compile, or does not link.
    DoesNotCompile,
    /// The `.sys` is the same, byte for byte.
    SameCode,
    /// The bench has findings, of these rules.
    Killed(Vec<String>),
    /// The bench has no findings, or only reports its own failure; what else it reported.
    Survived(Option<String>),
}

/// A project whose sources are mutated.
pub struct Project {
    /// Its name in the report.
    pub name: String,
    /// The text of its source files, by their paths in the project.
    pub sources: HashMap<String, String>,
    /// Its mutants.
    pub mutants: Vec<Mutant>,
    folder: PathBuf,
    expectations: Expectations,
    inputs: Inputs,
    built: Mutex<Option<Built>>,
    _scratch: TempDir,
}

/// What the first build of a project gives.
#[derive(Clone)]
struct Built {
    compilation: Compilation,
    /// The digest of the driver without a change.
    digest: Vec<u8>,
}

/// The folders of a worker, one for each project that it worked on.
#[derive(Default)]
pub struct Worker {
    folders: HashMap<String, TempDir>,
}

impl Project {
    /// Emits a project and makes its mutants.
    ///
    /// # Errors
    ///
    /// The answers are refused, or a file is not Rust.
    pub fn new(name: &str, combination: &Combination) -> anyhow::Result<Self> {
        let scratch = crate::scratch_folder()?;
        let folder = new::emit(NAME, &combination.given(), scratch.path())?;
        let mut sources = HashMap::new();
        let mut mutants = Vec::new();
        for path in files_below(&folder.join("src"))? {
            let file = format!("src/{}", path.to_string_lossy().replace('\\', "/"));
            let text = fs::read_to_string(folder.join(&file))?;
            mutants.extend(operators::mutants(&file, &text)?);
            sources.insert(file, text);
        }
        let expectations = folder.join("testbench.toml");
        ensure!(
            expectations.is_file(),
            "the project has no testbench.toml, which says what is expected of it"
        );
        Ok(Self {
            name: name.to_owned(),
            sources,
            mutants,
            expectations: Expectations::read(&expectations)?,
            inputs: driver::inputs_of_mutants(&folder)?,
            folder,
            built: Mutex::new(None),
            _scratch: scratch,
        })
    }

    /// Whether the project has the file of a mutant of `other`, with the same text.
    #[must_use]
    pub fn has(&self, other: &Self, mutant: &Mutant) -> bool {
        let text = self.sources.get(&mutant.file);
        text.is_some() && text == other.sources.get(&mutant.file)
    }

    /// Builds a mutant and judges it, unless this was done before with the same inputs.
    ///
    /// # Errors
    ///
    /// The project without a change does not build or has findings, or a file cannot be written.
    pub fn judge(&self, mutant: &Mutant, worker: &mut Worker) -> anyhow::Result<Verdict> {
        let text = mutant.apply(&self.sources[&mutant.file]);
        let inputs = self.inputs.clone().with(&mutant.file, &text);
        if let Some(kept) = inputs.kept() {
            return Ok(serde_json::from_slice(&kept)?);
        }
        let built = self.built()?;
        let place = self.place(worker)?;
        let file = place.join(&mutant.file);
        fs::write(&file, &text)?;
        let verdict = self.build_and_judge(&built, &place);
        fs::write(&file, &self.sources[&mutant.file])?;
        let (verdict, slow) = verdict?;
        interruption::check()?;
        // A time limit may have expired because the machine was busy.
        if !slow {
            inputs.keep(&serde_json::to_vec(&verdict)?)?;
        }
        Ok(verdict)
    }

    /// The project without a change, built and judged once.
    fn built(&self) -> anyhow::Result<Built> {
        let mut built = self.built.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(built) = &*built {
            return Ok(built.clone());
        }
        let compilation = build::compilation(&self.folder)?;
        let sys = compile(&compilation, &self.folder)?
            .with_context(|| format!("{}: the driver does not compile", self.name))?;
        let report = driver::report(&sys, Some(self.expectations.clone()))?;
        driver::must_be_clean(&serde_json::to_value(report)?)
            .with_context(|| format!("{}, without a change", self.name))?;
        let digest = Sha256::digest(fs::read(&sys)?).to_vec();
        Ok(built
            .insert(Built {
                compilation,
                digest,
            })
            .clone())
    }

    /// The folder of a worker for this project, with its sources.
    fn place(&self, worker: &mut Worker) -> anyhow::Result<PathBuf> {
        if let Some(folder) = worker.folders.get(&self.name) {
            return Ok(folder.path().to_owned());
        }
        let folder = crate::scratch_folder()?;
        for (file, text) in &self.sources {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().context("a source file has no folder")?)?;
            fs::write(path, text)?;
        }
        let path = folder.path().to_owned();
        worker.folders.insert(self.name.clone(), folder);
        Ok(path)
    }

    /// The verdict, and whether the bench took long.
    fn build_and_judge(&self, built: &Built, place: &Path) -> anyhow::Result<(Verdict, bool)> {
        let Some(sys) = compile(&built.compilation, place)? else {
            return Ok((Verdict::DoesNotCompile, false));
        };
        if Sha256::digest(fs::read(&sys)?).as_slice() == built.digest {
            return Ok((Verdict::SameCode, false));
        }
        let report = match driver::report(&sys, Some(self.expectations.clone())) {
            Ok(report) => report,
            // The file is not a driver any more, which ends `verify` with an error.
            Err(refused) if refused.is::<testbench::Refusal>() => {
                return Ok((Verdict::Killed(vec!["refused".to_owned()]), false));
            }
            Err(error) => return Err(error),
        };
        let mut rules: Vec<_> = report
            .findings
            .iter()
            .map(|it| it.rule.to_string())
            .collect();
        rules.sort();
        rules.dedup();
        let blames_itself = rules.iter().any(|rule| rule == BENCH_ERROR);
        rules.retain(|rule| rule != BENCH_ERROR);
        let verdict = if !rules.is_empty() {
            Verdict::Killed(rules)
        } else if blames_itself {
            Verdict::Survived(Some(BENCH_ERROR.to_owned()))
        } else if report.complete {
            Verdict::Survived(None)
        } else {
            Verdict::Survived(Some("not judged completely".to_owned()))
        };
        let slow = report.milliseconds >= driver::SLOW.as_millis();
        Ok((verdict, slow))
    }
}

/// Compiles and links the sources in a folder, and returns the path of the `.sys`; `None` if the compiler refuses them.
fn compile(compilation: &Compilation, folder: &Path) -> anyhow::Result<Option<PathBuf>> {
    let out = folder.join("out");
    fs::create_dir_all(&out)?;
    let (rustc, arguments) = compilation
        .arguments
        .split_first()
        .context("cargo's command line is empty")?;
    let output = Command::new(rustc)
        .args(arguments)
        .args(ADDED)
        .arg("-C")
        .arg(format!("incremental={}", out.join("incremental").display()))
        .arg("--out-dir")
        .arg(&out)
        .envs(
            compilation
                .environment
                .iter()
                .map(|(name, value)| (name, value)),
        )
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .context("rustc cannot be started")?;
    if !output.status.success() {
        if output.status.code().is_none() {
            bail!("a signal ended rustc");
        }
        return Ok(None);
    }
    let dll = out.join(&compilation.krate).with_extension("dll");
    let sys = folder.join(&compilation.krate).with_extension("sys");
    fs::rename(dll, &sys)?;
    Ok(Some(sys))
}
