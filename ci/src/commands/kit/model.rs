//! `kit.toml`, read with the line of each value.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use toml::de::{DeTable, DeValue};

use crate::commands::{
    new::answers::judge,
    options::{Declared, Kind, listed, named, nearest},
};

/// The file of a kit.
pub const FILE: &str = "kit.toml";

/// A value of the file, and its line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct At<T> {
    /// The value.
    pub value: T,
    /// The line, from 1.
    pub line: usize,
}

/// An answer of the kit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The option.
    pub option: String,
    /// The answer, as it is written after `-d option=`.
    pub value: String,
    /// Its line.
    pub line: usize,
}

/// An altitude that Microsoft assigned to the company.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Altitude {
    /// The altitude.
    pub value: String,
    /// The project that has it. Empty if none has.
    pub project: String,
    /// The line of the altitude.
    pub line: usize,
    /// Where the project stands in the file.
    pub(super) project_span: std::ops::Range<usize>,
}

/// The values of some options.
pub type Condition = Vec<(String, Vec<String>)>;

/// A rule for answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The rule applies if each of these options has one of these values.
    pub when: Condition,
    /// Then each of these must have one of these.
    pub then: Condition,
    /// The sentence with which other answers are refused.
    pub message: String,
    /// The line of the sentence.
    pub line: usize,
}

/// An organisation's kit.
#[derive(Debug)]
pub struct Kit {
    /// The folder.
    pub folder: PathBuf,
    /// `kit.toml`, as messages name it.
    pub shown: String,
    /// The state of the folder in its git repository, if it is committed.
    pub revision: Option<String>,
    /// Answers that replace the defaults of the template.
    pub defaults: Vec<Answer>,
    /// Answers that cannot be changed.
    pub locked: Vec<Answer>,
    /// Choices that cannot be taken.
    pub removed: Vec<Answer>,
    /// The altitudes.
    pub altitudes: Vec<Altitude>,
    /// Rules for answers.
    pub rules: Vec<Rule>,
    /// The comment at the beginning of each source file.
    pub header: Option<At<String>>,
    /// The text of the license.
    pub license_text: Option<At<String>>,
    /// The code owners.
    pub code_owners: Vec<At<String>>,
    /// Whom to report a vulnerability to.
    pub security: Option<At<String>>,
    /// Whom to ask.
    pub support: Option<At<String>>,
    /// The arguments for `signtool sign`.
    pub signtool: Option<At<String>>,
    /// The address of a time-stamp server.
    pub timestamp_server: Option<At<String>>,
    /// The address of a mirror of crates.io.
    pub registry: Option<At<String>>,
}

/// The keys of the file, with their form and meaning. The schema is made of them.
pub const KEYS: [(&str, Form, &str); 11] = [
    (
        "defaults",
        Form::Answers,
        "Answers that replace the defaults of the template",
    ),
    ("locked", Form::Answers, "Answers that cannot be changed"),
    (
        "removed",
        Form::Choices,
        "Choices that cannot be taken: a list for each option",
    ),
    (
        "altitudes",
        Form::Altitudes,
        "The altitudes that Microsoft assigned, and the projects that have them",
    ),
    (
        "rules",
        Form::Rules,
        "Rules for answers, with the sentences of their refusals",
    ),
    (
        "header",
        Form::Text,
        "The comment at the beginning of each Rust source and of the INX, with the placeholders of the template",
    ),
    (
        "license_text",
        Form::Text,
        "The text of the file LICENSE-PROPRIETARY; the kit must lock license to proprietary",
    ),
    (
        "code_owners",
        Form::Texts,
        "The owners of all files, for CODEOWNERS: @team or an e-mail address",
    ),
    (
        "contacts",
        Form::Contacts,
        "Whom to report a vulnerability to (security) and whom to ask (support)",
    ),
    (
        "signing",
        Form::Signing,
        "How New-Package.ps1 signs: the arguments for signtool sign, and the time-stamp server (RFC 3161)",
    ),
    (
        "registry",
        Form::Text,
        "The address of a mirror of crates.io: sparse+https://HOST/PATH/",
    ),
];

/// The form of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A table of answers.
    Answers,
    /// A table of lists of choices.
    Choices,
    /// Tables with a value and a project.
    Altitudes,
    /// Tables with when, then and message.
    Rules,
    /// A string.
    Text,
    /// A list of strings.
    Texts,
    /// A table with security and support.
    Contacts,
    /// A table with `arguments` and `timestamp_server`.
    Signing,
}

/// The mistakes in a kit, each a sentence with the file and the line.
#[derive(Debug, Default)]
pub struct Mistakes(Vec<String>);

impl Mistakes {
    /// Mistakes in `kit.toml`, with their lines.
    pub(super) fn in_file(shown: &str, mut mistakes: Vec<(usize, String)>) -> Self {
        mistakes.sort_by_key(|(line, _)| *line);
        let lines = mistakes.iter();
        Self(
            lines
                .map(|(line, sentence)| format!("{shown}:{line}: {sentence}"))
                .collect(),
        )
    }

    /// Adds more.
    pub fn add(&mut self, mistakes: impl IntoIterator<Item = String>) {
        self.0.extend(mistakes);
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The mistakes as an error, if there are any.
    ///
    /// # Errors
    ///
    /// All of them.
    pub fn none(self) -> anyhow::Result<()> {
        if self.is_empty() {
            return Ok(());
        }
        Err(self.into())
    }
}

impl IntoIterator for Mistakes {
    type Item = String;
    type IntoIter = std::vec::IntoIter<String>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for Mistakes {}

impl Kit {
    /// Reads a kit, for a template with these options. Values with mistakes are left out.
    ///
    /// # Errors
    ///
    /// `kit.toml` cannot be read, or is not valid TOML.
    pub fn read(folder: &Path, options: &[Declared]) -> anyhow::Result<(Self, Mistakes)> {
        let file = folder.join(FILE);
        let shown = file.display().to_string();
        let text = fs::read_to_string(&file).with_context(|| {
            format!("{shown} cannot be read: name the folder of a kit, in which {FILE} is")
        })?;
        Self::parse(folder, &shown, &text, options)
    }

    /// The same, of the text of `kit.toml`.
    pub(super) fn parse(
        folder: &Path,
        shown: &str,
        text: &str,
        options: &[Declared],
    ) -> anyhow::Result<(Self, Mistakes)> {
        let table = match DeTable::parse(text) {
            Ok(table) => table,
            Err(error) => {
                let line = error.span().map_or(1, |span| line_at(text, span.start));
                let marker = text.lines().position(|line| line.starts_with("<<<<<<< "));
                if let Some(at) = marker {
                    bail!("{shown}:{}: this is a conflict of git: resolve it", at + 1);
                }
                bail!(
                    "{shown}:{line}: this is not valid TOML: {}",
                    error.message()
                );
            }
        };
        let mut reader = Reader {
            text,
            options,
            mistakes: Vec::new(),
        };
        let mut kit = Self {
            folder: folder.to_owned(),
            shown: shown.to_owned(),
            revision: None,
            defaults: Vec::new(),
            locked: Vec::new(),
            removed: Vec::new(),
            altitudes: Vec::new(),
            rules: Vec::new(),
            header: None,
            license_text: None,
            code_owners: Vec::new(),
            security: None,
            support: None,
            signtool: None,
            timestamp_server: None,
            registry: None,
        };
        reader.kit(table.get_ref(), &mut kit);
        Ok((kit, Mistakes::in_file(shown, reader.mistakes)))
    }

    /// Drops what is about options and choices that a version of the template does not have.
    pub fn limit_to(&mut self, options: &[Declared]) {
        let has = |name: &str| options.iter().any(|it| it.name == name);
        self.defaults.retain(|it| has(&it.option));
        self.locked.retain(|it| has(&it.option));
        self.removed.retain(|it| {
            let option = options.iter().find(|option| option.name == it.option);
            option.is_some_and(|option| option.kind.values().any(|value| value == it.value))
        });
        self.rules.retain(|rule| {
            let mut names = rule.when.iter().chain(&rule.then);
            names.all(|(name, _)| has(name))
        });
    }

    /// The file and a line of it, for a message.
    #[must_use]
    pub fn place(&self, line: usize) -> String {
        format!("{}:{line}", self.shown)
    }
}

/// The line of a position.
#[must_use]
pub fn line_at(text: &str, position: usize) -> usize {
    let before = text.get(..position).unwrap_or(text);
    before.matches('\n').count() + 1
}

type Value<'a> = toml::Spanned<DeValue<'a>>;
type Key<'a> = toml::Spanned<std::borrow::Cow<'a, str>>;

struct Reader<'a> {
    text: &'a str,
    options: &'a [Declared],
    mistakes: Vec<(usize, String)>,
}

impl Reader<'_> {
    fn line(&self, span: &std::ops::Range<usize>) -> usize {
        line_at(self.text, span.start)
    }

    fn mistake(&mut self, at: &std::ops::Range<usize>, sentence: impl Into<String>) {
        let line = self.line(at);
        self.mistakes.push((line, sentence.into()));
    }

    fn kit(&mut self, table: &DeTable<'_>, kit: &mut Kit) {
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "defaults" => kit.defaults = self.answers("defaults", value),
                "locked" => kit.locked = self.answers("locked", value),
                "removed" => kit.removed = self.removed(value),
                "altitudes" => kit.altitudes = self.altitudes(value),
                "rules" => kit.rules = self.rules(value),
                "header" => kit.header = self.text("header", value),
                "license_text" => kit.license_text = self.text("license_text", value),
                "code_owners" => kit.code_owners = self.texts("code_owners", value),
                "contacts" => self.contacts(value, kit),
                "signing" => self.signing(value, kit),
                "registry" => kit.registry = self.text("registry", value),
                _ => self.unknown(key, KEYS.iter().map(|(name, ..)| *name)),
            }
        }
    }

    /// Whether a key of the file is in a table, which is a mistake.
    fn is_misplaced(&mut self, key: &Key<'_>) -> bool {
        let name: &str = key.get_ref();
        let is_key = KEYS.iter().any(|(known, ..)| *known == name);
        if is_key {
            let sentence = format!(
                "{name} is a key of the file, and here it is in a table: move it above the first line in brackets"
            );
            self.mistake(&key.span(), sentence);
        }
        is_key
    }

    fn unknown<'b>(&mut self, key: &Key<'_>, names: impl Iterator<Item = &'b str> + Clone) {
        let name: &str = key.get_ref();
        if self.is_misplaced(key) {
            return;
        }
        let hint = nearest(name, names.clone())
            .map_or_else(String::new, |near| format!("did you mean {near}? "));
        let sentence = format!(
            "{} is no key: {hint}The keys are {}",
            named(name),
            listed(names)
        );
        self.mistake(&key.span(), sentence);
    }

    /// A table, or a mistake.
    fn table<'v, 'd>(&mut self, name: &str, value: &'v Value<'d>) -> Option<&'v DeTable<'d>> {
        let table = value.get_ref().as_table();
        if table.is_none() {
            self.mistake(&value.span(), format!("{name} is no table: write [{name}]"));
        }
        table
    }

    fn text(&mut self, name: &str, value: &Value<'_>) -> Option<At<String>> {
        let text = value
            .get_ref()
            .as_str()
            .filter(|text| !text.trim().is_empty());
        if text.is_none() {
            self.mistake(
                &value.span(),
                format!(
                    "{name} is no text, or an empty one: write a string between quotation marks"
                ),
            );
        }
        // A string of several lines begins on the line after the quotation marks.
        let source = self.text.get(value.span()).unwrap_or_default();
        let starts = ["\"\"\"\n", "\"\"\"\r\n", "'''\n", "'''\r\n"];
        let is_below = starts.iter().any(|start| source.starts_with(start));
        Some(At {
            // A working tree on Windows has CR LF.
            value: text?.replace("\r\n", "\n"),
            line: self.line(&value.span()) + usize::from(is_below),
        })
    }

    fn texts(&mut self, name: &str, value: &Value<'_>) -> Vec<At<String>> {
        let Some(items) = value.get_ref().as_array() else {
            self.mistake(
                &value.span(),
                format!("{name} is no list: write {name} = [\"…\"]"),
            );
            return Vec::new();
        };
        let items: Vec<_> = items.iter().map(|item| self.text(name, item)).collect();
        items.into_iter().flatten().collect()
    }

    /// The option of a key, or a mistake.
    fn declared(&mut self, key: &Key<'_>) -> Option<Declared> {
        let name: &str = key.get_ref();
        let is_option = self.options.iter().any(|it| it.name == name);
        if !is_option && self.is_misplaced(key) {
            return None;
        }
        match crate::commands::options::find(self.options, key.get_ref()) {
            Ok(option) => Some(option.clone()),
            Err(error) => {
                self.mistake(&key.span(), error.to_string());
                None
            }
        }
    }

    fn answers(&mut self, name: &str, value: &Value<'_>) -> Vec<Answer> {
        let mut answers = Vec::new();
        for (key, value) in self.table(name, value).into_iter().flatten() {
            let Some(option) = self.declared(key) else {
                continue;
            };
            match plain(&option, value).and_then(|plain| {
                judge(&option, &plain)?;
                Ok(plain)
            }) {
                Ok(plain) => answers.push(Answer {
                    option: option.name,
                    value: plain,
                    line: self.line(&key.span()),
                }),
                Err(error) => self.mistake(&value.span(), error.to_string()),
            }
        }
        answers
    }

    fn removed(&mut self, value: &Value<'_>) -> Vec<Answer> {
        let mut removed = Vec::new();
        for (key, value) in self.table("removed", value).into_iter().flatten() {
            let Some(option) = self.declared(key) else {
                continue;
            };
            let choices = listed(option.kind.values());
            if choices.is_empty() {
                let sentence = format!("{} has no choices: lock it instead", option.name);
                self.mistake(&key.span(), sentence);
                continue;
            }
            for item in self.texts(&option.name, value) {
                if option.kind.values().any(|choice| choice == item.value) {
                    removed.push(Answer {
                        option: option.name.clone(),
                        value: item.value,
                        line: item.line,
                    });
                } else {
                    let sentence = format!(
                        "{} has no choice {}: the choices are {choices}",
                        option.name,
                        named(&item.value)
                    );
                    self.mistakes.push((item.line, sentence));
                }
            }
        }
        removed
    }

    /// The tables of a list, each with its keys, which must be among `names`.
    fn tables<'v, 'd>(
        &mut self,
        name: &str,
        names: &[&str],
        value: &'v Value<'d>,
    ) -> Vec<&'v DeTable<'d>> {
        let items = value.get_ref().as_array();
        let tables = items.map(|items| {
            let tables = items.iter().map(|item| item.get_ref().as_table());
            tables.collect::<Option<Vec<_>>>()
        });
        let Some(Some(tables)) = tables else {
            let sentence = format!("{name} is no list of tables: write [[{name}]]");
            self.mistake(&value.span(), sentence);
            return Vec::new();
        };
        for key in tables.iter().flat_map(|table| table.keys()) {
            if !names.contains(&key.get_ref().as_ref()) {
                self.unknown(key, names.iter().copied());
            }
        }
        tables
    }

    fn altitudes(&mut self, value: &Value<'_>) -> Vec<Altitude> {
        let mut altitudes = Vec::new();
        for table in self.tables("altitudes", &["value", "project"], value) {
            let Some(altitude) = table.get("value") else {
                self.mistake(&value.span(), "an entry of altitudes has no value");
                continue;
            };
            let Some(text) = self.text("value", altitude) else {
                continue;
            };
            let entry = table.get("project");
            let project = entry.and_then(|it| Some((it.get_ref().as_str()?, it.span())));
            let Some((project, project_span)) = project else {
                self.mistake(
                    &altitude.span(),
                    "the altitude has no project: write project = \"\" if no project has it",
                );
                continue;
            };
            altitudes.push(Altitude {
                value: text.value,
                project: project.to_owned(),
                line: text.line,
                project_span,
            });
        }
        altitudes
    }

    fn rules(&mut self, value: &Value<'_>) -> Vec<Rule> {
        let mut rules = Vec::new();
        for table in self.tables("rules", &["when", "then", "message"], value) {
            let part = |name: &str| table.get(name);
            let (Some(when), Some(then), Some(message)) =
                (part("when"), part("then"), part("message"))
            else {
                let span = table
                    .keys()
                    .next()
                    .map_or(value.span(), toml::Spanned::span);
                self.mistake(&span, "a rule needs when, then and message");
                continue;
            };
            let Some(message) = self.text("message", message) else {
                continue;
            };
            rules.push(Rule {
                when: self.condition("when", when),
                then: self.condition("then", then),
                line: message.line,
                message: message.value,
            });
        }
        rules
    }

    fn condition(&mut self, name: &str, value: &Value<'_>) -> Condition {
        let mut condition = Condition::new();
        let table = self.table(name, value);
        if table.is_some_and(DeTable::is_empty) {
            self.mistake(&value.span(), format!("{name} names no option"));
        }
        for (key, value) in table.into_iter().flatten() {
            let Some(option) = self.declared(key) else {
                continue;
            };
            let single = [value.clone()];
            let items = match value.get_ref().as_array() {
                Some(items) => items.iter().cloned().collect(),
                None => single.to_vec(),
            };
            let mut values = Vec::new();
            for item in &items {
                // One element of a list is an answer to it, too.
                let answer = match &option.kind {
                    Kind::List(_) => text_of(item, "write a string"),
                    _ => plain(&option, item),
                };
                match answer.and_then(|answer| judge(&option, &answer).map(|()| answer)) {
                    Ok(answer) => values.push(answer),
                    Err(error) => self.mistake(&item.span(), error.to_string()),
                }
            }
            condition.push((option.name, values));
        }
        condition
    }

    fn signing(&mut self, value: &Value<'_>, kit: &mut Kit) {
        let table = self.table("signing", value);
        for (key, value) in table.into_iter().flatten() {
            match key.get_ref().as_ref() {
                "arguments" => kit.signtool = self.text("arguments", value),
                "timestamp_server" => {
                    kit.timestamp_server = self.text("timestamp_server", value);
                }
                _ => self.unknown(key, ["arguments", "timestamp_server"].into_iter()),
            }
        }
        if table.is_some_and(|table| !table.contains_key("arguments")) {
            self.mistake(
                &value.span(),
                "signing has no arguments: write those for signtool sign, such as arguments = \"/fd SHA256 /n Contoso\"",
            );
        }
    }

    fn contacts(&mut self, value: &Value<'_>, kit: &mut Kit) {
        for (key, value) in self.table("contacts", value).into_iter().flatten() {
            match key.get_ref().as_ref() {
                "security" => kit.security = self.text("security", value),
                "support" => kit.support = self.text("support", value),
                _ => self.unknown(key, ["security", "support"].into_iter()),
            }
        }
    }
}

/// An answer in the form that its option has in TOML, as it is written after `-d option=`.
fn plain(option: &Declared, value: &Value<'_>) -> anyhow::Result<String> {
    let name = &option.name;
    match &option.kind {
        Kind::Flag => match value.get_ref().as_bool() {
            Some(flag) => Ok(flag.to_string()),
            None => bail!("{name} is true or false, without quotation marks"),
        },
        Kind::List(_) => {
            let rule = format!("{name} is a list: write {name} = [\"…\"]");
            let items = value.get_ref().as_array().context(rule.clone())?;
            let items = items.iter().map(|item| text_of(item, &rule));
            Ok(items.collect::<anyhow::Result<Vec<_>>>()?.join(","))
        }
        Kind::Text { .. } | Kind::Choice(_) => text_of(
            value,
            &format!("{name} is a text: write a string between quotation marks"),
        ),
    }
}

fn text_of(value: &Value<'_>, rule: &str) -> anyhow::Result<String> {
    let text = value.get_ref().as_str();
    Ok(text.with_context(|| rule.to_owned())?.to_owned())
}
