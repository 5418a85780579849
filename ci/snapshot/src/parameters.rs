//! The driver's settings, read once at load from the service's `Parameters` key, where the INF puts
//! the defaults.
//!
//! A value that is not there has its default, and so have all of them where the key is not there. A
//! value that is there and cannot be meant is refused with a line in the log, and its default is
//! used. A key that cannot be read is something else: what the administrator set is not known, and
//! the driver is not loaded.

use core::{mem::offset_of, ptr};

use wdk_sys::{
    _DRIVER_REGKEY_TYPE::DriverRegKeyParameters,
    _KEY_VALUE_INFORMATION_CLASS::KeyValuePartialInformation,
    DRIVER_OBJECT, FILE_DEVICE_NETWORK_FILE_SYSTEM, HANDLE, KEY_QUERY_VALUE,
    KEY_VALUE_PARTIAL_INFORMATION, NTSTATUS, REG_DWORD, STATUS_BUFFER_OVERFLOW,
    STATUS_INVALID_PARAMETER, STATUS_OBJECT_NAME_NOT_FOUND, STATUS_OBJECT_TYPE_MISMATCH, ULONG,
    ntddk::{IoOpenDriverRegistryKey, ZwQueryValueKey},
};

use crate::{
    error_log,
    kernel_handle::KernelHandle,
    step::{Failure, Step},
    unicode::{counted, utf16},
};

/// Whether the filter attaches to network file systems, too: 0 or 1.
const ATTACH_TO_NETWORK: Setting = Setting {
    name: &utf16!("AttachToNetwork"),
    default: 1,
    least: 0,
    most: 1,
};

/// To how many volumes it attaches at most.
const MAXIMUM_INSTANCES: Setting = Setting {
    name: &utf16!("MaximumInstances"),
    default: 1024,
    least: 1,
    most: 65536,
};

/// The settings of this load.
///
/// To add one: a constant above, a field here, a line in [`Parameters::read`], and a line in both
/// registry sections of the INF.
pub struct Parameters {
    /// Whether the filter attaches to network file systems.
    attach_to_network: bool,
    /// To how many volumes it attaches at most.
    pub maximum_instances: u32,
}

impl Parameters {
    /// Reads the settings. IRQL `PASSIVE_LEVEL`, in the system's context, as in `DriverEntry`.
    ///
    /// # Errors
    ///
    /// What the registry answers, other than that the key or a value is not there.
    pub fn read(driver_object: &mut DRIVER_OBJECT) -> Result<Self, Failure> {
        let key = open(driver_object)?;
        let key = key.as_ref();
        Ok(Self {
            attach_to_network: ATTACH_TO_NETWORK.read(key, driver_object)? != 0,
            maximum_instances: MAXIMUM_INSTANCES.read(key, driver_object)?,
        })
    }

    /// Whether to attach to a volume on this type of device.
    pub const fn attach_to(&self, device_type: ULONG) -> bool {
        self.attach_to_network || device_type != FILE_DEVICE_NETWORK_FILE_SYSTEM
    }
}

/// A number among the settings: a `REG_DWORD`.
struct Setting {
    /// The value's name.
    name: &'static [u16],
    /// What holds where nothing else is set.
    default: u32,
    /// The limits; both are allowed.
    least: u32,
    most: u32,
}

/// A `KEY_VALUE_PARTIAL_INFORMATION` with room for one `REG_DWORD`.
#[repr(C)]
#[derive(Default)]
struct Value {
    title_index: ULONG,
    kind: ULONG,
    length: ULONG,
    number: u32,
}

const _: () = {
    assert!(offset_of!(KEY_VALUE_PARTIAL_INFORMATION, Type) == offset_of!(Value, kind));
    assert!(offset_of!(KEY_VALUE_PARTIAL_INFORMATION, DataLength) == offset_of!(Value, length));
    assert!(offset_of!(KEY_VALUE_PARTIAL_INFORMATION, Data) == offset_of!(Value, number));
};

/// Opens the key; none where there is none. Wraps `IoOpenDriverRegistryKey`.
fn open(driver_object: &mut DRIVER_OBJECT) -> Result<Option<KernelHandle>, Failure> {
    let mut key: HANDLE = ptr::null_mut();
    // SAFETY: the driver's own object, as DriverEntry was given it, and a place for the handle.
    let status = unsafe {
        IoOpenDriverRegistryKey(
            driver_object,
            DriverRegKeyParameters,
            KEY_QUERY_VALUE,
            0,
            &raw mut key,
        )
    };
    if status == STATUS_OBJECT_NAME_NOT_FOUND {
        return Ok(None);
    }
    Step::OpenParameters.check(status)?;
    // SAFETY: opened in the system's context just now, and closed by nobody else.
    Ok(Some(unsafe { KernelHandle::own(key) }))
}

impl Setting {
    /// Reads the value, or the default where there is none or a wrong one.
    fn read(
        &self,
        key: Option<&KernelHandle>,
        driver_object: &mut DRIVER_OBJECT,
    ) -> Result<u32, Failure> {
        let Some(key) = key else {
            return Ok(self.default);
        };
        match self.judge(&query(key, self.name)?) {
            Ok(number) => Ok(number),
            Err(status) => {
                error_log::parameter_refused(driver_object, self.name, status);
                Ok(self.default)
            }
        }
    }

    /// The number to use, or why what was found is refused.
    fn judge(&self, found: &Found) -> Result<u32, NTSTATUS> {
        match *found {
            Found::Nothing => Ok(self.default),
            Found::Number(number) if (self.least..=self.most).contains(&number) => Ok(number),
            Found::Number(_) => Err(STATUS_INVALID_PARAMETER),
            Found::SomethingElse => Err(STATUS_OBJECT_TYPE_MISMATCH),
        }
    }
}

/// What the key has under a name.
enum Found {
    Nothing,
    Number(u32),
    SomethingElse,
}

/// Wraps `ZwQueryValueKey`, with a buffer for a number.
fn query(key: &KernelHandle, name: &'static [u16]) -> Result<Found, Failure> {
    let mut name = counted(name);
    let mut value = Value::default();
    let mut length: ULONG = 0;
    #[expect(clippy::cast_possible_truncation, reason = "a small structure")]
    // SAFETY: the key is open, and the buffer has the size that is said.
    let status = unsafe {
        ZwQueryValueKey(
            key.get(),
            &raw mut name,
            KeyValuePartialInformation,
            (&raw mut value).cast(),
            size_of::<Value>() as ULONG,
            &raw mut length,
        )
    };
    if status == STATUS_OBJECT_NAME_NOT_FOUND {
        return Ok(Found::Nothing);
    }
    if status == STATUS_BUFFER_OVERFLOW {
        // More than four bytes.
        return Ok(Found::SomethingElse);
    }
    Step::QueryParameter.check(status)?;
    if value.kind == REG_DWORD && value.length as usize == size_of::<u32>() {
        Ok(Found::Number(value.number))
    } else {
        Ok(Found::SomethingElse)
    }
}
