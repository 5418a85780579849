//! Renders the template in memory, strictly: an undefined name or filter is an error.
//!
//! cargo-generate renders an undefined name as an empty text, and copies a file that it cannot render. Its output is
//! therefore compared with this rendering of the same answers. This is a model of cargo-generate 0.26, with the same
//! libraries and the same order of steps: init hooks, names, options, pre hooks, files and their names, post hooks. It
//! has the functions that this template uses; a hook that calls another one fails with a message.
//!
//! The template is read and parsed once. A rendering takes a few milliseconds.

mod hooks;
mod state;
mod strict;

use std::{
    cell::{OnceCell, RefCell},
    collections::{BTreeMap, BTreeSet},
    env::consts::{ARCH, OS},
    fs,
    path::{Path, PathBuf},
    rc::Rc,
    sync::Arc,
};

use anyhow::{Context, anyhow, ensure};
use heck::{ToKebabCase, ToSnakeCase};
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use liquid::model::Value;
use serde::Deserialize;

use self::{
    hooks::Hooks,
    state::{Files, Form, Source, State, insert, text, truth},
    strict::Globals,
};
pub use self::{state::Failure, strict::parser};
use crate::{
    commands::{
        new::answers,
        options::{self, Declared, Kind},
    },
    files_below, is_build_folder, repository, visible,
};

/// A project in memory.
#[derive(Debug)]
pub struct Rendered {
    /// The name, as cargo-generate writes it: that of the folder and of the crate.
    pub name: String,
    /// The files by their path, with `/`.
    pub files: BTreeMap<String, Arc<[u8]>>,
    /// The lines that the hooks printed.
    pub notes: Vec<String>,
    /// The names that hooks set.
    pub set: BTreeSet<String>,
    /// The names that a template or a hook used.
    pub used: BTreeSet<String>,
}

impl Rendered {
    /// Compares it with an emitted project.
    ///
    /// # Errors
    ///
    /// The first file that differs.
    pub fn is_in(&self, project: &Path) -> anyhow::Result<()> {
        let emitted = files_below(project)?;
        for file in &emitted {
            let name = file.to_string_lossy().replace('\\', "/");
            let bytes = self.files.get(&name);
            let bytes = bytes.with_context(|| format!("{name} is emitted and not rendered"))?;
            let emitted = fs::read(project.join(file))?;
            ensure!(
                emitted == **bytes,
                "{name} is emitted otherwise than it is rendered: {}. cargo-generate formats Rust files: what the \
                 template renders must be as rustfmt writes it",
                first_difference(&emitted, bytes)
            );
        }
        let emitted = emitted.len();
        ensure!(
            emitted == self.files.len(),
            "{} files are rendered and {emitted} emitted",
            self.files.len()
        );
        Ok(())
    }
}

/// The first line that differs.
fn first_difference(emitted: &[u8], rendered: &[u8]) -> String {
    let lines = |bytes: &[u8]| -> Vec<String> {
        let lines = bytes.split(|byte| *byte == b'\n');
        lines
            .map(|line| visible(&String::from_utf8_lossy(line)))
            .collect()
    };
    let (emitted, rendered) = (lines(emitted), lines(rendered));
    let equal = emitted.iter().zip(&rendered).take_while(|(a, b)| a == b);
    let at = equal.count();
    let shown = |lines: &[String]| {
        lines
            .get(at)
            .map_or("missing".to_owned(), |line| format!("`{line}`"))
    };
    format!(
        "line {} is {} and not {}",
        at + 1,
        shown(&emitted),
        shown(&rendered)
    )
}

/// The parts of `cargo-generate.toml` besides the options.
#[derive(Deserialize)]
struct Config {
    template: TemplateConfig,
    hooks: HooksConfig,
}

#[derive(Deserialize)]
struct TemplateConfig {
    exclude: Vec<String>,
    ignore: Vec<String>,
}

#[derive(Deserialize)]
struct HooksConfig {
    init: Vec<String>,
    pre: Vec<String>,
    post: Vec<String>,
}

/// The template, read and parsed.
pub struct Renderer {
    options: Vec<Declared>,
    files: Files,
    parser: liquid::Parser,
    hooks: Hooks,
    destination: PathBuf,
}

thread_local! {
    /// The template of this repository, parsed once in each thread.
    static KEPT: OnceCell<Renderer> = const { OnceCell::new() };
}

/// Compares a project that was emitted from this repository with the rendering of the same answers.
///
/// # Errors
///
/// The first file that differs, or the fault of the template.
pub fn compare(project: &Path, name: &str, answers: &[(&str, &str)]) -> anyhow::Result<()> {
    KEPT.with(|kept| {
        if kept.get().is_none() {
            // The messages of the hooks, which name the folder, are not compared.
            let _ = kept.set(Renderer::new(Path::new("."))?);
        }
        let renderer = kept.get().context("the template is not kept")?;
        renderer.render(name, answers)?.is_in(project)
    })
}

impl Renderer {
    /// Reads and parses the template of this repository, for projects in `destination`.
    ///
    /// # Errors
    ///
    /// A file cannot be read or parsed.
    pub fn new(destination: &Path) -> anyhow::Result<Self> {
        Self::of(&repository(), destination)
    }

    /// Reads and parses the template in another folder, which has `cargo-generate.toml`, `hooks/` and `template/`.
    ///
    /// # Errors
    ///
    /// A file cannot be read or parsed.
    pub fn of(root: &Path, destination: &Path) -> anyhow::Result<Self> {
        let file = root.join("cargo-generate.toml");
        let config: Config = toml::from_str(&fs::read_to_string(&file)?)
            .with_context(|| format!("{} is not understood", file.display()))?;
        let template = root.join("template");
        let mut excluded = GitignoreBuilder::new(&template);
        for pattern in &config.template.exclude {
            excluded.add_line(None, pattern)?;
        }
        let parser = strict::parser()?;
        let reader = Reader {
            root: &template,
            ignored: config.template.ignore,
            excluded: excluded.build()?,
            parser: &parser,
        };
        let mut files = Files::new();
        reader.read(&template, &mut files)?;
        let hooks = Hooks::read(
            &template,
            [config.hooks.init, config.hooks.pre, config.hooks.post],
        )?;
        Ok(Self {
            options: options::declared_in(&file)?,
            files,
            parser,
            hooks,
            destination: destination.to_path_buf(),
        })
    }

    /// The options of the template.
    #[must_use]
    pub fn options(&self) -> &[Declared] {
        &self.options
    }

    /// Renders a project.
    ///
    /// # Errors
    ///
    /// An answer is refused, or the template is at fault.
    pub fn render(&self, name: &str, given: &[(&str, &str)]) -> Result<Rendered, Failure> {
        let define: Vec<String> = given
            .iter()
            .map(|(option, value)| format!("{option}={value}"))
            .collect();
        let answers = answers::defined(&self.options, &define)
            .map_err(|error| Failure::Refused(format!("{error:#}")))?;

        let state = Rc::new(RefCell::new(State {
            files: self.files.clone(),
            ..State::default()
        }));
        let [init, pre, post] = self.hooks.on(&state);
        insert(&state, "project-name", text(name));
        insert(&state, "is_init", truth(false));
        insert(&state, "os-arch", text(&format!("{OS}-{ARCH}")));
        init.run(&self.destination)?;

        let written = if name.to_snake_case() == name {
            name.to_owned()
        } else {
            name.to_kebab_case()
        };
        let folder = self.destination.join(&written);
        let within = folder
            .ancestors()
            .any(|folder| folder.join("Cargo.toml").exists());
        insert(&state, "project-name", text(&written));
        insert(&state, "crate_name", text(&name.to_snake_case()));
        insert(&state, "within_cargo_project", truth(within));
        for option in &self.options {
            let answer = answers.get(&option.name).unwrap_or(&option.default);
            insert(&state, &option.name, value(&option.kind, answer));
        }
        pre.run(&folder)?;
        let files = self.files_of(&state)?;
        post.run(&folder)?;

        let state = state.take();
        Ok(Rendered {
            name: written,
            files,
            notes: state.notes,
            set: state.set,
            used: state.used,
        })
    }

    fn files_of(&self, state: &RefCell<State>) -> Result<BTreeMap<String, Arc<[u8]>>, Failure> {
        let globals = Globals::new(state.borrow().globals.clone());
        let mut files = BTreeMap::new();
        for (path, source) in &state.borrow().files {
            let fault = |error: anyhow::Error| {
                Failure::Template(format!("template/{}: {error:#}", source.path))
            };
            let bytes = match &source.form {
                Form::Copied(bytes) => Arc::clone(bytes),
                Form::Rendered(template) => {
                    globals.render(template).map_err(fault)?.into_bytes().into()
                }
            };
            let path = self.name_of(path, &globals).map_err(fault)?;
            if files.insert(path.clone(), bytes).is_some() {
                return Err(fault(anyhow!("another file is {path}, too")));
            }
        }
        state.borrow_mut().used.extend(globals.used());
        Ok(files)
    }

    /// A path, with its placeholders rendered.
    fn name_of(&self, path: &str, globals: &Globals) -> anyhow::Result<String> {
        if !path.contains("{{") {
            return Ok(path.to_owned());
        }
        let parts: anyhow::Result<Vec<String>> = path
            .split('/')
            .map(|part| {
                let part = globals.render(&self.parser.parse(part)?)?;
                let options = sanitize_filename::Options {
                    replacement: "_",
                    ..sanitize_filename::Options::default()
                };
                Ok(sanitize_filename::sanitize_with_options(part, options))
            })
            .collect();
        Ok(parts?.join("/"))
    }
}

/// Reads the files of the template.
struct Reader<'a> {
    root: &'a Path,
    ignored: Vec<String>,
    excluded: Gitignore,
    parser: &'a liquid::Parser,
}

impl Reader<'_> {
    fn read(&self, folder: &Path, files: &mut Files) -> anyhow::Result<()> {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let name = path
                .strip_prefix(self.root)?
                .to_str()
                .with_context(|| format!("{} is no Unicode", path.display()))?
                .replace('\\', "/");
            if self.ignored.contains(&name) || is_build_folder(&path) {
                continue;
            }
            if path.is_dir() {
                self.read(&path, files)?;
                continue;
            }
            let form = self
                .form(&name, fs::read(&path)?)
                .with_context(|| format!("{} is no template", path.display()))?;
            // cargo-generate removes the suffix, and prefers such a file to one without it.
            let plain = name.strip_suffix(".liquid");
            let source = Rc::new(Source {
                path: name.clone(),
                form,
            });
            if let Some(plain) = plain {
                files.insert(plain.to_owned(), source);
            } else {
                files.entry(name).or_insert(source);
            }
        }
        Ok(())
    }

    fn form(&self, name: &str, bytes: Vec<u8>) -> anyhow::Result<Form> {
        let excluded = self.excluded.matched_path_or_any_parents(name, false);
        if excluded.is_ignore() {
            return Ok(Form::Copied(bytes.into()));
        }
        let text = String::from_utf8(bytes)?;
        Ok(if text.contains("{{") || text.contains("{%") {
            Form::Rendered(self.parser.parse(&text)?)
        } else {
            Form::Copied(text.into_bytes().into())
        })
    }
}

/// An answer, as a value in Liquid.
fn value(kind: &Kind, answer: &str) -> Value {
    match kind {
        Kind::Text { .. } | Kind::Choice(_) => text(answer),
        Kind::Flag => truth(answer.eq_ignore_ascii_case("true")),
        Kind::List(_) => Value::Array(
            answer
                .split(',')
                .filter(|item| !item.is_empty())
                .map(text)
                .collect(),
        ),
    }
}
