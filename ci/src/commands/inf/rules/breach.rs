//! What a rule says of a package.

use crate::commands::inf::finding::Code;

/// What a rule says of a package: each time it is broken.
pub type Said = Vec<Breach>;

/// Once that a rule is broken.
pub struct Breach {
    pub line: Option<usize>,
    pub code: Option<Code>,
    pub text: String,
}

/// A breach in a line.
pub fn at(line: usize, text: String) -> Breach {
    Breach {
        line: Some(line),
        code: None,
        text,
    }
}

/// A breach by something that is not there.
pub fn nowhere(text: String) -> Breach {
    Breach {
        line: None,
        code: None,
        text,
    }
}

impl Breach {
    /// With a code that `InfVerif` was seen to report.
    pub fn seen(self, code: u16) -> Self {
        Self {
            code: Some(Code::Seen(code)),
            ..self
        }
    }

    /// With a code that the documentation has.
    pub fn documented(self, code: u16) -> Self {
        Self {
            code: Some(Code::Documented(code)),
            ..self
        }
    }
}
