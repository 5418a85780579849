//! What an INF must keep, and what is said where it does not.

use std::fmt;

use serde::{Serialize, Serializer, ser::SerializeStruct as _};

/// The version of `InfVerif` whose codes are called seen.
pub const INFVERIF: &str = "10.0.26100.3323";

/// How much a rule counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Microsoft's documentation or `InfVerif` demands it: a breach is a finding.
    Must,
    /// It is recommended: a breach is advice.
    Should,
}

/// Something that an INF must keep.
#[derive(Debug)]
pub struct Rule {
    /// Its name.
    pub name: &'static str,
    /// How much it counts.
    pub level: Level,
    /// The codes under which `InfVerif` was seen to report it.
    pub seen: &'static [u16],
    /// The codes that the documentation has for it, and that `InfVerif` was not seen to report.
    pub documented: &'static [u16],
    /// What it asks.
    pub asks: &'static str,
    /// The title of the page that asks for it.
    pub document: &'static str,
}

/// What `InfVerif` calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// [`INFVERIF`] reports it for such an INF.
    Seen(u16),
    /// The documentation has it, and it was not seen.
    Documented(u16),
}

impl Code {
    /// The code.
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

/// What is wrong with an INF.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The rule that is broken.
    pub rule: &'static Rule,
    /// The line, from 1; `None` where something is missing from the file.
    pub line: Option<usize>,
    /// What `InfVerif` calls it.
    pub code: Option<Code>,
    /// What is wrong, and what would be right.
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
