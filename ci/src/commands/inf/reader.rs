//! A reader of INF files, by "General Syntax Rules for INF Files" and "INF Strings Section".
//!
//! On crates.io there is inf-rs, which needs a nightly compiler, and on `PyPI` wininfparser, which tells sections and
//! keys apart but neither fields, quotation marks nor string tokens. It is those that free text can break.

use std::collections::{BTreeMap, BTreeSet};

use super::{Finding, Rule};

const GENERAL: &str = "General Syntax Rules for INF Files";

const LINE: Rule = Rule {
    name: "line",
    codes: &[1002],
    document: GENERAL,
};
const QUOTATION_MARKS: Rule = Rule {
    name: "quotation-marks",
    codes: &[1002],
    document: GENERAL,
};
const PERCENT_SIGNS: Rule = Rule {
    name: "percent-signs",
    codes: &[1235],
    document: GENERAL,
};
const STRING_DEFINED: Rule = Rule {
    name: "string-defined",
    codes: &[1235],
    document: "INF Strings Section",
};
// The system merges sections of one name, and InfVerif refuses them.
const SECTION_ONCE: Rule = Rule {
    name: "section-once",
    codes: &[1209],
    document: "INF Validation Errors and Warnings",
};
const KEY_ONCE: Rule = Rule {
    name: "key-once",
    codes: &[1088, 1294],
    document: "INF Validation Errors and Warnings",
};
// The page says it of what a token stands for.
const LENGTH: Rule = Rule {
    name: "length",
    codes: &[],
    document: "INF AddService Directive",
};

/// What keeps a file from being read.
pub static RULES: [&Rule; 7] = [
    &LINE,
    &QUOTATION_MARKS,
    &PERCENT_SIGNS,
    &STRING_DEFINED,
    &SECTION_ONCE,
    &KEY_ONCE,
    &LENGTH,
];

/// The most characters that a value has.
const LONGEST: usize = 511;

/// An INF file.
#[derive(Debug)]
pub struct Inf {
    /// The file.
    pub text: String,
    /// The sections, in their order.
    pub sections: Vec<Section>,
    /// The names of the strings that are used somewhere, in lower case.
    pub used_strings: BTreeSet<String>,
}

/// A section.
#[derive(Debug)]
pub struct Section {
    /// Its name, as written.
    pub name: String,
    /// Its entries.
    pub entries: Vec<Entry>,
}

/// An entry of a section: `value, value` or `key = value, value`.
#[derive(Debug)]
pub struct Entry {
    /// The line that it stands on, from 1.
    pub line: usize,
    /// Its key.
    pub key: Option<String>,
    /// Its values: without quotation marks, with the strings in place of their tokens. `%13%` stays.
    pub values: Vec<String>,
}

impl Entry {
    /// A value, by its position; empty where it is omitted.
    #[must_use]
    pub fn value(&self, position: usize) -> &str {
        self.values.get(position).map_or("", String::as_str)
    }
}

impl Section {
    /// The entry of a key.
    #[must_use]
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| {
            entry
                .key
                .as_ref()
                .is_some_and(|name| name.eq_ignore_ascii_case(key))
        })
    }

    /// The first value of the entry of a key.
    #[must_use]
    pub fn value(&self, key: &str) -> Option<&str> {
        self.entry(key).map(|entry| entry.value(0))
    }
}

/// A line without its comment, and its number.
type Line<'a> = (usize, &'a str);

impl Inf {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// What keeps it from being read, with the line.
    pub fn read(text: &str) -> Result<Self, Finding> {
        let sections = lines_by_section(text)?;
        let strings = sections
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case("Strings"))
            .map_or(Ok(BTreeMap::new()), |(_, lines)| defined(lines))?;
        let mut tokens = Tokens {
            strings,
            used: BTreeSet::new(),
        };
        let sections = sections
            .into_iter()
            .map(|(name, lines)| section(name, &lines, &mut tokens))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            text: text.to_owned(),
            sections,
            used_strings: tokens.used,
        })
    }

    /// The section of a name, where there is one.
    #[must_use]
    pub fn section(&self, name: &str) -> Option<&Section> {
        self.sections
            .iter()
            .find(|section| section.name.eq_ignore_ascii_case(name))
    }
}

fn broken(rule: &'static Rule, line: usize, text: &str) -> Finding {
    Finding {
        rule,
        code: rule.codes.first().copied(),
        text: format!("line {line}: {text}"),
    }
}

fn lines_by_section(text: &str) -> Result<Vec<(&str, Vec<Line<'_>>)>, Finding> {
    let mut sections: Vec<(&str, Vec<Line>)> = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = without_comment(line, number)?.trim();
        if line.ends_with('\\') {
            let text = "the entry goes on in the next line, which is not read here";
            return Err(broken(&LINE, number, text));
        }
        if let Some(name) = line.strip_prefix('[') {
            let Some(name) = name.strip_suffix(']') else {
                let text = format!("{line} begins a section and has no closing bracket");
                return Err(broken(&LINE, number, &text));
            };
            if sections
                .iter()
                .any(|(other, _)| other.eq_ignore_ascii_case(name))
            {
                let text = format!("[{name}] is there a second time");
                return Err(broken(&SECTION_ONCE, number, &text));
            }
            sections.push((name, Vec::new()));
        } else if !line.is_empty() {
            let Some((_, lines)) = sections.last_mut() else {
                let text = format!("{line} stands before all sections");
                return Err(broken(&LINE, number, &text));
            };
            lines.push((number, line));
        }
    }
    Ok(sections)
}

/// The strings by their names in lower case. Tokens are not looked up in them.
fn defined(lines: &[Line]) -> Result<BTreeMap<String, String>, Finding> {
    let mut strings = BTreeMap::new();
    for &(number, line) in lines {
        let Some((name, value)) = split_key(line) else {
            let text = format!("{line} defines no string: it has no =");
            return Err(broken(&LINE, number, &text));
        };
        strings.insert(
            name.to_lowercase(),
            unquoted(fitting(value, number)?, number)?,
        );
    }
    Ok(strings)
}

fn section(name: &str, lines: &[Line], tokens: &mut Tokens) -> Result<Section, Finding> {
    let mut section = Section {
        name: name.to_owned(),
        entries: Vec::new(),
    };
    let is_strings = name.eq_ignore_ascii_case("Strings");
    for &(line, text) in lines {
        let (key, values) = match split_key(text) {
            Some((key, values)) => (Some(key), values),
            None => (None, text),
        };
        let entry = if is_strings {
            Entry {
                line,
                key: key.map(str::to_owned),
                values: vec![unquoted(values, line)?],
            }
        } else {
            let mut read = |text| tokens.replaced(&unquoted(fitting(text, line)?, line)?, line);
            Entry {
                line,
                key: key.map(&mut read).transpose()?,
                values: split(values)
                    .into_iter()
                    .map(read)
                    .collect::<Result<_, _>>()?,
            }
        };
        if let Some(key) = entry
            .key
            .as_ref()
            .filter(|key| section.entry(key).is_some())
        {
            let text = format!("[{name}] has {key} a second time");
            let mut finding = broken(&KEY_ONCE, line, &text);
            if is_strings {
                finding.code = Some(1294);
            }
            return Err(finding);
        }
        section.entries.push(entry);
    }
    Ok(section)
}

struct Tokens {
    strings: BTreeMap<String, String>,
    used: BTreeSet<String>,
}

impl Tokens {
    /// `%token%` becomes its string, `%%` a percent sign; a number is a folder and stays.
    fn replaced(&mut self, text: &str, line: usize) -> Result<String, Finding> {
        let mut result = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('%') {
            result += before;
            let Some((token, after)) = after.split_once('%') else {
                let text = format!("a single % in {text}: write %% for a percent sign");
                return Err(broken(&PERCENT_SIGNS, line, &text));
            };
            if token.is_empty() {
                result.push('%');
            } else if token.bytes().all(|byte| byte.is_ascii_digit()) {
                result.extend(["%", token, "%"]);
            } else {
                let name = token.to_lowercase();
                let Some(string) = self.strings.get(&name) else {
                    let text = format!(
                        "the string {token} is not defined in [Strings]: define it, or write %% for a percent sign"
                    );
                    return Err(broken(&STRING_DEFINED, line, &text));
                };
                result += string;
                self.used.insert(name);
            }
            rest = after;
        }
        Ok(result + rest)
    }
}

/// A semicolon begins a comment outside quotation marks.
fn without_comment(line: &str, number: usize) -> Result<&str, Finding> {
    let Ok(at) = outside_quotes(line, ';') else {
        let text = format!("a quotation mark is open at the end of {line}");
        return Err(broken(&QUOTATION_MARKS, number, &text));
    };
    Ok(at.map_or(line, |at| &line[..at]))
}

/// The first place of a character outside quotation marks; an error where they are open at the end.
fn outside_quotes(text: &str, wanted: char) -> Result<Option<usize>, ()> {
    let mut quoted = false;
    for (at, character) in text.char_indices() {
        if character == '"' {
            quoted = !quoted;
        } else if character == wanted && !quoted {
            return Ok(Some(at));
        }
    }
    if quoted { Err(()) } else { Ok(None) }
}

fn split_key(text: &str) -> Option<(&str, &str)> {
    let at = outside_quotes(text, '=').ok().flatten()?;
    Some((text[..at].trim(), text[at + 1..].trim()))
}

/// A comma ends a value outside quotation marks.
fn split(mut text: &str) -> Vec<&str> {
    let mut values = Vec::new();
    while let Ok(Some(at)) = outside_quotes(text, ',') {
        values.push(text[..at].trim());
        text = &text[at + 1..];
    }
    values.push(text.trim());
    values
}

/// The value, where it is no longer than it may be. The quotation marks around it do not count.
fn fitting(value: &str, line: usize) -> Result<&str, Finding> {
    let inner = value
        .strip_prefix('"')
        .and_then(|value| value.strip_suffix('"'))
        .unwrap_or(value);
    let length = inner.chars().count();
    if length > LONGEST {
        let start: String = inner.chars().take(20).collect();
        let text = format!("{start}... has {length} characters: at most {LONGEST} are read");
        return Err(broken(&LENGTH, line, &text));
    }
    Ok(value)
}

/// Quotation marks go, and two of them inside a quoted part are one.
fn unquoted(text: &str, line: usize) -> Result<String, Finding> {
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
    if quoted {
        // As in """": an even number of marks, and yet one is open.
        let text = format!("a quotation mark is open in {text}");
        return Err(broken(&QUOTATION_MARKS, line, &text));
    }
    Ok(result)
}
