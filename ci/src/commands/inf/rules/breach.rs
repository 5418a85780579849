//! The breaches that a rule reports.

use crate::commands::inf::finding::Code;

/// The breaches of a rule in a package.
pub type Said = Vec<Breach>;

/// A breach of a rule.
pub struct Breach {
    pub line: Option<usize>,
    pub code: Option<Code>,
    pub text: String,
}

/// A breach on a line.
pub fn at(line: usize, text: String) -> Breach {
    Breach {
        line: Some(line),
        code: None,
        text,
    }
}

/// A breach without a line: something is missing from the file.
pub fn nowhere(text: String) -> Breach {
    Breach {
        line: None,
        code: None,
        text,
    }
}

impl Breach {
    /// Adds a code that `InfVerif` was seen to report.
    pub fn seen(self, code: u16) -> Self {
        Self {
            code: Some(Code::Seen(code)),
            ..self
        }
    }

    /// Adds a code that is documented and was not seen.
    pub fn documented(self, code: u16) -> Self {
        Self {
            code: Some(Code::Documented(code)),
            ..self
        }
    }
}
