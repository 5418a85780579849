//! The state of a kit in its git repository, and the altitudes that its projects have.

use std::{fs, io::Write, path::Path};

use anyhow::{Context, bail, ensure};
use heck::ToKebabCase;
use tempfile::TempDir;

use super::{
    model::{FILE, Kit},
    stage::FOLDER,
};
use crate::{
    commands::{
        new::answers::Answers,
        options::{Declared, declared},
    },
    git::{check_out, has, output, reading, run},
};

/// The state of a kit: the name of its tree in git. `None` if it is in no repository, or has changes that are not committed;
/// the projects that have its altitudes do not matter.
///
/// # Errors
///
/// git fails.
pub fn revision(kit: &Kit, options: &[Declared]) -> anyhow::Result<Option<String>> {
    let folder = &kit.folder;
    let tree = output(
        reading(folder).args(["rev-parse", "--verify", "--quiet", "HEAD:./"]),
        None,
    )?;
    if !tree.status.success() {
        return Ok(None);
    }
    // Of kit.toml, the projects that have altitudes may differ.
    let mut status = reading(folder);
    status.args(["status", "--porcelain=v1", "-z", "--untracked-files=all"]);
    status.args(["--", ".", &format!(":(exclude){FILE}")]);
    let is_clean = run(&mut status, None)?.is_empty()
        && kit
            .committed("HEAD:./", options)
            .is_some_and(|committed| committed.is_like(kit));
    let tree = String::from_utf8_lossy(&tree.stdout).trim().to_owned();
    Ok(is_clean.then_some(tree))
}

/// The files of an earlier state of the kit in a folder.
///
/// # Errors
///
/// Its repository does not have the state.
pub fn earlier(folder: &Path, revision: &str) -> anyhow::Result<TempDir> {
    let shown = folder.display();
    let says = |arguments: &[&str], text: &str| -> anyhow::Result<bool> {
        let said = output(reading(folder).args(arguments), None)?;
        Ok(said.status.success() && String::from_utf8_lossy(&said.stdout).trim() != text)
    };
    if !says(&["rev-parse", "--show-toplevel"], "")? || !has(folder, revision)? {
        let way = if says(&["rev-parse", "--is-shallow-repository"], "false")? {
            format!("run git -C {shown} fetch --unshallow")
        } else {
            format!("if it is the same kit, run git -C {shown} fetch --all")
        };
        bail!(
            "the project was emitted with the state {revision} of a kit, which the git repository of {shown} does not have. \
             If {shown} is another kit, add --old-kit DIR with the folder of the first one; {way}. If nobody has the \
             state any more, cargo xtask update --without-base lists every difference"
        );
    }
    let files = crate::scratch_folder().context("no temporary folder can be made")?;
    check_out(folder, revision, &[], files.path())?;
    Ok(files)
}

impl Kit {
    /// Whether another kit differs in nothing but lines, comments and the projects that have its altitudes.
    fn is_like(&self, other: &Self) -> bool {
        self.meaning() == other.meaning()
    }

    /// The values, without their lines. Each key of the file is in it.
    fn meaning(&self) -> Vec<String> {
        let Self {
            folder: _,
            shown: _,
            revision: _,
            defaults,
            locked,
            removed,
            altitudes,
            rules,
            header,
            license_text,
            code_owners,
            security,
            support,
            signtool,
            timestamp_server,
            registry,
        } = self;
        let mut all: Vec<String> = Vec::new();
        for (kind, answers) in [defaults, locked, removed].into_iter().enumerate() {
            all.extend(
                answers
                    .iter()
                    .map(|it| format!("{kind} {}={}", it.option, it.value)),
            );
        }
        all.extend(altitudes.iter().map(|it| it.value.clone()));
        all.extend(
            rules
                .iter()
                .map(|it| format!("{:?} {:?} {}", it.when, it.then, it.message)),
        );
        all.extend(code_owners.iter().map(|it| it.value.clone()));
        let texts = [
            header,
            license_text,
            security,
            support,
            signtool,
            timestamp_server,
            registry,
        ];
        all.extend(texts.map(|it| format!("{:?}", it.as_ref().map(|it| &it.value))));
        all
    }

    /// Whether a project that was emitted with an earlier state would be the same with this one.
    #[must_use]
    pub fn is_state(&self, earlier: &str) -> bool {
        let Some(own) = &self.revision else {
            return false;
        };
        if own == earlier {
            return true;
        }
        let files = |tree: &str| {
            let name = format!("{tree}:{FOLDER}");
            let mut parse = reading(&self.folder);
            parse.args(["rev-parse", "--verify", "--quiet", &name]);
            output(&mut parse, None).ok().map(|it| it.stdout)
        };
        let options = declared().unwrap_or_default();
        let before = self.committed(&format!("{earlier}:"), &options);
        before.is_some_and(|before| before.is_like(self)) && files(own) == files(earlier)
    }

    /// Whether a commit after the one that is checked out has another state of the kit.
    #[must_use]
    pub fn is_older_than(&self, state: &str) -> bool {
        if self.is_state(state) {
            return false;
        }
        let lines = |arguments: &[&str]| {
            let text = run(reading(&self.folder).args(arguments), None).unwrap_or_default();
            let text = String::from_utf8_lossy(&text).into_owned();
            text.lines().map(str::to_owned).collect::<Vec<_>>()
        };
        let later = lines(&["rev-list", "--all", "--ancestry-path", "^HEAD", "--", "."]);
        later.iter().any(|commit| {
            let tree = format!("{commit}:./");
            lines(&["rev-parse", "--verify", "--quiet", &tree]) == [state]
        })
    }

    /// The kit in a state that its repository has: `HEAD:./`, or `TREE:`.
    fn committed(&self, state: &str, options: &[Declared]) -> Option<Self> {
        let name = format!("{state}{FILE}");
        let text = run(
            reading(&self.folder).args(["cat-file", "blob", &name]),
            None,
        );
        let text = String::from_utf8_lossy(&text.ok()?).into_owned();
        let (kit, mistakes) = Self::parse(&self.folder, &self.shown, &text, options).ok()?;
        mistakes.is_empty().then_some(kit)
    }

    /// Enters a project in `kit.toml`, if its altitude is one of the kit that no project has. Returns lines for the user.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn take(&self, project: &str, answers: &Answers) -> anyhow::Result<Vec<String>> {
        let mut lines = Vec::new();
        if self.revision.is_none() {
            lines.push(format!(
                "The kit {} is not committed in a git repository, or has changes that are not. The record does not name its \
                 state: commit the kit, and run cargo xtask update --kit DIR before the project or the kit changes.",
                self.folder.display()
            ));
        }
        let Some(entry) = self.taken(answers) else {
            return Ok(lines);
        };
        let project = project.to_kebab_case();
        let file = self.folder.join(FILE);
        let text = fs::read_to_string(&file);
        let written = text.map_err(anyhow::Error::from).and_then(|text| {
            let span = entry.project_span.clone();
            let is_same = matches!(text.get(span.clone()), Some("\"\"" | "''"));
            ensure!(is_same, "the file has changed");
            let text = format!("{}\"{project}\"{}", &text[..span.start], &text[span.end..]);
            let folder = file.parent().context("there is no folder")?;
            let mut new = tempfile::NamedTempFile::new_in(folder)?;
            new.write_all(text.as_bytes())?;
            fs::set_permissions(new.path(), fs::metadata(&file)?.permissions())?;
            new.persist(&file)?;
            Ok(())
        });
        written.with_context(|| {
            format!(
                "{}: the project {project} has the altitude {} now: write project = \"{project}\" there",
                self.place(entry.line),
                entry.value
            )
        })?;
        lines.push(format!(
            "{} says now that {project} has the altitude {}: commit it.",
            self.shown, entry.value
        ));
        Ok(lines)
    }

    /// A refusal of the kit's own answers, with the line of the answer that it names.
    #[must_use]
    pub fn blamed(&self, sentence: &str) -> anyhow::Error {
        let answers = self.locked.iter().chain(&self.defaults);
        let mut named = answers.filter(|it| {
            sentence.contains(&it.option) || (it.value.len() > 1 && sentence.contains(&it.value))
        });
        let line = named.next().map_or(1, |it| it.line);
        anyhow::anyhow!(
            "{}: with these answers, the template says: {sentence}",
            self.place(line)
        )
    }
}
