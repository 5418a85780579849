//! Reads INF files, as documented in "General Syntax Rules for INF Files" and "INF Strings Section".
//!
//! Two other parsers are not used: inf-rs on crates.io needs a nightly compiler, and wininfparser on `PyPI` does not
//! parse fields, quotation marks and string tokens, which free text can break.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, bail, ensure};

use super::finding::{Code, Finding, Level, Rule};

const GENERAL: &str = "General Syntax Rules for INF Files";
const CODES: &str = "INF Validation Errors and Warnings";

static LINE: Rule = Rule {
    name: "line",
    level: Level::Must,
    seen: &[1002],
    documented: &[1002],
    asks: "Each line is a heading, an entry of a section, a comment or empty.",
    document: GENERAL,
};
static QUOTATION_MARKS: Rule = Rule {
    name: "quotation-marks",
    level: Level::Must,
    seen: &[],
    documented: &[1002],
    asks: "A quotation mark is closed on the same line.",
    document: GENERAL,
};
static PERCENT_SIGNS: Rule = Rule {
    name: "percent-signs",
    level: Level::Must,
    seen: &[1235],
    documented: &[],
    asks: "A percent sign that is not part of a token is doubled.",
    document: GENERAL,
};
static STRING_DEFINED: Rule = Rule {
    name: "string-defined",
    level: Level::Must,
    seen: &[1235],
    documented: &[],
    asks: "Each %token% is defined in [Strings].",
    document: "INF Strings Section",
};
// Windows merges sections of the same name, and InfVerif refuses them.
static SECTION_ONCE: Rule = Rule {
    name: "section-once",
    level: Level::Must,
    seen: &[1209],
    documented: &[],
    asks: "No two sections have the same name.",
    document: CODES,
};
static STRING_ONCE: Rule = Rule {
    name: "string-once",
    level: Level::Must,
    seen: &[1294],
    documented: &[],
    asks: "No string is defined twice in a section.",
    document: CODES,
};
static LENGTH: Rule = Rule {
    name: "length",
    level: Level::Must,
    seen: &[],
    documented: &[],
    asks: "A field has at most 4095 characters.",
    document: GENERAL,
};

/// The rules of the syntax.
pub static RULES: [&Rule; 7] = [
    &LINE,
    &QUOTATION_MARKS,
    &PERCENT_SIGNS,
    &STRING_DEFINED,
    &SECTION_ONCE,
    &STRING_ONCE,
    &LENGTH,
];

/// The most characters of a field.
const LONGEST: usize = 4095;

/// The encoding of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// One byte per character, without a byte order mark. Characters outside ASCII depend on the machine's code page.
    Ansi,
    /// UTF-8 with a byte order mark.
    Utf8,
    /// UTF-16, little-endian, with a byte order mark.
    Utf16,
}

/// An INF file.
#[derive(Debug)]
pub struct Inf {
    /// The text of the file.
    pub text: String,
    /// The encoding of the file.
    pub encoding: Encoding,
    /// Whether it is an INX, which stampinf has not processed.
    pub is_inx: bool,
    /// The sections, in the order of the file.
    pub sections: Vec<Section>,
    /// The names of the strings that are used, in lower case.
    pub used_strings: BTreeSet<String>,
    /// The breaches of the syntax. The rest of the file is read.
    pub findings: Vec<Finding>,
}

/// A section.
#[derive(Debug)]
pub struct Section {
    /// Its name, as written.
    pub name: String,
    /// The line of its heading, from 1.
    pub line: usize,
    /// Its entries.
    pub entries: Vec<Entry>,
}

/// An entry of a section: `value, value` or `key = value, value`.
#[derive(Debug)]
pub struct Entry {
    /// The line that it begins on, from 1.
    pub line: usize,
    /// Its key.
    pub key: Option<String>,
    /// Its values, without quotation marks and with string tokens replaced. A dirid such as `%13%` is kept.
    pub values: Vec<String>,
}

impl Entry {
    /// The value at a position; empty if it is omitted.
    #[must_use]
    pub fn value(&self, position: usize) -> &str {
        self.values.get(position).map_or("", String::as_str)
    }

    /// Whether the entry has this key, in any case.
    #[must_use]
    pub fn is(&self, key: &str) -> bool {
        self.key
            .as_ref()
            .is_some_and(|name| name.eq_ignore_ascii_case(key))
    }
}

impl Section {
    /// The first entry with a key.
    #[must_use]
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.is(key))
    }

    /// All entries with a key.
    pub fn all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a Entry> {
        self.entries.iter().filter(move |entry| entry.is(key))
    }

    /// The first value of the first entry with a key.
    #[must_use]
    pub fn value(&self, key: &str) -> Option<&str> {
        self.entry(key).map(|entry| entry.value(0))
    }
}

/// Decodes a file.
///
/// # Errors
///
/// The file is not text in an encoding of an INF.
pub fn decode(bytes: &[u8]) -> anyhow::Result<(String, Encoding)> {
    if let Some(units) = bytes.strip_prefix(b"\xff\xfe") {
        ensure!(
            units.len().is_multiple_of(2),
            "it is UTF-16 with an odd number of bytes"
        );
        let units = units
            .chunks_exact(2)
            .map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
        let text: Result<String, _> = char::decode_utf16(units).collect();
        let text = text.context("it begins as UTF-16 but is not valid UTF-16")?;
        return Ok((text, Encoding::Utf16));
    }
    if bytes.starts_with(b"\xfe\xff") {
        bail!("it is big-endian UTF-16: save it as little-endian UTF-16 with a byte order mark");
    }
    let (bytes, encoding) = match bytes.strip_prefix(b"\xef\xbb\xbf") {
        Some(bytes) => (bytes, Encoding::Utf8),
        None => (bytes, Encoding::Ansi),
    };
    if bytes.contains(&0) {
        bail!(
            "it contains NUL bytes: an INF is a text file, and UTF-16 begins with a byte order mark"
        );
    }
    let text = match str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        // Each byte is one character of a code page.
        Err(_) => bytes.iter().copied().map(char::from).collect(),
    };
    Ok((text, encoding))
}

/// Encodes a text as a file.
#[must_use]
pub fn encode(text: &str, encoding: Encoding) -> Vec<u8> {
    match encoding {
        Encoding::Ansi => text.as_bytes().to_vec(),
        Encoding::Utf8 => [b"\xef\xbb\xbf", text.as_bytes()].concat(),
        Encoding::Utf16 => ['\u{feff}']
            .into_iter()
            .chain(text.chars())
            .flat_map(|character| character.encode_utf16(&mut [0; 2]).to_vec())
            .flat_map(u16::to_le_bytes)
            .collect(),
    }
}

impl Inf {
    /// Reads the bytes of a file.
    ///
    /// # Errors
    ///
    /// The file is not an INF.
    pub fn decode(bytes: &[u8]) -> anyhow::Result<Self> {
        let (text, encoding) = decode(bytes)?;
        let inf = Self {
            encoding,
            ..Self::read(&text)
        };
        ensure!(
            inf.section("Version").is_some(),
            "it has no [Version] section, which every INF has"
        );
        Ok(inf)
    }

    /// Reads the text of a file.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let mut findings = Vec::new();
        let headed = sections(text, &mut findings);
        let mut tokens = Tokens {
            strings: defined(&headed, &mut findings),
            used: BTreeSet::new(),
        };
        let sections = headed
            .into_iter()
            .map(|headed| section(headed, &mut tokens, &mut findings))
            .collect();
        findings.sort_by_key(|finding| finding.line);
        Self {
            text: text.to_owned(),
            encoding: Encoding::Ansi,
            is_inx: text.contains("$ARCH$"),
            sections,
            used_strings: tokens.used,
            findings,
        }
    }

    /// Whether a string is used that is not defined.
    #[must_use]
    pub fn has_undefined_strings(&self) -> bool {
        let mut rules = self.findings.iter().map(|finding| finding.rule.name);
        rules.any(|name| name == STRING_DEFINED.name)
    }

    /// The section with a name, in any case.
    #[must_use]
    pub fn section(&self, name: &str) -> Option<&Section> {
        self.sections
            .iter()
            .find(|section| section.name.eq_ignore_ascii_case(name))
    }
}

/// Whether a section is a `[Strings]` section, in any language.
#[must_use]
pub fn is_strings(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name == "strings" || name.starts_with("strings.")
}

fn broken(rule: &'static Rule, line: usize, code: Option<Code>, text: String) -> Finding {
    Finding {
        rule,
        line: Some(line),
        code,
        text,
    }
}

/// A section whose entries are not parsed.
struct Headed {
    name: String,
    line: usize,
    /// The entries without comments, each with the number of the line that it begins on.
    entries: Vec<(usize, String)>,
}

fn sections(text: &str, findings: &mut Vec<Finding>) -> Vec<Headed> {
    let mut sections: Vec<Headed> = Vec::new();
    // The current section. If a name occurs twice, this is the first section of the name.
    let mut current: Option<usize> = None;
    for (number, line) in lines(text, findings) {
        let Some(name) = line.strip_prefix('[') else {
            match current.and_then(|at| sections.get_mut(at)) {
                Some(section) => section.entries.push((number, line)),
                None => findings.push(broken(
                    &LINE,
                    number,
                    Some(Code::Documented(1002)),
                    format!("{line} is before the first section"),
                )),
            }
            continue;
        };
        let name = match name.split_once(']') {
            Some((name, "")) => name,
            Some((name, _)) => {
                let text = format!("{line} has text after the heading");
                findings.push(broken(&LINE, number, Some(Code::Documented(1002)), text));
                name
            }
            None => {
                let text = format!("{line} begins a section but has no closing bracket");
                findings.push(broken(&LINE, number, Some(Code::Seen(1002)), text));
                name
            }
        };
        current = sections
            .iter()
            .position(|other| other.name.eq_ignore_ascii_case(name));
        if current.is_some() {
            let text = format!("the section [{name}] occurs a second time");
            findings.push(broken(&SECTION_ONCE, number, Some(Code::Seen(1209)), text));
        } else {
            current = Some(sections.len());
            sections.push(Headed {
                name: name.to_owned(),
                line: number,
                entries: Vec::new(),
            });
        }
    }
    sections
}

/// The lines that are not empty, without comments. Lines that a backslash continues are joined.
fn lines(text: &str, findings: &mut Vec<Finding>) -> Vec<(usize, String)> {
    let mut lines = Vec::new();
    let mut begun: Option<(usize, String)> = None;
    for (number, line) in (1..).zip(text.lines()) {
        if ["<<<<<<<", "=======", ">>>>>>>", "|||||||"]
            .iter()
            .any(|marker| line.starts_with(marker))
        {
            let text = format!("{line} marks a merge conflict: resolve the conflict");
            findings.push(broken(&LINE, number, None, text));
            continue;
        }
        let at = outside_quotes(line, ';').unwrap_or_else(|()| {
            let text = format!("a quotation mark is not closed in {}", line.trim());
            let code = Some(Code::Documented(1002));
            findings.push(broken(&QUOTATION_MARKS, number, code, text));
            None
        });
        let content = at.map_or(line, |at| &line[..at]).trim();
        let (first, mut whole) = begun.take().unwrap_or((number, String::new()));
        whole += content;
        if whole.ends_with('\\') {
            whole.truncate(whole.trim_end_matches('\\').len());
            begun = Some((first, whole));
        } else if !whole.is_empty() {
            lines.push((first, whole));
        }
    }
    lines.extend(begun.filter(|(_, whole)| !whole.is_empty()));
    lines
}

/// The strings, by their names in lower case. Tokens in strings are not replaced.
fn defined(sections: &[Headed], findings: &mut Vec<Finding>) -> BTreeMap<String, String> {
    let mut strings = BTreeMap::new();
    let (general, of_languages): (Vec<_>, Vec<_>) = sections
        .iter()
        .filter(|section| is_strings(&section.name))
        .partition(|section| section.name.eq_ignore_ascii_case("Strings"));
    for section in general.into_iter().chain(of_languages) {
        for (number, line) in &section.entries {
            let Some((name, value)) = split_key(line) else {
                let text = format!("{line} defines no string: it has no =");
                let code = Some(Code::Documented(1002));
                findings.push(broken(&LINE, *number, code, text));
                continue;
            };
            let name = unquoted(name).to_lowercase();
            strings.entry(name).or_insert_with(|| unquoted(value));
        }
    }
    strings
}

fn section(headed: Headed, tokens: &mut Tokens, findings: &mut Vec<Finding>) -> Section {
    let mut section = Section {
        name: headed.name,
        line: headed.line,
        entries: Vec::new(),
    };
    let has_strings = is_strings(&section.name);
    for (line, text) in headed.entries {
        let (key, values) = match split_key(&text) {
            Some((key, values)) => (Some(key), values),
            None => (None, text.as_str()),
        };
        let entry = if has_strings {
            Entry {
                line,
                key: key.map(unquoted),
                values: vec![field(values, line, findings)],
            }
        } else {
            let mut read = |text| {
                let field = field(text, line, findings);
                tokens.replaced(&field, line, findings)
            };
            Entry {
                line,
                key: key.map(&mut read),
                values: split(values).into_iter().map(read).collect(),
            }
        };
        if let Some(key) = &entry.key
            && has_strings
            && section.entry(key).is_some()
        {
            let text = format!("[{}] defines {key} a second time", section.name);
            findings.push(broken(&STRING_ONCE, line, Some(Code::Seen(1294)), text));
        }
        section.entries.push(entry);
    }
    section
}

struct Tokens {
    strings: BTreeMap<String, String>,
    used: BTreeSet<String>,
}

impl Tokens {
    /// Replaces `%token%` by its string, and `%%` by a percent sign. A number is a dirid, which is kept.
    fn replaced(&mut self, text: &str, line: usize, findings: &mut Vec<Finding>) -> String {
        let mut result = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('%') {
            result += before;
            let Some((token, after)) = after.split_once('%') else {
                let text = format!("a single % in {text}: write %% for a percent sign");
                let code = Some(Code::Seen(1235));
                findings.push(broken(&PERCENT_SIGNS, line, code, text));
                result.push('%');
                rest = after;
                continue;
            };
            if token.is_empty() {
                result.push('%');
            } else if token.bytes().all(|byte| byte.is_ascii_digit()) {
                result.extend(["%", token, "%"]);
            } else {
                let name = token.to_lowercase();
                if let Some(string) = self.strings.get(&name) {
                    result += string;
                    self.used.insert(name);
                } else {
                    let text = format!(
                        "the string {token} is not defined in [Strings]: define it, or write %% for a percent sign"
                    );
                    let code = Some(Code::Seen(1235));
                    findings.push(broken(&STRING_DEFINED, line, code, text));
                    result.extend(["%", token, "%"]);
                }
            }
            rest = after;
        }
        result + rest
    }
}

/// The first position of a character outside quotation marks; an error if a quotation mark is not closed.
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

/// Splits values at commas outside quotation marks.
fn split(mut text: &str) -> Vec<&str> {
    let mut values = Vec::new();
    while let Ok(Some(at)) = outside_quotes(text, ',') {
        values.push(text[..at].trim());
        text = &text[at + 1..];
    }
    values.push(text.trim());
    values
}

/// A value without its quotation marks. The quotation marks around it do not count towards its length.
fn field(value: &str, line: usize, findings: &mut Vec<Finding>) -> String {
    let inner = value
        .strip_prefix('"')
        .and_then(|value| value.strip_suffix('"'))
        .unwrap_or(value);
    let length = inner.chars().count();
    if length > LONGEST {
        let start: String = inner.chars().take(20).collect();
        let text = format!("{start}... has {length} characters: at most {LONGEST} are read");
        findings.push(broken(&LENGTH, line, None, text));
    }
    unquoted(value)
}

/// Removes quotation marks. Two of them inside a quoted part become one.
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
