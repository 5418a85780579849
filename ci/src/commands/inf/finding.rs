//! Rules for INFs, and breaches of them.

use std::fmt;

use serde::{Serialize, Serializer, ser::SerializeStruct as _};

/// The version of `InfVerif` that reported the codes that are called seen.
pub const INFVERIF: &str = "10.0.26100.3323";

/// The level of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Microsoft's documentation or `InfVerif` requires it: a breach is a finding.
    Must,
    /// It is recommended: a breach is advice.
    Should,
}

/// A rule for INFs.
#[derive(Debug)]
pub struct Rule {
    /// Its name.
    pub name: &'static str,
    /// Its level.
    pub level: Level,
    /// The codes under which `InfVerif` was seen to report it.
    pub seen: &'static [u16],
    /// The codes that the documentation has for it, and that `InfVerif` was not seen to report.
    pub documented: &'static [u16],
    /// What it requires.
    pub asks: &'static str,
    /// The title of the page that documents it.
    pub document: &'static str,
}

/// A code of `InfVerif`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// The version [`INFVERIF`] reports it for such an INF.
    Seen(u16),
    /// It is documented, and that version was not seen to report it.
    Documented(u16),
}

impl Code {
    /// The number of the code.
    #[must_use]
    pub fn number(self) -> u16 {
        match self {
            Self::Seen(code) | Self::Documented(code) => code,
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Seen(code) => write!(f, "{code}, seen"),
            Self::Documented(code) => write!(f, "{code}, documented and not seen"),
        }
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Code", 2)?;
        fields.serialize_field("number", &self.number())?;
        fields.serialize_field("seen", &matches!(self, Self::Seen(_)))?;
        fields.end()
    }
}

/// A breach of a rule.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The rule that is broken.
    pub rule: &'static Rule,
    /// The line, from 1; `None` if something is missing from the file.
    pub line: Option<usize>,
    /// The code of `InfVerif`.
    pub code: Option<Code>,
    /// What is wrong, and how to correct it.
    pub text: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            rule,
            line,
            code,
            text,
        } = self;
        if let Some(line) = line {
            write!(f, "line {line}: ")?;
        }
        write!(f, "{text} ({}", rule.name)?;
        if let Some(code) = code {
            write!(f, "; InfVerif {code}")?;
        }
        write!(f, "; \"{}\")", rule.document)
    }
}

impl Serialize for Finding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Finding", 6)?;
        fields.serialize_field("rule", self.rule.name)?;
        fields.serialize_field("line", &self.line)?;
        fields.serialize_field("text", &self.text)?;
        fields.serialize_field("asks", self.rule.asks)?;
        fields.serialize_field("infverif", &self.code)?;
        fields.serialize_field("document", self.rule.document)?;
        fields.end()
    }
}
