//! The versions of the template, and what they emit.

use std::{fs, path::Path};

use anyhow::{Context, bail};
use semver::Version;
use tempfile::TempDir;

use super::{
    answers::Answers,
    generator::{self, Emitted, Refusal},
    record::template_version,
    source::{self, staged},
};
use crate::git::{check_out, has};
use crate::{
    checks::{render::Renderer, versions},
    commands::{
        kit::{
            model::{Kit, Mistakes},
            stage, state,
        },
        options::{Declared, declared, declared_in, listed},
    },
    repository,
};

/// The option that a kit can answer for a project.
pub const ALTITUDE: &str = "altitude";

/// A version of the template.
pub struct Template {
    /// Its number.
    pub version: Version,
    /// Its files, if they are not those of this clone.
    folder: Option<TempDir>,
    options: Vec<Declared>,
    kit: Option<Kit>,
}

impl Template {
    /// The version of this clone.
    ///
    /// # Errors
    ///
    /// The clone is not complete.
    pub fn own() -> anyhow::Result<Self> {
        Self::new(template_version()?, None)
    }

    /// A version: that of this clone, or a released one, from its commit.
    ///
    /// # Errors
    ///
    /// There is no such version, or this clone does not have its commit.
    pub fn of(version: &Version) -> anyhow::Result<Self> {
        let own = template_version()?;
        if *version == own {
            return Self::own();
        }
        let all = versions::read()?;
        let Some(entry) = all.iter().find(|entry| entry.number == *version) else {
            let numbers: Vec<String> = all.iter().map(|entry| entry.number.to_string()).collect();
            if *version > own {
                bail!(
                    "version {version} is newer than this clone of the template, which is version {own}: update the clone"
                );
            }
            bail!(
                "{version} is no version of the template: they are {}",
                listed(numbers.iter().map(String::as_str))
            );
        };
        let commit = entry.commit.as_ref().with_context(|| {
            format!("ci/versions.toml does not name the commit of version {version}: update the clone of the template")
        })?;
        Self::new(version.clone(), Some(sources(version, commit)?))
    }

    /// A version whose `cargo-generate.toml`, `hooks` and `template` are in a folder.
    ///
    /// # Errors
    ///
    /// The options cannot be read.
    pub fn in_folder(version: Version, folder: TempDir) -> anyhow::Result<Self> {
        Self::new(version, Some(folder))
    }

    fn new(version: Version, folder: Option<TempDir>) -> anyhow::Result<Self> {
        let root = folder
            .as_ref()
            .map_or_else(repository, |it| it.path().to_owned());
        let options = declared_in(&root.join("cargo-generate.toml"))?;
        Ok(Self {
            version,
            folder,
            options,
            kit: None,
        })
    }

    /// The same version with the kit in a folder, if there is one: with its defaults, its rules and its files.
    ///
    /// # Errors
    ///
    /// All mistakes in the kit, each in a sentence with file and line.
    pub fn with_kit(self, folder: Option<&Path>) -> anyhow::Result<Self> {
        let Some(folder) = folder else {
            return Ok(self);
        };
        // A kit is written for the newest options. An earlier version has what it knows of them.
        let newest = declared()?;
        let (mut kit, mut mistakes) = Kit::read(folder, &newest)?;
        kit.revision = state::revision(&kit, &newest)?;
        kit.limit_to(&self.options);
        let (options, contradictions) = kit.applied(&self.options);
        // They may follow from values that were left out.
        if mistakes.is_empty() {
            mistakes = contradictions;
        }
        let staged = self.staged_with(&kit, &options, mistakes)?;
        Ok(Self {
            version: self.version,
            folder: Some(staged),
            options,
            kit: Some(kit),
        })
    }

    /// The same version with the files of an earlier state of a kit. Its rules do not apply.
    ///
    /// # Errors
    ///
    /// The repository of the kit does not have the state.
    pub fn with_earlier_kit(self, folder: &Path, revision: &str) -> anyhow::Result<Self> {
        let files = state::earlier(folder, revision)?;
        let (mut kit, mistakes) = Kit::read(files.path(), &self.options)?;
        if !mistakes.is_empty() {
            let newest;
            (kit, newest) = Kit::read(files.path(), &declared()?)?;
            newest.none()?;
        }
        kit.revision = Some(revision.to_owned());
        kit.limit_to(&self.options);
        let staged = self.staged_with(&kit, &self.options, Mistakes::default())?;
        Ok(Self {
            version: self.version,
            folder: Some(staged),
            options: self.options,
            kit: None,
        })
    }

    /// The template with the files of the kit, in which there are no mistakes.
    fn staged_with(
        &self,
        kit: &Kit,
        options: &[Declared],
        mut mistakes: Mistakes,
    ) -> anyhow::Result<TempDir> {
        let staged = match &self.folder {
            Some(folder) => {
                let copy = crate::scratch_folder().context("no temporary folder can be made")?;
                source::copy_parts(folder.path(), copy.path())?;
                copy
            }
            None => staged()?,
        };
        let place = crate::scratch_folder().context("no temporary folder can be made")?;
        let options = if mistakes.is_empty() {
            options
        } else {
            &self.options
        };
        let answers: Vec<(&str, &str)> = options
            .iter()
            .map(|option| (option.name.as_str(), option.default.as_str()))
            .collect();
        let render = || {
            Renderer::of(staged.path(), place.path())?
                .render("my-filter", &answers)
                .map_err(anyhow::Error::from)
        };
        let plain = render().map_err(|error| kit.blamed(&format!("{error:#}")))?;
        let mut known = plain.set;
        known.extend(options.iter().map(|option| option.name.clone()));
        known.extend(["project-name", "crate_name"].map(str::to_owned));
        mistakes.add(kit.stage(staged.path(), &known, options)?);
        mistakes.none()?;
        let rendered = render().map_err(|error| kit.blamed_file(&format!("{error:#}")))?;
        let mut doubles = Mistakes::default();
        doubles.add(kit.doubles(rendered.files.keys()));
        doubles.none()?;
        Ok(staged)
    }

    /// Its options.
    #[must_use]
    pub fn options(&self) -> &[Declared] {
        &self.options
    }

    /// Its kit, if it has one.
    #[must_use]
    pub fn kit(&self) -> Option<&Kit> {
        self.kit.as_ref()
    }

    /// Finds out whether the answers are accepted.
    ///
    /// # Errors
    ///
    /// The sentence with which the template or the kit refuses them.
    pub fn rehearse(&self, name: &str, answers: &Answers) -> anyhow::Result<()> {
        let answers = self.completed(name, answers)?;
        generator::rehearse(self.source(), name, &answers)
    }

    /// Emits a project into a folder. `target` is the folder of the project, if the name gives one.
    ///
    /// # Errors
    ///
    /// The sentence with which the template or the kit refuses an answer.
    pub fn emit(
        &self,
        name: &str,
        answers: &Answers,
        to: &Path,
        target: Option<&Path>,
    ) -> anyhow::Result<Emitted> {
        let answers = self.completed(name, answers)?;
        let emitted = generator::generate(self.source(), name, &answers, to, target)?;
        if let Err(error) = stage::settle(&emitted.path) {
            fs::remove_dir_all(&emitted.path)
                .with_context(|| format!("{} is left behind: remove it", emitted.path.display()))?;
            return Err(error);
        }
        Ok(emitted)
    }

    /// The altitude that the kit gives a project with these answers, and where it says so.
    #[must_use]
    pub fn altitude_of(&self, name: &str, answers: &Answers) -> Option<(&str, String)> {
        let kit = self.kit.as_ref()?;
        let entry = kit.entry_of(name, answers)?;
        Some((&entry.value, kit.place(entry.line)))
    }

    fn source(&self) -> Option<&Path> {
        self.folder.as_ref().map(TempDir::path)
    }

    /// The answers, with what the kit adds to them.
    fn completed(&self, name: &str, answers: &Answers) -> anyhow::Result<Answers> {
        let mut answers = answers.clone();
        let Some(kit) = &self.kit else {
            return Ok(answers);
        };
        let given = answers.get(ALTITUDE).cloned();
        for option in &self.options {
            answers
                .entry(option.name.clone())
                .or_insert_with(|| option.default.clone());
        }
        if answers.get(ALTITUDE).is_some_and(|it| it == "auto")
            && let Some(entry) = kit.entry_of(name, &answers)
        {
            if given.is_some() {
                return Err(Refusal::of(kit.keeps(entry)).into());
            }
            answers.insert(ALTITUDE.to_owned(), entry.value.clone());
        }
        match kit.refusal(name, &answers, &self.options) {
            Some(sentence) => Err(Refusal::of(sentence).into()),
            None => Ok(answers),
        }
    }

    /// Enters a project in the kit, if it has taken an altitude of it. Returns lines for the user.
    ///
    /// # Errors
    ///
    /// `kit.toml` cannot be written.
    pub fn take(&self, name: &str, answers: &Answers) -> anyhow::Result<Vec<String>> {
        let Some(kit) = &self.kit else {
            return Ok(Vec::new());
        };
        kit.take(name, &self.completed(name, answers)?)
    }
}

/// The files of a commit of this clone that a project is emitted from.
fn sources(version: &Version, commit: &str) -> anyhow::Result<TempDir> {
    let clone = repository();
    if !has(&clone, commit)? {
        let clone = clone.display();
        bail!(
            "this clone of the template does not have commit {commit}, which released version {version}: run git -C {clone} \
             fetch --unshallow, or git -C {clone} fetch URL {commit} with the address of the template. If nobody has the \
             commit any more, cargo xtask update --without-base lists every difference"
        );
    }
    let sources = crate::scratch_folder().context("no temporary folder can be made")?;
    check_out(
        &clone,
        commit,
        &["cargo-generate.toml", "hooks", "template"],
        sources.path(),
    )?;
    if !sources.path().join("template").is_dir() {
        bail!("commit {commit} of version {version} has no template");
    }
    Ok(sources)
}
