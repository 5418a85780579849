//! The control device: a name that programs can open, and through which the system announces its
//! shutdown. Programs open `\\.\my_filter`; only the system and administrators may.

use wdk_sys::{GUID, NTSTATUS, STATUS_SUCCESS};

use crate::{
    flt::{
        control_device::ControlDevice,
        unicode::{Text, text},
    },
    state::State,
};

impl ControlDevice for State {
    const DEVICE_NAME: Text = text!(r"\Device\my_filter");
    const LINK_NAME: Text = text!(r"\DosDevices\my_filter");
    // The system and administrators may do everything, nobody else anything, and nothing is
    // inherited: SDDL_DEVOBJ_SYS_ALL_ADM_ALL of wdmsec.h.
    const SECURITY: Text = text!("D:P(A;;GA;;;SY)(A;;GA;;;BA)");
    // The driver's own class, made from the project's name.
    const CLASS: GUID = GUID {
        Data1: 0xCF49_D6D9,
        Data2: 0xD972,
        Data3: 0x8472,
        Data4: 0xA3DF_E7A3_E3F9_4743_u64.to_be_bytes(),
    };

    /// Writes what the driver holds for a program to the disk (`FlushFileBuffers`). Your code goes
    /// here.
    ///
    /// Runs at `PASSIVE_LEVEL` in the program's thread. The status is the program's result.
    fn flush(&self) -> NTSTATUS {
        STATUS_SUCCESS
    }

    /// Called when the system shuts down. Your code goes here.
    ///
    /// Runs at `PASSIVE_LEVEL`, once, before the file systems are flushed, so that files can be
    /// written. The unload callback is not called at shutdown.
    fn shut_down(&self) {}
}
