//! A reader of INF files, by the rules of "General syntax rules for INF files" and "INF Strings section".
//!
//! On crates.io there is inf-rs, which needs a nightly compiler, and on `PyPI` wininfparser, which tells sections and
//! keys apart but neither fields, quotation marks nor string tokens. It is those that free text can break.

use std::collections::BTreeMap;

/// An INF file.
pub struct Inf {
    /// The sections, in their order.
    pub sections: Vec<Section>,
    strings: BTreeMap<String, String>,
}

/// A section.
#[derive(Clone)]
pub struct Section {
    /// Its name, as written.
    pub name: String,
    /// Its entries as written, without comments.
    pub lines: Vec<String>,
}

impl Inf {
    /// Reads a file.
    pub fn read(text: &str) -> Self {
        let mut sections: Vec<Section> = Vec::new();
        for line in text.lines() {
            let line = without_comment(line).trim();
            if let Some(name) = line.strip_prefix('[') {
                let name = name
                    .strip_suffix(']')
                    .unwrap_or_else(|| panic!("no section: {line}"));
                sections.push(Section {
                    name: name.to_owned(),
                    lines: Vec::new(),
                });
            } else if !line.is_empty() {
                sections
                    .last_mut()
                    .expect("an entry before all sections")
                    .lines
                    .push(line.to_owned());
            }
        }
        let mut inf = Self {
            sections,
            strings: BTreeMap::new(),
        };
        // Tokens are not looked up in [Strings] itself.
        let strings = inf.section("Strings").lines;
        inf.strings = strings
            .iter()
            .map(|line| {
                let (key, value) = line.split_once('=').unwrap();
                (key.trim().to_lowercase(), unquoted(value.trim()))
            })
            .collect();
        inf
    }

    /// The section of that name.
    pub fn section(&self, name: &str) -> Section {
        let found = self
            .sections
            .iter()
            .find(|section| section.name.eq_ignore_ascii_case(name));
        found
            .unwrap_or_else(|| panic!("there is no section [{name}]"))
            .clone()
    }

    /// The names of the strings that are defined.
    pub fn string_names(&self) -> Vec<&String> {
        self.strings.keys().collect()
    }

    /// The fields of all entries of a section, without their keys.
    pub fn entries(&self, section: &str) -> Vec<Vec<String>> {
        self.section(section)
            .lines
            .iter()
            .map(|line| self.fields(line))
            .collect()
    }

    /// The fields of the entry of that key; there must be one at most.
    pub fn values(&self, section: &str, key: &str) -> Option<Vec<String>> {
        let mut found = self.section(section).lines.into_iter().filter_map(|line| {
            let (name, value) = line.split_once('=')?;
            name.trim()
                .eq_ignore_ascii_case(key)
                .then(|| self.fields(value))
        });
        let value = found.next();
        assert!(found.next().is_none(), "[{section}] has {key} twice");
        value
    }

    /// The only field of the entry of that key.
    pub fn value(&self, section: &str, key: &str) -> String {
        let mut values = self
            .values(section, key)
            .unwrap_or_else(|| panic!("[{section}] has no {key}"));
        assert_eq!(values.len(), 1, "[{section}] {key} {values:?}");
        values.remove(0)
    }

    fn fields(&self, text: &str) -> Vec<String> {
        split(text)
            .into_iter()
            .map(|field| self.substituted(&unquoted(field.trim())))
            .collect()
    }

    /// `%token%` becomes its string, `%%` a percent sign; a number is a folder and stays.
    fn substituted(&self, text: &str) -> String {
        let mut result = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('%') {
            result += before;
            let (token, after) = after
                .split_once('%')
                .unwrap_or_else(|| panic!("a single % in {text}"));
            if token.is_empty() {
                result.push('%');
            } else if token.bytes().all(|byte| byte.is_ascii_digit()) {
                result.extend(["%", token, "%"]);
            } else {
                let string = self.strings.get(&token.to_lowercase());
                result += string.unwrap_or_else(|| panic!("the string {token} is not defined"));
            }
            rest = after;
        }
        result + rest
    }
}

/// A semicolon begins a comment outside quotation marks.
fn without_comment(line: &str) -> &str {
    let mut quoted = false;
    for (at, character) in line.char_indices() {
        match character {
            '"' => quoted = !quoted,
            ';' if !quoted => return &line[..at],
            _ => {}
        }
    }
    assert!(!quoted, "an open quotation mark: {line}");
    line
}

/// A comma ends a field outside quotation marks.
fn split(text: &str) -> Vec<&str> {
    let mut fields = Vec::new();
    let (mut start, mut quoted) = (0, false);
    for (at, character) in text.char_indices() {
        match character {
            '"' => quoted = !quoted,
            ',' if !quoted => {
                fields.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    fields.push(&text[start..]);
    fields
}

/// Quotation marks go, and two of them inside a quoted part are one.
fn unquoted(text: &str) -> String {
    let mut result = String::new();
    let mut characters = text.chars().peekable();
    let mut quoted = false;
    while let Some(character) = characters.next() {
        if character != '"' {
            result.push(character);
        } else if quoted && characters.peek() == Some(&'"') {
            characters.next();
            result.push('"');
        } else {
            quoted = !quoted;
        }
    }
    result
}
