//! The parameters of each operation: the members of `FLT_PARAMETERS`.
//!
//! What a filter may change without knowledge of the caller's buffer has a `set_` method, which marks
//! the callback data as changed. The filters above see the original parameters again ("Modifying the
//! Parameters for an I/O Operation").

use wdk_sys::{
    _FILE_INFORMATION_CLASS as Class, FILE_INFORMATION_CLASS, FS_FILTER_SECTION_SYNC_TYPE,
    FS_INFORMATION_CLASS, IRP_MN_KERNEL_CALL, IRP_MN_NOTIFY_CHANGE_DIRECTORY,
    IRP_MN_QUERY_DIRECTORY, IRP_MN_USER_FS_REQUEST, PIO_SECURITY_CONTEXT, PVOID,
    SECURITY_INFORMATION,
};

use super::{
    data::{CallbackData, PreOperation},
    operation::{
        AcquireForSectionSynchronization, Create, DeviceControl, DirectoryControl,
        FileSystemControl, LockControl, QueryEa, QueryInformation, QueryOpen, QuerySecurity,
        QueryVolumeInformation, Read, SetEa, SetInformation, SetSecurity, SetVolumeInformation,
        Write,
    },
};

/// Declares methods that return members of `FLT_PARAMETERS`.
macro_rules! parameters {
    ($($operation:ident {
        $($(#[$doc:meta])* $visibility:vis $name:ident: $type:ty = $($field:ident).+;)+
    })+) => {$(
        impl CallbackData<'_, $operation> {
            $(
                $(#[$doc])*
                $visibility const fn $name(&self) -> $type {
                    // SAFETY: a member of the operation, of which any bits are a valid value.
                    unsafe { self.block().Parameters.$($field).+ }
                }
            )+
        }
    )+};
}

/// Declares methods that change members of `FLT_PARAMETERS`.
macro_rules! changeable {
    ($($operation:ident {
        $($(#[$doc:meta])* $name:ident: $type:ty = $($field:ident).+;)+
    })+) => {$(
        impl PreOperation<'_, $operation> {
            $(
                $(#[$doc])*
                pub fn $name(&mut self, value: $type) {
                    self.common().block_mut().Parameters.$($field).+ = value;
                    self.set_dirty();
                }
            )+
        }
    )+};
}

parameters! {
    Create {
        /// Returns the attributes of a file that is created.
        pub file_attributes: u16 = Create.FileAttributes;
        /// Returns the `FILE_SHARE_` flags.
        pub share_access: u16 = Create.ShareAccess;
        /// Returns the length of the extended attributes.
        pub ea_length: u32 = Create.EaLength;
        /// Returns the initial allocation size in bytes of a file that is created.
        pub allocation_size: i64 = Create.AllocationSize.QuadPart;
        options: u32 = Create.Options;
        security_context: PIO_SECURITY_CONTEXT = Create.SecurityContext;
    }
    Read {
        /// Returns the number of bytes to read.
        pub length: u32 = Read.Length;
        /// Returns the key of byte-range locks.
        pub key: u32 = Read.Key;
        /// Returns the offset in the file, in bytes.
        pub byte_offset: i64 = Read.ByteOffset.QuadPart;
    }
    Write {
        /// Returns the number of bytes to write.
        pub length: u32 = Write.Length;
        /// Returns the key of byte-range locks.
        pub key: u32 = Write.Key;
        /// Returns the offset in the file, in bytes; negative for its end (`FILE_WRITE_TO_END_OF_FILE`).
        pub byte_offset: i64 = Write.ByteOffset.QuadPart;
    }
    QueryInformation {
        /// Returns the length of the buffer in bytes.
        pub length: u32 = QueryFileInformation.Length;
        /// Returns what is queried.
        pub information_class: FILE_INFORMATION_CLASS = QueryFileInformation.FileInformationClass;
    }
    SetInformation {
        /// Returns the length of the buffer in bytes.
        pub length: u32 = SetFileInformation.Length;
        /// Returns what is set, for example [`FileInformationClass::FileEndOfFileInformation`](super::FileInformationClass).
        pub information_class: FILE_INFORMATION_CLASS = SetFileInformation.FileInformationClass;
        pub(super) information_buffer: PVOID = SetFileInformation.InfoBuffer;
    }
    DirectoryControl {
        /// Returns the length of the buffer in bytes.
        pub length: u32 = DirectoryControl.QueryDirectory.Length;
        class_of_query: FILE_INFORMATION_CLASS = DirectoryControl.QueryDirectory.FileInformationClass;
        filter_of_notification: u32 = DirectoryControl.NotifyDirectory.CompletionFilter;
    }
    FileSystemControl {
        /// Returns the length of the input in bytes.
        pub input_length: u32 = FileSystemControl.Common.InputBufferLength;
        /// Returns the length of the output buffer in bytes.
        pub output_length: u32 = FileSystemControl.Common.OutputBufferLength;
        code: u32 = FileSystemControl.Common.FsControlCode;
        pub(super) system_buffer: PVOID = FileSystemControl.Buffered.SystemBuffer;
    }
    DeviceControl {
        /// Returns the control code.
        pub control_code: u32 = DeviceIoControl.Common.IoControlCode;
        /// Returns the length of the input in bytes.
        pub input_length: u32 = DeviceIoControl.Common.InputBufferLength;
        /// Returns the length of the output buffer in bytes.
        pub output_length: u32 = DeviceIoControl.Common.OutputBufferLength;
    }
    LockControl {
        /// Returns the key of the lock.
        pub key: u32 = LockControl.Key;
        /// Returns the offset of the range in the file, in bytes.
        pub byte_offset: i64 = LockControl.ByteOffset.QuadPart;
    }
    QuerySecurity {
        /// Returns which parts of the security descriptor are queried.
        pub security_information: SECURITY_INFORMATION = QuerySecurity.SecurityInformation;
        /// Returns the length of the buffer in bytes.
        pub length: u32 = QuerySecurity.Length;
    }
    SetSecurity {
        /// Returns which parts of the security descriptor are set.
        pub security_information: SECURITY_INFORMATION = SetSecurity.SecurityInformation;
    }
    QueryVolumeInformation {
        /// Returns the length of the buffer in bytes.
        pub length: u32 = QueryVolumeInformation.Length;
        /// Returns what is queried.
        pub information_class: FS_INFORMATION_CLASS = QueryVolumeInformation.FsInformationClass;
    }
    SetVolumeInformation {
        /// Returns the length of the buffer in bytes.
        pub length: u32 = SetVolumeInformation.Length;
        /// Returns what is set.
        pub information_class: FS_INFORMATION_CLASS = SetVolumeInformation.FsInformationClass;
    }
    QueryEa {
        /// Returns the length of the buffer in bytes.
        pub length: u32 = QueryEa.Length;
    }
    SetEa {
        /// Returns the length of the buffer in bytes.
        pub length: u32 = SetEa.Length;
    }
    QueryOpen {
        /// Returns what is queried.
        pub information_class: FILE_INFORMATION_CLASS = QueryOpen.FileInformationClass;
    }
    AcquireForSectionSynchronization {
        /// Returns the page protection of the section: `PAGE_` flags.
        pub page_protection: u32 = AcquireForSectionSynchronization.PageProtection;
        pub(super) sync_type: FS_FILTER_SECTION_SYNC_TYPE = AcquireForSectionSynchronization.SyncType;
    }
}

changeable! {
    Create {
        /// Changes the attributes of a file that is created.
        set_file_attributes: u16 = Create.FileAttributes;
        /// Changes the `FILE_SHARE_` flags.
        set_share_access: u16 = Create.ShareAccess;
    }
    Read {
        /// Changes the offset in the file.
        set_byte_offset: i64 = Read.ByteOffset.QuadPart;
    }
    Write {
        /// Changes the offset in the file.
        set_byte_offset: i64 = Write.ByteOffset.QuadPart;
    }
}

impl CallbackData<'_, Create> {
    /// Returns the create options, for example `FILE_DIRECTORY_FILE`.
    pub const fn create_options(&self) -> u32 {
        self.options() & 0xFF_FFFF
    }

    /// Returns the create disposition, for example `FILE_OPEN_IF`.
    pub const fn create_disposition(&self) -> u32 {
        self.options() >> 24
    }

    /// Returns the requested access to the file.
    pub const fn desired_access(&self) -> u32 {
        // SAFETY: a create has a security context until it is complete.
        unsafe { (*self.security_context()).DesiredAccess }
    }
}

impl PreOperation<'_, Create> {
    /// Changes the create options.
    pub fn set_create_options(&mut self, create_options: u32) {
        let disposition = self.options() & 0xFF00_0000;
        self.common().block_mut().Parameters.Create.Options =
            disposition | create_options & 0xFF_FFFF;
        self.set_dirty();
    }
}

/// `FILE_DISPOSITION_DELETE`.
const DISPOSITION_DELETE: u32 = 1;

impl PreOperation<'_, SetInformation> {
    /// Returns whether the operation marks the file, so that it is deleted when it is closed. A create
    /// with `FILE_DELETE_ON_CLOSE` among its options also does. IRQL <= `APC_LEVEL`.
    pub fn deletes_file(&self) -> bool {
        let (buffer, length) = (self.information_buffer(), self.length());
        match self.information_class() {
            Class::FileDispositionInformation if length >= 1 => {
                // SAFETY: the I/O manager has copied the BOOLEAN to a system buffer.
                let delete = unsafe { buffer.cast::<u8>().read() };
                delete != 0
            }
            Class::FileDispositionInformationEx if length >= 4 => {
                // SAFETY: likewise, a ULONG.
                let flags = unsafe { buffer.cast::<u32>().read_unaligned() };
                flags & DISPOSITION_DELETE != 0
            }
            _ => false,
        }
    }
}

impl CallbackData<'_, DirectoryControl> {
    /// Returns what is listed of each file, if the directory is listed.
    pub const fn information_class(&self) -> Option<FILE_INFORMATION_CLASS> {
        if self.minor_function() as u32 != IRP_MN_QUERY_DIRECTORY {
            return None;
        }
        Some(self.class_of_query())
    }

    /// Returns the `FILE_NOTIFY_CHANGE_` flags, if the directory is watched for changes.
    pub const fn completion_filter(&self) -> Option<u32> {
        if self.minor_function() as u32 != IRP_MN_NOTIFY_CHANGE_DIRECTORY {
            return None;
        }
        Some(self.filter_of_notification())
    }
}

impl CallbackData<'_, FileSystemControl> {
    /// Returns the control code, if a program or a driver requests a file-system control: a volume
    /// is mounted and verified with other parameters.
    pub const fn control_code(&self) -> Option<u32> {
        if !matches!(
            self.minor_function() as u32,
            IRP_MN_USER_FS_REQUEST | IRP_MN_KERNEL_CALL
        ) {
            return None;
        }
        Some(self.code())
    }
}
