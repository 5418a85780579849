//! The control device: a name that programs can open, and through which the system says that it
//! shuts down.
//!
//! This is the driver that "`DriverEntry` Return Values" speaks of: it has dispatch entries for
//! `IRP_MJ_FLUSH_BUFFERS` and `IRP_MJ_SHUTDOWN`, and a `DriverEntry` that fails puts them back to
//! NULL. Programs open `\\.\{{crate_name}}`; only the system and administrators may.

use core::{
    mem,
    mem::offset_of,
    ptr,
    sync::atomic::{AtomicU32, Ordering},
};

use wdk_sys::{
    DRIVER_OBJECT, FILE_DEVICE_SECURE_OPEN, FILE_DEVICE_UNKNOWN, GUID, IRP, IRP_MJ_CLEANUP,
    IRP_MJ_CLOSE, IRP_MJ_CREATE, IRP_MJ_FLUSH_BUFFERS, IRP_MJ_SHUTDOWN, NTSTATUS, PDEVICE_OBJECT,
    PDRIVER_DISPATCH, PIRP, STATUS_DELETE_PENDING, STATUS_SUCCESS, ULONG,
    ntddk::{
        IoCreateSymbolicLink, IoDeleteDevice, IoDeleteSymbolicLink, IoRegisterShutdownNotification,
        IoUnregisterShutdownNotification, IofCompleteRequest,
    },
};

use self::wdmsec::WdmlibIoCreateDeviceSecure;
use crate::{
    callbacks::complete,
    state::{STATE, State},
    step::{Failure, Step},
    unicode::{counted, utf16},
};

/// Your code for a flush goes here: a program asks that what the driver still holds for it reaches
/// the disk (`FlushFileBuffers`).
///
/// Runs at `PASSIVE_LEVEL` in the program's thread. The status is the program's answer.
const fn flush(_state: &State) -> NTSTATUS {
    STATUS_SUCCESS
}

/// Your code for the system's shutdown goes here.
///
/// Runs at `PASSIVE_LEVEL`, once, before the file systems are flushed, so files can still be written
/// ("`IoRegisterShutdownNotification` function"). The unload callback is not called at shutdown.
const fn shutdown(_state: &State) {}

/// The device's name in the kernel.
const DEVICE_NAME: &[u16] = &utf16!(r"\Device\{{crate_name}}");
/// Its name for programs.
const LINK_NAME: &[u16] = &utf16!(r"\DosDevices\{{crate_name}}");
/// Everything for the system and for administrators, nothing for anybody else, and nothing
/// inherited: `SDDL_DEVOBJ_SYS_ALL_ADM_ALL` of wdmsec.h.
const SECURITY: &[u16] = &utf16!("D:P(A;;GA;;;SY)(A;;GA;;;BA)");
/// The device's setup class, where an administrator may set another security. It is this driver's
/// own, made from the project's name.
static CLASS: GUID = GUID {
{%- for field in control_device_class_guid %}
    {{field}}
{%- endfor %}
};

// What the driver writes to or reads from, as documented for 64-bit Windows.
const _: () = {
    assert!(offset_of!(DRIVER_OBJECT, MajorFunction) == 112);
    assert!(size_of::<DRIVER_OBJECT>() == 336);
    assert!(offset_of!(IRP, IoStatus) == 48);
};

mod wdmsec {
    //! What the driver needs of wdmsec.h, which `wdk-sys` does not have.

    use wdk_sys::{
        BOOLEAN, GUID, NTSTATUS, PCUNICODE_STRING, PDEVICE_OBJECT, PDRIVER_OBJECT, PUNICODE_STRING,
        ULONG,
    };

    // A library that becomes a part of the driver, not an export of the kernel.
    #[link(name = "wdmsec", kind = "static", modifiers = "-bundle")]
    unsafe extern "C" {
        /// "`WdmlibIoCreateDeviceSecure` function (wdmsec.h)"; the header calls it
        /// `IoCreateDeviceSecure`.
        pub fn WdmlibIoCreateDeviceSecure(
            driver_object: PDRIVER_OBJECT,
            device_extension_size: ULONG,
            device_name: PUNICODE_STRING,
            device_type: ULONG,
            device_characteristics: ULONG,
            exclusive: BOOLEAN,
            default_sddl_string: PCUNICODE_STRING,
            device_class_guid: *const GUID,
            device_object: *mut PDEVICE_OBJECT,
        ) -> NTSTATUS;
    }
}

/// The dispatch entries of a driver that is being loaded; dropping them puts them back to NULL.
///
/// That is for `DriverEntry` alone: when it returns, the I/O manager puts its own routine, which
/// refuses every request, where it finds NULL. A driver that is unloaded leaves its entries: nobody
/// would fill the gap, and there is no device left whose requests could come.
pub struct DispatchEntries<'a> {
    driver_object: &'a mut DRIVER_OBJECT,
}

/// The entries, by the index in `MajorFunction`.
const ENTRIES: [(ULONG, PDRIVER_DISPATCH); 5] = [
    (IRP_MJ_CREATE, Some(on_create)),
    (IRP_MJ_CLEANUP, Some(on_cleanup)),
    (IRP_MJ_CLOSE, Some(on_close)),
    (IRP_MJ_FLUSH_BUFFERS, Some(on_flush_buffers)),
    (IRP_MJ_SHUTDOWN, Some(on_shutdown)),
];

impl<'a> DispatchEntries<'a> {
    /// Sets the entries.
    pub fn set(driver_object: &'a mut DRIVER_OBJECT) -> Self {
        let mut entries = Self { driver_object };
        for (major_function, routine) in ENTRIES {
            entries.put(major_function, routine);
        }
        entries
    }

    /// Leaves the entries set when the guard goes: the driver is loaded.
    pub const fn keep(self) {
        mem::forget(self);
    }

    fn put(&mut self, major_function: ULONG, routine: PDRIVER_DISPATCH) {
        if let Some(entry) = self
            .driver_object
            .MajorFunction
            .get_mut(major_function as usize)
        {
            *entry = routine;
        }
    }
}

impl Drop for DispatchEntries<'_> {
    fn drop(&mut self) {
        for (major_function, _) in ENTRIES {
            self.put(major_function, None);
        }
    }
}

/// The control device. The order of the fields is the order of teardown: nobody is told of a
/// shutdown any more, then nobody finds the device, then it goes.
#[allow(dead_code, reason = "the fields are there to be dropped")]
pub struct ControlDevice {
    shutdown_notification: ShutdownNotification,
    link: Link,
    device: Device,
}

impl ControlDevice {
    /// Makes the device, whose requests the entries answer. Nobody can open it before `DriverEntry`
    /// returns: until then the I/O manager holds it as initializing. IRQL `PASSIVE_LEVEL`.
    ///
    /// # Errors
    ///
    /// What the three calls answer, such as `STATUS_OBJECT_NAME_COLLISION` where another driver has
    /// a device of this name.
    pub fn create(entries: &mut DispatchEntries) -> Result<Self, Failure> {
        let device = Device::create(entries.driver_object)?;
        let link = Link::create()?;
        let shutdown_notification = ShutdownNotification::register(&device)?;
        Ok(Self {
            shutdown_notification,
            link,
            device,
        })
    }
}

/// The device object; dropping it lets nobody in any more and deletes it.
struct Device(PDEVICE_OBJECT);

// SAFETY: it names an object of the I/O manager, which may be used from any thread.
unsafe impl Send for Device {}
// SAFETY: as above.
unsafe impl Sync for Device {}

impl Device {
    /// Wraps `WdmlibIoCreateDeviceSecure`.
    fn create(driver_object: &mut DRIVER_OBJECT) -> Result<Self, Failure> {
        let (mut name, security) = (counted(DEVICE_NAME), counted(SECURITY));
        let mut device: PDEVICE_OBJECT = ptr::null_mut();
        // SAFETY: the driver's own object, strings that outlive the call, and a place for the device.
        // It has no extension. FILE_DEVICE_SECURE_OPEN: its security holds for what is opened below
        // its name, too.
        let status = unsafe {
            WdmlibIoCreateDeviceSecure(
                driver_object,
                0,
                &raw mut name,
                FILE_DEVICE_UNKNOWN,
                FILE_DEVICE_SECURE_OPEN,
                0,
                &raw const security,
                &raw const CLASS,
                &raw mut device,
            )
        };
        Step::CreateDevice.check(status)?;
        Ok(Self(device))
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        // A handle may still be open where the unload is mandatory: its requests are refused from
        // here on, and the I/O manager keeps the object until it is closed ("IoDeleteDevice").
        USES.fetch_or(NO_MORE, Ordering::AcqRel);
        // SAFETY: the device came from WdmlibIoCreateDeviceSecure, and only this drop deletes it.
        unsafe { IoDeleteDevice(self.0) };
    }
}

/// The name for programs; dropping it deletes it.
struct Link;

impl Link {
    /// Wraps `IoCreateSymbolicLink`.
    fn create() -> Result<Self, Failure> {
        let (mut link, mut device) = (counted(LINK_NAME), counted(DEVICE_NAME));
        // SAFETY: both strings outlive the call.
        let status = unsafe { IoCreateSymbolicLink(&raw mut link, &raw mut device) };
        Step::CreateSymbolicLink.check(status)?;
        Ok(Self)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        let mut link = counted(LINK_NAME);
        // SAFETY: the string outlives the call, and the link was made by this driver.
        let _status = unsafe { IoDeleteSymbolicLink(&raw mut link) };
    }
}

/// The system's promise to tell of its shutdown; dropping it takes the device off the list. It goes
/// before the device, which is the name it is registered under.
struct ShutdownNotification(PDEVICE_OBJECT);

// SAFETY: as for the device.
unsafe impl Send for ShutdownNotification {}
// SAFETY: as above.
unsafe impl Sync for ShutdownNotification {}

impl ShutdownNotification {
    /// Wraps `IoRegisterShutdownNotification`.
    fn register(device: &Device) -> Result<Self, Failure> {
        // SAFETY: the device exists, and outlives the notification by the order of the fields.
        let status = unsafe { IoRegisterShutdownNotification(device.0) };
        Step::RegisterShutdownNotification.check(status)?;
        Ok(Self(device.0))
    }
}

impl Drop for ShutdownNotification {
    fn drop(&mut self) {
        // SAFETY: the device is registered, and still exists.
        unsafe { IoUnregisterShutdownNotification(self.0) };
    }
}

/// How many handles are open and how many requests are at work, and whether more are let in. It lies
/// in the image and not in the state, because a handle may be closed when the state is gone.
static USES: AtomicU32 = AtomicU32::new(0);

/// The bit of [`USES`] that lets nobody in.
const NO_MORE: u32 = 1 << 31;
{%- if policy_always %}

/// Lets nobody in any more, unless somebody is in now; tells whether it did. One step: no open gets
/// in between the question and the answer.
pub fn close_unless_in_use() -> bool {
    USES.compare_exchange(0, NO_MORE, Ordering::AcqRel, Ordering::Acquire)
        .is_ok()
}
{%- endif %}

/// Somebody who is in; dropping it is leaving.
struct Use;

impl Use {
    fn begin() -> Option<Self> {
        USES.fetch_update(Ordering::AcqRel, Ordering::Acquire, |uses| {
            (uses & NO_MORE == 0).then_some(uses.wrapping_add(1))
        })
        .is_ok()
        .then_some(Self)
    }

    /// Runs the author's part of a request, unless the device is going away.
    fn with_state<T>(request: impl FnOnce(&State) -> T) -> Option<T> {
        let _use = Self::begin()?;
        // SAFETY: the reference ends before the use does, and the state outlives the use: an unload
        // that may be refused is refused while the device is in use, and a mandatory one comes when
        // no request is outstanding ("Unload Routine Environment").
        unsafe { STATE.get() }.map(request)
    }
}

impl Drop for Use {
    fn drop(&mut self) {
        USES.fetch_sub(1, Ordering::AcqRel);
    }
}

/// `IRP_MJ_CREATE`: a handle is opened.
unsafe extern "C" fn on_create(_device: PDEVICE_OBJECT, irp: PIRP) -> NTSTATUS {
    let status = Use::begin().map_or(STATUS_DELETE_PENDING, |in_use| {
        // The close ends it.
        mem::forget(in_use);
        STATUS_SUCCESS
    });
    // SAFETY: the I/O manager's request, answered once.
    unsafe { answer(irp, status) }
}

/// `IRP_MJ_CLEANUP`: the last handle of an open is closed.
unsafe extern "C" fn on_cleanup(_device: PDEVICE_OBJECT, irp: PIRP) -> NTSTATUS {
    // SAFETY: the I/O manager's request, answered once.
    unsafe { answer(irp, STATUS_SUCCESS) }
}

/// `IRP_MJ_CLOSE`: the open is over.
unsafe extern "C" fn on_close(_device: PDEVICE_OBJECT, irp: PIRP) -> NTSTATUS {
    // The use that the create began.
    drop(Use);
    // SAFETY: the I/O manager's request, answered once.
    unsafe { answer(irp, STATUS_SUCCESS) }
}

/// `IRP_MJ_FLUSH_BUFFERS`: what the driver holds is to reach the disk.
unsafe extern "C" fn on_flush_buffers(_device: PDEVICE_OBJECT, irp: PIRP) -> NTSTATUS {
    let status = Use::with_state(flush).unwrap_or(STATUS_DELETE_PENDING);
    // SAFETY: the I/O manager's request, answered once.
    unsafe { answer(irp, status) }
}

/// `IRP_MJ_SHUTDOWN`: the system shuts down. It must not be failed.
unsafe extern "C" fn on_shutdown(_device: PDEVICE_OBJECT, irp: PIRP) -> NTSTATUS {
    Use::with_state(shutdown);
    // SAFETY: the I/O manager's request, answered once.
    unsafe { answer(irp, STATUS_SUCCESS) }
}

/// Completes a request. Wraps `IofCompleteRequest`, which the macro `IoCompleteRequest` stands for.
///
/// # Safety
///
/// The request is the one that the dispatch routine was given, and nobody touches it afterwards.
unsafe fn answer(irp: PIRP, status: NTSTATUS) -> NTSTATUS {
    // SAFETY: the request belongs to the dispatch routine until it is completed.
    complete(unsafe { &mut (*irp).IoStatus }, status);
    // SAFETY: it is completed once. No boost: nothing was waited for.
    unsafe { IofCompleteRequest(irp, 0) };
    status
}
