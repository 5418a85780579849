//! The reply to an act of a test.

use serde::{Deserialize, Serialize};

use crate::vocabulary::status::Status;

/// The number of a process, a file, a view or a request that a [`Reply`] returned.
pub type Number = u32;

/// The reply to an act.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Reply {
    /// The status. The status of a request that is not completed is `STATUS_PENDING`.
    pub status: Status,
    /// `IoStatus.Information`.
    pub information: u64,
    /// The data in the buffer of the request.
    pub data: Vec<u8>,
    /// The number of the object that the act created.
    pub number: Option<Number>,
    /// Why the system gave the status without a request.
    pub note: Option<String>,
    /// The model does not cover the act. The text names what is missing.
    pub not_modelled: Option<String>,
    /// The act is not possible: a file is closed, a volume does not exist.
    pub refused: Option<String>,
}

impl Reply {
    /// Creates a reply with a status.
    #[must_use]
    pub fn of(status: Status) -> Self {
        Reply {
            status,
            ..Reply::default()
        }
    }

    /// Creates a reply with the number of an object.
    #[must_use]
    pub fn number(number: Number) -> Self {
        Reply {
            number: Some(number),
            ..Reply::default()
        }
    }

    /// Creates a reply to an act that is not possible.
    #[must_use]
    pub fn refused(why: impl Into<String>) -> Self {
        Reply {
            refused: Some(why.into()),
            ..Reply::default()
        }
    }

    /// Returns why the act was not performed, if it was not.
    #[must_use]
    pub fn not_performed(&self) -> Option<String> {
        match (&self.refused, &self.not_modelled) {
            (Some(why), _) => Some(format!("not possible: {why}")),
            (None, Some(what)) => Some(format!("not modelled: {what}")),
            (None, None) => None,
        }
    }
}
