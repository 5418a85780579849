//! The `Parameters` key of the driver's service.

use core::{mem::offset_of, ptr};

use wdk_sys::{
    _DRIVER_REGKEY_TYPE::DriverRegKeyParameters,
    _KEY_VALUE_INFORMATION_CLASS::KeyValuePartialInformation,
    HANDLE, KEY_QUERY_VALUE, KEY_VALUE_PARTIAL_INFORMATION, NTSTATUS, REG_DWORD,
    STATUS_BUFFER_OVERFLOW, STATUS_INVALID_PARAMETER, STATUS_OBJECT_NAME_NOT_FOUND,
    STATUS_OBJECT_TYPE_MISMATCH, ULONG,
    ntddk::{IoOpenDriverRegistryKey, ZwQueryValueKey},
};

use super::{
    driver_object::DriverObject,
    handle::KernelHandle,
    step::{Failure, Step},
    unicode::{Text, text},
};

/// The step `IoOpenDriverRegistryKey`.
const OPEN_PARAMETERS: &Step = &Step::new(3, text!("IoOpenDriverRegistryKey"));

/// The step `ZwQueryValueKey`.
pub const QUERY_PARAMETER: &Step = &Step::new(4, text!("ZwQueryValueKey"));

/// The key, or none if there is none.
pub struct ParametersKey(Option<KernelHandle>);

/// A number among the driver's settings: a `REG_DWORD`.
#[derive(Clone, Copy)]
pub struct Setting {
    /// The name of the value.
    pub name: Text,
    /// The number without a value.
    pub default: u32,
    /// The least number that is allowed.
    pub least: u32,
    /// The greatest number that is allowed.
    pub most: u32,
}

/// What the key has for a setting.
pub enum SettingValue {
    /// The number: that of the value, or the default if there is no value.
    Number(u32),
    /// The value is refused: `STATUS_OBJECT_TYPE_MISMATCH` if it is no `REG_DWORD`,
    /// `STATUS_INVALID_PARAMETER` if it is outside the limits.
    Refused(NTSTATUS),
}

/// A `KEY_VALUE_PARTIAL_INFORMATION` with room for a `REG_DWORD`.
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

impl ParametersKey {
    /// Opens the key. Wraps `IoOpenDriverRegistryKey`; IRQL `PASSIVE_LEVEL`, in `DriverEntry`.
    ///
    /// # Errors
    ///
    /// The status of `IoOpenDriverRegistryKey`, unless there is no key.
    pub fn open(driver_object: &mut DriverObject<'_>) -> Result<Self, Failure> {
        let mut key: HANDLE = ptr::null_mut();
        // SAFETY: the driver's own object, as DriverEntry received it, and a place for the handle.
        let status = unsafe {
            IoOpenDriverRegistryKey(
                driver_object.as_ptr(),
                DriverRegKeyParameters,
                KEY_QUERY_VALUE,
                0,
                &raw mut key,
            )
        };
        if status == STATUS_OBJECT_NAME_NOT_FOUND {
            return Ok(Self(None));
        }
        OPEN_PARAMETERS.check(status)?;
        // SAFETY: opened in the system process just now, and closed by nobody else.
        Ok(Self(Some(unsafe { KernelHandle::own(key) })))
    }

    /// Reads a setting. Wraps `ZwQueryValueKey`; IRQL `PASSIVE_LEVEL`.
    ///
    /// # Errors
    ///
    /// The status of `ZwQueryValueKey`, unless there is no value.
    pub fn read(&self, setting: &Setting) -> Result<SettingValue, Failure> {
        let Some(key) = &self.0 else {
            return Ok(SettingValue::Number(setting.default));
        };
        let mut name = setting.name.counted();
        let mut value = Value::default();
        let mut length: ULONG = 0;
        #[expect(clippy::cast_possible_truncation, reason = "a small structure")]
        // SAFETY: the key is open, and the buffer has the size that is passed.
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
            return Ok(SettingValue::Number(setting.default));
        }
        if status == STATUS_BUFFER_OVERFLOW {
            // The value has more than four bytes.
            return Ok(SettingValue::Refused(STATUS_OBJECT_TYPE_MISMATCH));
        }
        QUERY_PARAMETER.check(status)?;
        Ok(
            if value.kind != REG_DWORD || value.length as usize != size_of::<u32>() {
                SettingValue::Refused(STATUS_OBJECT_TYPE_MISMATCH)
            } else if (setting.least..=setting.most).contains(&value.number) {
                SettingValue::Number(value.number)
            } else {
                SettingValue::Refused(STATUS_INVALID_PARAMETER)
            },
        )
    }
}
