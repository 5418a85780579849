//! The input of a worker, in serialized form.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::act::Setup;
use crate::assume::Assumptions;
use crate::scenario::Scenario;
use crate::settings::Settings;

/// The input of a worker.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Job {
    /// The path of the driver.
    pub driver: PathBuf,
    /// The scenario.
    pub scenario: Scenario,
    /// The registry values.
    pub registry: Settings,
    /// The results of calls that the bench does not model.
    pub assume: Assumptions,
    /// The machine of a test, or `None` for a script.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub setup: Option<Setup>,
}
