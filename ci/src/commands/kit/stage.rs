//! The files of a kit, put into a copy of the template. cargo-generate renders them with the template's own.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    fs,
    path::Path,
    sync::LazyLock,
};

use anyhow::{Context, anyhow, bail, ensure};
use regex::Regex;

use super::model::Kit;
use crate::{
    checks::render,
    commands::{
        new::record,
        options::{Declared, Kind, named, nearest},
    },
    git::{parts, reading, run},
};

/// The folder of the files that are added to each project.
pub const FOLDER: &str = "files";

/// The folders in the template, and in an emitted project until [`settle`], that have these files, those that are rendered
/// and those that are copied: hooks remove folders in which the kit may have files.
const APART: [&str; 2] = ["kit-files", "kit-copies"];

/// Files that cargo-generate reads in a template.
const SPECIAL: [&str; 3] = ["cargo-generate.toml", ".genignore", ".git"];

/// Other places in which GitHub and GitLab read code owners.
const OWNERS: [&str; 3] = [
    ".github/CODEOWNERS",
    ".gitlab/CODEOWNERS",
    "docs/CODEOWNERS",
];

/// Names of devices, which no file on Windows has, with any extension.
const DEVICES: [&str; 6] = ["aux", "con", "nul", "prn", "conin$", "conout$"];

/// `{{ expression }}`, with the sign that makes it one of GitHub, or a tag.
static BRACES: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?s)(\$?)\{\{(.*?)\}\}|\{%-?\s*(raw|endraw)\s*-?%\}").expect("it is a constant")
});

/// The beginning of an expression: a variable.
static VARIABLE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^-?\s*([A-Za-z_][A-Za-z0-9_-]*)\s*(\||-?$)").expect("it is a constant")
});

/// A copy of the template, with what the kit adds.
struct Stage<'a> {
    kit: &'a Kit,
    template: &'a Path,
    /// The names of the placeholders.
    known: &'a BTreeSet<String>,
    /// cargo-generate's parser.
    parser: liquid::Parser,
    /// The options whose answers are lists.
    lists: BTreeSet<&'a str>,
    mistakes: Vec<String>,
}

impl Kit {
    /// Changes a copy of the template, which is in a folder with `cargo-generate.toml`, `hooks` and `template`. `known` are
    /// the placeholders of the template.
    ///
    /// Returns the files and texts of the kit that are refused. After that, nothing can be emitted.
    ///
    /// # Errors
    ///
    /// A file cannot be read or written.
    pub fn stage(
        &self,
        root: &Path,
        known: &BTreeSet<String>,
        options: &[Declared],
    ) -> anyhow::Result<Vec<String>> {
        let template = root.join("template");
        let lists = options.iter();
        let lists = lists.filter(|it| matches!(it.kind, Kind::List(_)));
        let mut stage = Stage {
            kit: self,
            template: &template,
            known,
            parser: render::parser()?,
            lists: lists.map(|it| it.name.as_str()).collect(),
            mistakes: Vec::new(),
        };
        stage.headers()?;
        stage.texts()?;
        stage.entries()?;
        stage.files()?;
        let mistakes = stage.mistakes;
        exclude(&root.join("cargo-generate.toml"))?;
        let record = template.join(record::FILE);
        if let (Some(revision), true) = (&self.revision, record.exists()) {
            let text = fs::read_to_string(&record)?;
            ensure!(text.contains("\n[values]\n"), "the record has no [values]");
            let line = format!("{} = \"{revision}\"\n\n[values]\n", record::KIT);
            fs::write(&record, text.replacen("\n[values]\n", &line, 1))?;
        }
        Ok(mistakes)
    }

    /// An error of the template with the kit's files, which names the file of the kit and the line.
    #[must_use]
    pub fn blamed_file(&self, error: &str) -> anyhow::Error {
        let files = self.folder.join(FOLDER);
        let in_file = error.split_once(&format!("template/{}/", APART[0]));
        let Some((name, reason)) = in_file.and_then(|(_, rest)| rest.split_once(": ")) else {
            return anyhow!("the files of the kit {}: {error}", self.folder.display());
        };
        let text = fs::read_to_string(files.join(name)).unwrap_or_default();
        anyhow!(
            "{}:{}: {reason}",
            files.join(name).display(),
            line_with_last_word(&text, reason)
        )
    }

    /// The files in `files/`, by their paths, without those that git ignores.
    pub fn files(&self) -> impl Iterator<Item = String> {
        let folder = self.folder.join(FOLDER);
        let files = crate::files_below(&folder).unwrap_or_default();
        let ignored = ignored(&folder);
        files
            .into_iter()
            .map(|file| file.to_string_lossy().replace('\\', "/"))
            .filter(move |file| !ignored.contains(file))
    }

    /// The sentences on files of a kit that are also files of the template, in what was rendered.
    pub fn doubles<'b>(&self, rendered: impl Iterator<Item = &'b String>) -> Vec<String> {
        let all: BTreeSet<&String> = rendered.collect();
        let own = |file: &&&String| {
            let apart = APART.iter();
            let mut apart = apart.filter_map(|it| file.strip_prefix(it)?.strip_prefix('/'));
            apart.any(|it| all.contains(&it.to_owned()))
        };
        let own = all.iter().filter(own);
        own.map(|file| {
            let name = file.split_once('/').map_or(file.as_str(), |(_, name)| name);
            format!(
                "{}: a file becomes {name}, which is a file of the template: use another name",
                self.folder.join(FOLDER).display()
            )
        })
        .collect()
    }
}

impl Stage<'_> {
    fn headers(&mut self) -> anyhow::Result<()> {
        let Some(header) = &self.kit.header else {
            return Ok(());
        };
        let text = self.checked(&header.value, &self.kit.shown, header.line);
        if !header.value.is_ascii() {
            let place = self.kit.place(header.line);
            self.mistakes.push(format!(
                "{place}: the header is also in the INX, which is in ASCII"
            ));
        }
        for file in crate::files_below(self.template)? {
            let sign = match file.extension().and_then(|it| it.to_str()) {
                Some("rs") if !file.starts_with("testbench") => "//",
                Some("inx") => ";",
                _ => continue,
            };
            let path = self.template.join(file);
            let rest = fs::read_to_string(&path)?;
            let end = if rest.contains("\r\n") { "\r\n" } else { "\n" };
            let mut whole = String::new();
            for line in text.trim_end().lines() {
                whole.push_str(format!("{sign} {line}").trim_end());
                whole.push_str(end);
            }
            fs::write(path, format!("{whole}{end}{rest}"))?;
        }
        Ok(())
    }

    fn texts(&mut self) -> anyhow::Result<()> {
        let kit = self.kit;
        if let Some(text) = &kit.license_text {
            let text = self.checked(&text.value, &kit.shown, text.line);
            fs::write(
                self.template.join("LICENSE-PROPRIETARY"),
                format!("{}\n", text.trim_end()),
            )?;
        }
        if let Some(first) = kit.code_owners.first() {
            let owners: Vec<&str> = kit.code_owners.iter().map(|it| it.value.as_str()).collect();
            let text = self.checked(&owners.join(" "), &kit.shown, first.line);
            self.add("CODEOWNERS", format!("* {text}\n").as_bytes())?;
        }
        if let Some(contact) = &kit.security {
            let contact = self.checked(&contact.value, &kit.shown, contact.line);
            let text = format!(
                "# Security\n\nReport a vulnerability in this driver to {contact}. Do not report it in a public issue.\n"
            );
            self.add("SECURITY.md", text.as_bytes())?;
        }
        if let Some(contact) = &kit.support {
            let contact = self.checked(&contact.value, &kit.shown, contact.line);
            let text =
                format!("# Support\n\nQuestions about this driver are answered by {contact}.\n");
            self.add("SUPPORT.md", text.as_bytes())?;
        }
        if let Some(arguments) = &kit.signtool {
            let mut text = self.checked(&arguments.value, &kit.shown, arguments.line);
            if let Some(server) = &kit.timestamp_server {
                let server = self.checked(&server.value, &kit.shown, server.line);
                // Writing to a string does not fail.
                let _ = write!(text, " /tr {server} /td SHA256");
            }
            let text = format!(
                "# How New-Package.ps1 signs the package: the arguments for signtool sign.\n@{{\n    SigntoolArguments = '{}'\n}}\n",
                text.replace('\'', "''")
            );
            self.add("scripts/New-Package.psd1", text.as_bytes())?;
        }
        if let Some(registry) = &kit.registry {
            let address = self.checked(&registry.value, &kit.shown, registry.line);
            let path = self.template.join(".cargo/config.toml");
            let mut text = fs::read_to_string(&path)?;
            // Writing to a string does not fail.
            let _ = write!(
                text,
                "\n# Crates come from a mirror of crates.io.\n[source.crates-io]\nreplace-with = \"mirror\"\n\n\
                 [source.mirror]\nregistry = {}\n",
                toml::Value::from(address)
            );
            fs::write(path, text)?;
        }
        Ok(())
    }

    /// Adds a file to the template.
    fn add(&mut self, path: &str, content: &[u8]) -> anyhow::Result<()> {
        let target = self.template.join(path);
        let folder = target.parent().context("there is no folder")?;
        fs::create_dir_all(folder)?;
        fs::write(&target, content).with_context(|| format!("{path} cannot be written"))
    }

    /// Finds folders of the kit whose names are nearly that of the files.
    fn entries(&mut self) -> anyhow::Result<()> {
        let folder = &self.kit.folder;
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let is_near = ["file", FOLDER].contains(&name.to_lowercase().as_str());
            if is_near && name != FOLDER && entry.path().is_dir() {
                self.mistakes.push(format!(
                    "{}: the files for each project are in the folder {FOLDER}: rename it",
                    entry.path().display()
                ));
            }
        }
        Ok(())
    }

    fn files(&mut self) -> anyhow::Result<()> {
        let folder = self.kit.folder.join(FOLDER);
        if !folder.exists() {
            return Ok(());
        }
        let mut taken: BTreeMap<String, (String, &str)> = BTreeMap::new();
        for file in crate::files_below(self.template)? {
            let name = file.to_string_lossy().replace('\\', "/");
            let owner = match name.as_str() {
                "CODEOWNERS" | "SECURITY.md" | "SUPPORT.md" | "scripts/New-Package.psd1" => {
                    "written by a key of the kit"
                }
                _ => "a file of the template",
            };
            taken.insert(name.to_lowercase(), (name, owner));
        }
        let ignored = ignored(&folder);
        let mut found = Vec::new();
        self.walk(&folder, &folder, &mut found)?;
        found.sort();
        for name in found.into_iter().filter(|name| !ignored.contains(name)) {
            let shown = folder.join(&name).display().to_string();
            // Windows does not distinguish the case. A file is no folder.
            let lower = name.to_lowercase();
            let mut parents = Path::new(&lower).ancestors();
            let other = parents.find_map(|it| taken.get(it.to_str()?)).cloned();
            if let Some((other, owner)) = other {
                self.mistakes
                    .push(format!("{shown}: {other} is {owner}: use another name"));
                continue;
            }
            if taken.keys().any(|it| it.starts_with(&format!("{lower}/"))) {
                self.mistakes.push(format!(
                    "{shown}: {name} is a folder of the template: use another name"
                ));
                continue;
            }
            let owner = "the same file on Windows";
            taken.insert(lower, (name.clone(), owner));
            self.file(&folder.join(&name), &name)?;
        }
        Ok(())
    }

    /// Finds the files of a folder, and refuses what is no file.
    fn walk(&mut self, root: &Path, folder: &Path, found: &mut Vec<String>) -> anyhow::Result<()> {
        let entries = fs::read_dir(folder);
        for entry in entries.with_context(|| format!("{} cannot be read", folder.display()))? {
            let path = entry?.path();
            let shown = path.display().to_string();
            let Some(name) = path.strip_prefix(root)?.to_str() else {
                self.mistakes
                    .push(format!("{shown}: the name is no Unicode: use another one"));
                continue;
            };
            let name = name.replace('\\', "/");
            let kind = fs::symlink_metadata(&path)?;
            let last = path.file_name().and_then(|it| it.to_str()).unwrap_or("");
            let is_liquid = path.extension().is_some_and(|it| it == "liquid");
            if last.contains("{%") {
                self.mistakes.push(format!(
                    "{shown}: a name has no conditions. Put the condition around the text: a file whose text is empty then \
                     is not emitted"
                ));
            } else if is_no_windows_name(last) {
                self.mistakes.push(format!(
                    "{shown}: Windows has no files with this name: use another one"
                ));
            } else if !self.kit.code_owners.is_empty() && OWNERS.contains(&name.as_str()) {
                self.mistakes.push(format!(
                    "{shown}: {} has code_owners, which are written to CODEOWNERS: keep one of them",
                    self.kit.shown
                ));
            } else if SPECIAL.contains(&last) || is_liquid {
                self.mistakes.push(format!(
                    "{shown}: cargo-generate does not emit a file with this name: use another one"
                ));
            } else if kind.is_symlink() {
                self.mistakes.push(format!(
                    "{shown}: this is a link: put the file itself there"
                ));
            } else if kind.is_dir() {
                if !crate::is_build_folder(&path) {
                    self.walk(root, &path, found)?;
                }
            } else if kind.is_file() {
                found.push(name);
            } else {
                self.mistakes
                    .push(format!("{shown}: this is neither a file nor a folder"));
            }
        }
        Ok(())
    }

    fn file(&mut self, from: &Path, name: &str) -> anyhow::Result<()> {
        let content =
            fs::read(from).with_context(|| format!("{} cannot be read", from.display()))?;
        let shown = from.display().to_string();
        let text = match String::from_utf8(content) {
            Ok(text) if !text.contains('\0') && !text.is_empty() => text,
            Ok(text) => return self.copy(from, name, text.as_bytes()),
            Err(error) => return self.copy(from, name, error.as_bytes()),
        };
        let text = self.checked(&text, &shown, 1);
        self.put(APART[0], from, name, text.as_bytes())
    }

    /// Adds a file that is no text, or empty.
    fn copy(&mut self, from: &Path, name: &str, content: &[u8]) -> anyhow::Result<()> {
        self.put(APART[1], from, name, content)
    }

    fn put(&mut self, apart: &str, from: &Path, name: &str, content: &[u8]) -> anyhow::Result<()> {
        let name = format!("{apart}/{name}");
        self.add(&name, content)?;
        let mode = fs::metadata(from)?.permissions();
        Ok(fs::set_permissions(self.template.join(name), mode)?)
    }

    /// A text in which expressions of GitHub are protected from Liquid, after each placeholder is known. `first` is the
    /// line at which the text begins in the file.
    fn checked(&mut self, text: &str, shown: &str, first: usize) -> String {
        let mut whole = String::new();
        let mut from = 0;
        let mut is_raw = false;
        for found in BRACES.captures_iter(text) {
            let Some(all) = found.get(0) else { continue };
            if let Some(tag) = found.get(3) {
                is_raw = tag.as_str() == "raw";
                continue;
            }
            if is_raw {
                continue;
            }
            let is_githubs = found.get(1).is_some_and(|it| !it.is_empty());
            let replacement = if is_githubs {
                format!("{{% raw %}}{}{{% endraw %}}", all.as_str())
            } else {
                let line = first + text[..all.start()].matches('\n').count();
                let inside = found.get(2).map_or("", |it| it.as_str());
                let name = VARIABLE.captures(inside).and_then(|it| it.get(1));
                let name = name.map_or(inside.trim(), |it| it.as_str());
                let place = format!("{shown}:{line}");
                self.judge_placeholder(name, &place);
                if self.lists.contains(name) && !inside.contains('|') {
                    self.mistakes.push(format!(
                        "{place}: {name} is a list: write {{{{{name} | join: \", \"}}}}"
                    ));
                }
                // The answer can be auto; the record has what follows from it.
                match name {
                    "license_year" => all.as_str().replacen(name, "year", 1),
                    "altitude" => all.as_str().replacen(name, "altitude_value", 1),
                    _ => continue,
                }
            };
            whole.push_str(&text[from..all.start()]);
            whole.push_str(&replacement);
            from = all.end();
        }
        whole.push_str(&text[from..]);
        if let Err(error) = self.parser.parse(&whole) {
            let (line, reason) = liquid_error(&error.to_string());
            let line = first + line.unwrap_or_else(|| line_with_last_word(text, &reason)) - 1;
            self.mistakes
                .push(format!("{shown}:{line}: Liquid cannot read this: {reason}"));
        }
        whole
    }

    fn judge_placeholder(&mut self, name: &str, place: &str) {
        if self.known.contains(name) {
            return;
        }
        let near = nearest(name, self.known.iter().map(String::as_str));
        let hint = near.map_or_else(|| ".".to_owned(), |near| format!(": did you mean {near}?"));
        self.mistakes.push(format!(
            "{place}: {} is no placeholder of the template{hint} To emit the braces as they are, write {{% raw %}} before \
             and {{% endraw %}} after them; an expression of GitHub begins with ${{{{",
            named(name)
        ));
    }
}

/// Whether no file on Windows can have a name (Naming Files, Paths, and Namespaces). A placeholder may have quotation marks
/// and bars.
fn is_no_windows_name(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or(name);
    let stem = stem.trim_end().to_lowercase();
    let is_port = ["com", "lpt"].iter().any(|port| {
        let number = stem.strip_prefix(port).unwrap_or_default();
        number.len() == 1 && number.bytes().all(|it| it.is_ascii_digit())
    });
    let has_placeholder = name.contains("{{");
    let is_refused = |it: char| {
        it.is_control() || "<>:\"|?*\\".contains(it) && !(has_placeholder && "|\"".contains(it))
    };
    is_port
        || DEVICES.contains(&stem.as_str())
        || name.ends_with(['.', ' '])
        || name.contains(is_refused)
}

/// The line and the reason in an error of Liquid.
fn liquid_error(error: &str) -> (Option<usize>, String) {
    let lines = || error.lines().map(str::trim);
    let line = lines().find_map(|it| {
        it.strip_prefix("--> ")
            .or(it.strip_prefix("liquid:  --> "))?
            .split(':')
            .next()?
            .parse()
            .ok()
    });
    let reason = lines().find_map(|it| it.strip_prefix("= "));
    let reason = reason.map_or_else(
        || {
            let words = lines().filter(|it| !it.starts_with("available ") && *it != "with:");
            words
                .collect::<Vec<_>>()
                .join(" ")
                .replacen("liquid: ", "", 1)
        },
        str::to_owned,
    );
    (line, reason)
}

/// The first line of a text that has the last word of a reason, from 1.
fn line_with_last_word(text: &str, reason: &str) -> usize {
    let word = reason.rsplit([' ', '=']).next().unwrap_or(reason);
    let line = text.lines().position(|line| line.contains(word));
    line.map_or(1, |at| at + 1)
}

/// Moves the files of a kit to their places in an emitted project. A text that is empty after it was rendered is not a file
/// of the project.
///
/// # Errors
///
/// The project has a file of the same name.
pub fn settle(project: &Path) -> anyhow::Result<()> {
    for name in APART {
        let apart = project.join(name);
        if !apart.exists() {
            continue;
        }
        for file in crate::files_below(&apart)? {
            let (from, to) = (apart.join(&file), project.join(&file));
            if name == APART[0] && fs::read_to_string(&from)?.trim().is_empty() {
                continue;
            }
            ensure!(
                !to.exists(),
                "the kit and the template have a file {}: use another name in {FOLDER}/ of the kit",
                file.display()
            );
            fs::create_dir_all(to.parent().context("there is no folder")?)?;
            fs::rename(from, to)?;
        }
        fs::remove_dir_all(apart)?;
    }
    Ok(())
}

/// The files of a folder that git ignores.
fn ignored(folder: &Path) -> BTreeSet<String> {
    let mut list = reading(folder);
    list.args(["ls-files", "-z", "--others", "--ignored"]);
    list.args(["--exclude-standard", "--", "."]);
    let listed = if folder.is_dir() {
        run(&mut list, None).unwrap_or_default()
    } else {
        Vec::new()
    };
    parts(&listed).into_iter().collect()
}

/// Adds the folder of copies to the list of files that cargo-generate copies.
fn exclude(file: &Path) -> anyhow::Result<()> {
    let text = fs::read_to_string(file)?;
    let mut table: toml::Table = toml::from_str(&text)?;
    let list = table
        .get_mut("template")
        .and_then(|it| it.as_table_mut())
        .map(|it| {
            it.entry("exclude")
                .or_insert_with(|| toml::Value::Array(Vec::new()))
        });
    let Some(toml::Value::Array(list)) = list else {
        bail!("cargo-generate.toml has no [template]");
    };
    list.push(toml::Value::from(format!("{}/**", APART[1])));
    Ok(fs::write(file, toml::to_string(&table)?)?)
}
