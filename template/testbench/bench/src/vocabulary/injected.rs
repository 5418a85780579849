//! The result of a call that a scenario injects.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::status::Status;

/// A result that a scenario injects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Injected {
    /// A status. A success status is returned after the function has run.
    Status(Status),
    /// NULL, or FALSE.
    Zero,
}

impl Injected {
    /// Returns whether the call fails. Then the function does not run.
    #[must_use]
    pub fn is_failure(self) -> bool {
        match self {
            Injected::Status(status) => !status.is_success(),
            Injected::Zero => true,
        }
    }

    /// Returns the status, if there is one.
    #[must_use]
    pub fn status(self) -> Option<Status> {
        match self {
            Injected::Status(status) => Some(status),
            Injected::Zero => None,
        }
    }
}

impl fmt::Display for Injected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Injected::Status(status) => fmt::Display::fmt(status, f),
            Injected::Zero => f.write_str("NULL"),
        }
    }
}
