//! The driver's settings, which are read once, when it is loaded, from the `Parameters` key of its
//! service. The INF adds the defaults.
//!
//! A value that is missing has its default. A value that is refused is reported, and has its default.
//! If the key cannot be read, the driver is not loaded, because the administrator's settings are not
//! known.

use wdk_sys::{FILE_DEVICE_NETWORK_FILE_SYSTEM, ULONG};

use crate::{
    error_log,
    flt::{
        DriverObject, Failure,
        registry::{ParametersKey, Setting, SettingValue},
        unicode::text,
    },
};

/// Whether the filter attaches to network file systems: 0 or 1.
const ATTACH_TO_NETWORK: Setting = Setting {
    name: text!("AttachToNetwork"),
    default: 1,
    least: 0,
    most: 1,
};

/// The greatest number of attached instances.
const MAXIMUM_INSTANCES: Setting = Setting {
    name: text!("MaximumInstances"),
    default: 1024,
    least: 1,
    most: 65536,
};

/// The settings.
///
/// To add one: a constant above, a field here, a line in [`Parameters::read`], and in the INF a line in
/// both registry sections and the default in `[Strings]`, and in `testbench.toml` a line in
/// `[settings]`.
pub struct Parameters {
    attach_to_network: bool,
    /// The greatest number of attached instances.
    pub maximum_instances: u32,
}

impl Parameters {
    /// Reads the settings. IRQL `PASSIVE_LEVEL`, in `DriverEntry`.
    ///
    /// # Errors
    ///
    /// The status of the registry, if the key or a value cannot be read.
    pub fn read(driver_object: &mut DriverObject<'_>) -> Result<Self, Failure> {
        let key = ParametersKey::open(driver_object)?;
        let mut number = |setting: &Setting| {
            Ok(match key.read(setting)? {
                SettingValue::Number(number) => number,
                SettingValue::Refused(status) => {
                    error_log::setting_refused(driver_object, setting.name, status);
                    setting.default
                }
            })
        };
        Ok(Self {
            attach_to_network: number(&ATTACH_TO_NETWORK)? != 0,
            maximum_instances: number(&MAXIMUM_INSTANCES)?,
        })
    }

    /// Returns whether the filter attaches to volumes on this type of device.
    pub const fn attach_to(&self, device_type: ULONG) -> bool {
        self.attach_to_network || device_type != FILE_DEVICE_NETWORK_FILE_SYSTEM
    }
}
