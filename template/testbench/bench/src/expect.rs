//! The expected behavior of a driver and its registry values: the file `testbench.toml` of an emitted project.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fmt, fs};

use serde::{Deserialize, Serialize};

use crate::assume::Assumptions;
use crate::image::Refusal;
use crate::objects::volumes::VolumeKind;
use crate::settings::{Settings, dword};
use crate::vocabulary::major;

/// The result of unload requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    /// Every request unloads the driver.
    Always,
    /// `fltmc unload` fails with `STATUS_FLT_DO_NOT_DETACH`. A service stop unloads the driver.
    RefuseNonMandatory,
    /// There is no `FilterUnloadCallback`. Every request fails.
    Never,
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Policy::Always => "always",
            Policy::RefuseNonMandatory => "refuse-non-mandatory",
            Policy::Never => "never",
        })
    }
}

/// The destination of the report of a failed start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorLog {
    /// An error log entry.
    EventLog,
    /// A message to the debugger.
    Debugger,
}

/// The answer to requests to enable or query `BypassIO`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BypassIo {
    /// They are passed on.
    Pass,
    /// They are vetoed, at least for the bench's files.
    Veto,
    /// They are vetoed for some files.
    Choose,
}

/// The calls of the reinitialization routine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reinitialization {
    /// No routine is registered.
    None,
    /// The routine is called once.
    Once,
    /// The routine is called again until files can be opened.
    UntilFilesOpen,
}

/// The limits of a setting, a `REG_DWORD` in the service's `Parameters` key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// The number that has the same effect as no value.
    pub default: u32,
    /// The least number that is accepted.
    pub least: u32,
    /// The greatest number that is accepted.
    pub most: u32,
}

/// What other values of the settings change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct When {
    /// The values of settings. The others have their defaults.
    pub settings: BTreeMap<String, u32>,
    /// The volumes of the scripts to which the filter attaches.
    pub volumes: Vec<VolumeKind>,
}

/// The statuses with which a value of a setting is reported that is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefusedSettings {
    /// The status of a value of another type.
    #[serde(rename = "type")]
    pub of_type: String,
    /// The status of a number outside the limits.
    pub number: String,
}

/// The control device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Device {
    /// The name of the device.
    pub name: String,
    /// The name of its symbolic link.
    pub link: String,
    /// The requests that succeed, by the names of operations.
    pub requests: Vec<String>,
    /// The GUID of its setup class, without braces.
    #[serde(default)]
    pub class: Option<String>,
    /// The control codes that it has.
    #[serde(default)]
    pub codes: Vec<u32>,
    /// Only one handle can be open.
    #[serde(default)]
    pub exclusive: bool,
}

/// The expected behavior of a driver. With expectations, rules that otherwise give advice give findings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Expectations {
    /// The driver's name, without `.sys`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
    /// The unload policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unload_policy: Option<Policy>,
    /// Whether a service stop reaches the `FilterUnloadCallback`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_stop: Option<bool>,
    /// The destination of the report of a failed start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_log: Option<ErrorLog>,
    /// The operations with callbacks, by the names that the option uses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operations: Option<Vec<String>>,
    /// The operations that have a pre-operation callback and no post-operation callback. The other ones have both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pre_operation_only: Option<Vec<String>>,
    /// The answer to requests to enable or query `BypassIO`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bypass_io: Option<BypassIo>,
    /// The operations among `read` and `write` that are registered without paging I/O.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skip_paging_io: Option<Vec<String>>,
    /// The volumes of the scripts to which the filter attaches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volumes: Option<Vec<VolumeKind>>,
    /// Whether a request detaches an instance, which can then be attached again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detach: Option<bool>,
    /// The calls of the reinitialization routine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reinitialization: Option<Reinitialization>,
    /// How often the reinitialization routine is called if files can never be opened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reinitialization_calls: Option<usize>,
    /// The functions whose failure fails `DriverEntry`, each with the `UniqueErrorValue` of the error log entry.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub load_failures: BTreeMap<String, u32>,
    /// The control device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<Device>,
    /// The settings with their limits.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, Limits>,
    /// How values that are not accepted are reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused_settings: Option<RefusedSettings>,
    /// What other values of the settings change.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub when: Vec<When>,
    /// Registry values for the driver.
    #[serde(default, skip_serializing_if = "Settings::is_empty")]
    pub registry: Settings,
    /// Results of calls that the bench does not model.
    #[serde(default, skip_serializing_if = "Assumptions::is_empty")]
    pub assume: Assumptions,
    /// Only the fields that are set are checked. Advice remains advice.
    #[serde(skip)]
    pub lenient: bool,
}

impl Expectations {
    /// Reads a `testbench.toml`.
    ///
    /// # Errors
    ///
    /// Returns one sentence that names the file and describes the error.
    pub fn read(path: &Path) -> Result<Self, Refusal> {
        let text = fs::read_to_string(path)
            .map_err(|error| Refusal(format!("{} cannot be read: {error}.", path.display())))?;
        Self::parse(path, &text)
    }

    fn parse(path: &Path, text: &str) -> Result<Self, Refusal> {
        let shown = path.display();
        let expectations: Self = toml::from_str(text).map_err(|error| {
            Refusal(format!(
                "{shown} is not what the bench expects: {}.",
                error.message()
            ))
        })?;
        match expectations.problem() {
            Some(problem) => Err(Refusal(format!("{shown}: {problem}."))),
            None => Ok(expectations),
        }
    }

    /// Returns what is wrong with the values, in words.
    fn problem(&self) -> Option<String> {
        let requests = self.device.iter().flat_map(|device| &device.requests);
        let names = self.operations.iter().flatten().chain(requests);
        let lists = [&self.skip_paging_io, &self.pre_operation_only];
        let mut names = names.chain(lists.into_iter().flatten().flatten());
        if let Some(name) = names.find(|name| major::by_option(name).is_none()) {
            return Some(format!(
                "there is no operation {name:?}; the names are those of the IRP_MJ_ codes in lower case with hyphens, such as \"set-information\""
            ));
        }
        let others = self.when.iter().flat_map(|when| &when.volumes);
        let mut volumes = self.volumes.iter().flatten().chain(others);
        if let Some(kind) = volumes.find(|kind| !VolumeKind::OF_SCRIPTS.contains(kind)) {
            let names: Vec<String> = VolumeKind::OF_SCRIPTS.map(written).into();
            return Some(format!(
                "the scripts have no volume {}; they have {}",
                written(*kind),
                names.join(", ")
            ));
        }
        let names = self.settings.keys().map(|name| (name.as_str(), dword(0)));
        if let Err(why) = Settings::of(names) {
            return Some(why);
        }
        let mut changed = self.when.iter().flat_map(|when| when.settings.keys());
        if let Some(name) = changed.find(|name| !self.settings.contains_key(*name)) {
            return Some(format!("[[when]] names {name}, which is not in [settings]"));
        }
        let mut settings = self.settings.iter();
        let odd = settings.find(|(_, it)| !(it.least..=it.most).contains(&it.default));
        odd.map(|(name, _)| format!("the default of {name} is outside its limits"))
    }

    /// Searches the folders above a driver for a `testbench.toml`.
    ///
    /// # Errors
    ///
    /// Returns one sentence if the file cannot be read.
    pub fn find(driver: &Path) -> Result<Option<(PathBuf, Self)>, Refusal> {
        let driver = fs::canonicalize(driver).unwrap_or_else(|_| driver.to_path_buf());
        let file = driver
            .ancestors()
            .skip(1)
            .map(|folder| folder.join("testbench.toml"))
            .find(|file| file.is_file());
        match file {
            Some(file) => Ok(Some((file.clone(), Self::read(&file)?))),
            None => Ok(None),
        }
    }
}

/// Returns a kind of volume as it is written in the file.
fn written(kind: VolumeKind) -> String {
    serde_json::to_string(&kind).unwrap_or_else(|_| kind.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Expectations, String> {
        Expectations::parse(Path::new("testbench.toml"), text).map_err(|refusal| refusal.0)
    }

    #[test]
    fn the_emitted_file_is_parsed() {
        let text = "driver = \"my_filter\"\nunload-policy = \"refuse-non-mandatory\"\nservice-stop = true\nerror-log = \"event-log\"\noperations = [\"create\", \"set-information\"]\n";
        let expectations = parse(text).unwrap();
        assert_eq!(expectations.unload_policy, Some(Policy::RefuseNonMandatory));
        assert_eq!(expectations.error_log, Some(ErrorLog::EventLog));
    }

    #[test]
    fn registry_values_are_parsed_and_invalid_ones_refused() {
        let expectations =
            parse("[registry]\nMode = \"dword:1\"\n'Sub\\Path' = 'string:C:\\x'\n").unwrap();
        let names = expectations
            .registry
            .all()
            .iter()
            .map(|it| it.name.as_str());
        assert_eq!(names.collect::<Vec<_>>(), ["Mode", "Sub\\Path"]);
        for (text, says) in [
            ("Mode = 1", "expected a string such as \"dword:1\""),
            (
                "Mode = \"1\"",
                "the value \"1\" of Mode has no type; write TYPE:VALUE",
            ),
            ("Mode = \"dword:1\"\nmode = \"dword:2\"", "given twice"),
        ] {
            let refusal = parse(&format!("[registry]\n{text}")).unwrap_err();
            assert!(
                refusal.starts_with("testbench.toml is not what the bench expects: "),
                "{refusal}"
            );
            assert!(refusal.contains(says), "{refusal}");
        }
    }

    #[test]
    fn a_mistyped_key_is_refused() {
        let refusal = parse("unload_policy = \"always\"").unwrap_err();
        assert!(refusal.contains("unload_policy"), "{refusal}");
    }

    #[test]
    fn invalid_values_are_refused() {
        for (text, says) in [
            (
                "volumes = [\"fat\"]",
                "testbench.toml: the scripts have no volume \"fat\"; they have \"ntfs\", \"removable\", ",
            ),
            (
                "[settings]\nMode = { default = 3, least = 0, most = 2 }",
                "testbench.toml: the default of Mode is outside its limits.",
            ),
            (
                "[settings]\n'' = { default = 1, least = 0, most = 2 }",
                "testbench.toml: ",
            ),
            (
                "[settings]\nMode = { default = 1, least = 0, most = 2 }\nmode = { default = 1, least = 0, most = 2 }",
                "testbench.toml: the value mode is given twice",
            ),
            (
                "[[when]]\nsettings = { Mode = 1 }\nvolumes = []",
                "testbench.toml: [[when]] names Mode, which is not in [settings].",
            ),
            (
                "[device]\nname = 'a'\nlink = 'b'\nrequests = ['open']",
                "testbench.toml: there is no operation \"open\"",
            ),
        ] {
            let refusal = parse(text).unwrap_err();
            assert!(refusal.starts_with(says), "{refusal}");
        }
    }

    #[test]
    fn an_unknown_operation_is_refused() {
        assert_eq!(
            parse("operations = [\"creat\"]").unwrap_err(),
            "testbench.toml: there is no operation \"creat\"; the names are those of the IRP_MJ_ codes in lower case with hyphens, such as \"set-information\"."
        );
    }
}
