//! A project: its record, and its place in a git repository.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail, ensure};
use clap::builder::{PathBufValueParser, TypedValueParser};
use semver::Version;

use crate::commands::{
    new::{
        answers::Answers,
        record::{self, ValuesFile},
        template::Template,
    },
    options::named,
};
use crate::git::{self, line, output, parts, reading};

/// A project with a record.
pub struct Project {
    /// Its folder, as the user wrote it.
    pub shown: String,
    /// Its folder.
    pub folder: PathBuf,
    /// Its name.
    pub name: String,
    /// The version of the template in the record.
    pub version: Version,
    /// The answers in the record.
    pub answers: Answers,
    /// Files and folders that an update does not touch.
    pub keep: Vec<String>,
    /// The state of the kit that emitted it.
    pub kit: Option<String>,
}

/// Reads an argument that is the folder of a project, or its record.
pub fn folder() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().map(|place| match place.parent() {
        Some(parent) if place.ends_with(record::FILE) && place.is_file() => {
            let is_here = parent.as_os_str().is_empty();
            PathBuf::from(if is_here { Path::new(".") } else { parent })
        }
        _ => place,
    })
}

/// The version in the record of a project, if it can be read.
pub fn version_of(folder: &Path) -> Option<String> {
    let version = record::version_in(&folder.join(record::FILE));
    Some(version.ok()?.to_string())
}

impl Project {
    /// Reads the record of a project. The answers are judged by the options of the version that recorded them.
    ///
    /// # Errors
    ///
    /// There is no record, or it is not as it must be.
    pub fn read(folder: &Path) -> anyhow::Result<Self> {
        let shown = folder.display().to_string();
        let file = folder.join(record::FILE);
        ensure!(
            file.is_file(),
            "{shown} has no {}: it is no project of this template, or it has no record; cargo xtask adopt {shown} writes one",
            record::FILE
        );
        let text = fs::read(&file).with_context(|| format!("{} cannot be read", file.display()))?;
        ensure!(
            !has_conflict(&text),
            "{} has a conflict of an update: resolve it, and commit",
            file.display()
        );
        let version = record::version_in(&file)?;
        let template = Template::of(&version)?;
        let values = ValuesFile::read(template.options(), &file)?;
        let name = values.name.with_context(|| {
            format!(
                "{} has no project-name: write the name of the project there",
                file.display()
            )
        })?;
        Ok(Self {
            shown,
            folder: fs::canonicalize(folder)
                .with_context(|| format!("{} cannot be opened", folder.display()))?,
            name,
            version,
            answers: values.answers,
            keep: values.keep,
            kit: values.kit,
        })
    }

    /// A version of the template with the state of the kit that emitted the project, if there is one. `kit` is the folder of
    /// that kit.
    ///
    /// # Errors
    ///
    /// There is no such kit, or it does not have the state any more.
    pub fn with_its_kit(&self, template: Template, kit: Option<&Path>) -> anyhow::Result<Template> {
        let Some(revision) = &self.kit else {
            return Ok(template);
        };
        let kit = kit.with_context(|| {
            format!(
                "{0} was emitted with a kit: name its folder with --kit DIR or the variable TEMPLATE_KIT. If the project \
                 leaves the kit, run cargo xtask update {0} --no-kit --old-kit DIR",
                self.shown
            )
        })?;
        template.with_earlier_kit(kit, revision)
    }

    /// Refuses a kit whose folder has an older state than the one that emitted the project.
    ///
    /// # Errors
    ///
    /// The state is older.
    pub fn refuse_older_kit(&self, template: &Template) -> anyhow::Result<()> {
        if let (Some(state), Some(kit)) = (&self.kit, template.kit())
            && kit.is_older_than(state)
        {
            let kit = kit.folder.display();
            bail!(
                "{} has a newer state of the kit than {kit}: run git -C {kit} pull, or check out that state",
                self.shown
            );
        }
        Ok(())
    }

    /// The files with conflict markers of an update, and those of the template that an update put beside a file of the
    /// project that is no text.
    ///
    /// # Errors
    ///
    /// git fails.
    pub fn open_conflicts(&self) -> anyhow::Result<Vec<String>> {
        let mut list = reading(&self.folder);
        list.args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ]);
        let files = parts(&git::run(&mut list, None)?);
        let is_open = |file: &String| {
            is_the_templates(file)
                || has_conflict(&fs::read(self.folder.join(file)).unwrap_or_default())
        };
        Ok(files.into_iter().filter(is_open).collect())
    }

    /// Whether an update leaves a file alone.
    pub fn keeps(&self, path: &str) -> bool {
        self.keep.iter().any(|kept| is_within(kept, path))
    }
}

/// Whether a file is that of an entry of `keep`, or in its folder.
pub fn is_within(kept: &str, path: &str) -> bool {
    let kept = kept.trim_end_matches('/');
    path == kept
        || path
            .strip_prefix(kept)
            .is_some_and(|rest| rest.starts_with('/'))
}

/// The beginning of the lines around a conflict.
const MARKERS: [&[u8]; 2] = [b"<<<<<<< project", b">>>>>>> template-"];

/// Whether a text has the markers of a conflict that an update wrote.
fn has_conflict(text: &[u8]) -> bool {
    let lines = || text.split(|byte| *byte == b'\n');
    MARKERS
        .iter()
        .all(|marker| lines().any(|line| line.starts_with(marker)))
}

/// Whether an update wrote a file under this name because both sides changed a file that is no text.
fn is_the_templates(file: &str) -> bool {
    file.rsplit_once(".template-")
        .is_some_and(|(_, version)| version.parse::<Version>().is_ok())
}

/// The place of a project in a git repository.
pub struct Place {
    /// The root of the working tree.
    pub root: PathBuf,
    /// The folder of the project, from the root, without a slash at its end. Empty for the root.
    pub prefix: String,
}

impl Place {
    /// Finds the repository of a project, all of whose files are committed.
    ///
    /// # Errors
    ///
    /// There is no repository, or the project has changes that are not committed.
    pub fn clean(project: &Project) -> anyhow::Result<Self> {
        let place = Self::of(project)?;
        let mut status = reading(&project.folder);
        status.args([
            "status",
            "--porcelain=v1",
            "-z",
            "--no-renames",
            "--untracked-files=all",
            "--ignore-submodules=all",
            "--",
            ".",
        ]);
        let changes = parts(&git::run(&mut status, None)?);
        if let Some(first) = changes.first() {
            let shown = &project.shown;
            let more = match changes.len() {
                1 => String::new(),
                2 => " and 1 other file".to_owned(),
                count => format!(" and {} other files", count - 1),
            };
            bail!(
                "{shown} has changes that are not committed: {}{more}. Commit them first. If an update was interrupted, \
                 git -C {shown} restore . undoes its changes, and git -C {shown} clean -d --interactive . its new files",
                named(first.get(3..).unwrap_or(first))
            );
        }
        Ok(place)
    }

    /// Finds the repository of a project.
    ///
    /// # Errors
    ///
    /// There is none, or it has no commit.
    pub fn of(project: &Project) -> anyhow::Result<Self> {
        let shown = &project.shown;
        let found = output(
            reading(&project.folder).args(["rev-parse", "--show-toplevel"]),
            None,
        )?;
        if !found.status.success() {
            let said = String::from_utf8_lossy(&found.stderr);
            let said = said.trim().trim_start_matches("fatal: ");
            let why = if said.starts_with("not a git repository") {
                String::new()
            } else {
                format!(" ({said})")
            };
            bail!(
                "{shown} is in no git repository{why}: run git init there, and commit the project as it was emitted"
            );
        }
        let prefix = line(reading(&project.folder).args(["rev-parse", "--show-prefix"]))?;
        let root = String::from_utf8_lossy(&found.stdout).trim_end().to_owned();
        let place = Self {
            root: PathBuf::from(root),
            prefix: prefix.trim_end_matches('/').to_owned(),
        };
        let commit = output(
            reading(&project.folder).args(["rev-parse", "--verify", "--quiet", "HEAD^{tree}"]),
            None,
        )?;
        ensure!(
            commit.status.success() && place.tree().is_ok(),
            "{shown} is not committed: commit it first"
        );
        Ok(place)
    }

    /// The tree of the project in the last commit.
    pub fn tree(&self) -> anyhow::Result<String> {
        let name = if self.prefix.is_empty() {
            "HEAD^{tree}".to_owned()
        } else {
            format!("HEAD:{}", self.prefix)
        };
        line(reading(&self.root).args(["rev-parse", "--verify", "--quiet", &name]))
    }

    /// The files with attributes in the folders above the project, in the last commit.
    pub fn attributes_above(&self) -> anyhow::Result<Vec<(PathBuf, Vec<u8>)>> {
        let mut found = Vec::new();
        if self.prefix.is_empty() {
            return Ok(found);
        }
        for folder in Path::new(&self.prefix).ancestors().skip(1) {
            let file = folder.join(".gitattributes");
            let name = format!("HEAD:{}", file.to_string_lossy().replace('\\', "/"));
            let content = output(reading(&self.root).args(["cat-file", "blob", &name]), None)?;
            if content.status.success() {
                found.push((file, content.stdout));
            }
        }
        Ok(found)
    }

    /// What `core.autocrlf` makes of a file that is added: `input`, or `false`.
    pub fn crlf(&self) -> anyhow::Result<&'static str> {
        let set = output(
            reading(&self.root).args(["config", "--get", "core.autocrlf"]),
            None,
        )?;
        let value = String::from_utf8_lossy(&set.stdout).trim().to_lowercase();
        Ok(match value.as_str() {
            "" | "false" | "no" | "off" | "0" => "false",
            _ => "input",
        })
    }
}
