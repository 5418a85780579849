//! A run as data: what a worker does, written down.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::assume::Assumptions;
use crate::scenario::Scenario;
use crate::settings::Settings;

/// What a worker is to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Job {
    /// The driver.
    pub driver: PathBuf,
    /// The scenario.
    pub scenario: Scenario,
    /// Values in the registry.
    pub registry: Settings,
    /// What calls return that the model does not have.
    pub assume: Assumptions,
}
