//! The buffer of each operation, as members of `FLT_PARAMETERS`.
//!
//! Documents: "`FLT_PARAMETERS` union (fltkernel.h)" and the pages of its members, "Determining the Buffering Method for
//! an I/O Operation".

use super::major::{
    DEVICE_CONTROL, DIRECTORY_CONTROL, FILE_SYSTEM_CONTROL, INTERNAL_DEVICE_CONTROL, QUERY_EA,
    QUERY_INFORMATION, QUERY_QUOTA, QUERY_SECURITY, QUERY_VOLUME_INFORMATION, READ, SET_EA,
    SET_INFORMATION, SET_QUOTA, SET_VOLUME_INFORMATION, WRITE,
};

/// A member of `FLT_PARAMETERS`: its name and its offset in bytes on x64.
pub type Member = (&'static str, u64);

/// The members that describe the buffer of an operation.
#[derive(Debug, Clone, Copy)]
pub struct Buffer {
    /// The major function.
    pub major: u8,
    /// The address of the buffer.
    pub buffer: Member,
    /// Its length.
    pub length: Member,
    /// The memory descriptor list.
    pub mdl: Option<Member>,
    /// The operation writes to the buffer.
    pub written: bool,
}

macro_rules! buffers {
    ($(
        $major:ident $written:literal:
        $($buffer:ident).+ = $buffer_at:literal, $($length:ident).+ = $length_at:literal
        $(, $($mdl:ident).+ = $mdl_at:literal)?;
    )+) => {
        &[$(Buffer {
            major: $major,
            buffer: (stringify!($($buffer).+), $buffer_at),
            length: (stringify!($($length).+), $length_at),
            mdl: [$(Some((stringify!($($mdl).+), $mdl_at)),)? None][0],
            written: $written,
        }),+]
    };
}

/// The operations with a buffer: whether the operation writes to it, and its members. For a control code, they are those
/// of an output buffer that is not the [`SYSTEM_BUFFER`].
pub const BUFFERS: &[Buffer] = buffers! {
    READ true: Read.ReadBuffer = 24, Read.Length = 0, Read.MdlAddress = 32;
    WRITE false: Write.WriteBuffer = 24, Write.Length = 0, Write.MdlAddress = 32;
    QUERY_INFORMATION true: QueryFileInformation.InfoBuffer = 16, QueryFileInformation.Length = 0;
    SET_INFORMATION false: SetFileInformation.InfoBuffer = 32, SetFileInformation.Length = 0;
    QUERY_EA true: QueryEa.EaBuffer = 32, QueryEa.Length = 0, QueryEa.MdlAddress = 40;
    SET_EA false: SetEa.EaBuffer = 8, SetEa.Length = 0, SetEa.MdlAddress = 16;
    QUERY_VOLUME_INFORMATION true: QueryVolumeInformation.VolumeBuffer = 16, QueryVolumeInformation.Length = 0;
    SET_VOLUME_INFORMATION false: SetVolumeInformation.VolumeBuffer = 16, SetVolumeInformation.Length = 0;
    DIRECTORY_CONTROL true:
        DirectoryControl.QueryDirectory.DirectoryBuffer = 32, DirectoryControl.QueryDirectory.Length = 0,
        DirectoryControl.QueryDirectory.MdlAddress = 40;
    FILE_SYSTEM_CONTROL true:
        FileSystemControl.Neither.OutputBuffer = 32, FileSystemControl.Common.OutputBufferLength = 0,
        FileSystemControl.Neither.OutputMdlAddress = 40;
    DEVICE_CONTROL true:
        DeviceIoControl.Neither.OutputBuffer = 32, DeviceIoControl.Common.OutputBufferLength = 0,
        DeviceIoControl.Neither.OutputMdlAddress = 40;
    INTERNAL_DEVICE_CONTROL true:
        DeviceIoControl.Neither.OutputBuffer = 32, DeviceIoControl.Common.OutputBufferLength = 0,
        DeviceIoControl.Neither.OutputMdlAddress = 40;
    QUERY_SECURITY true: QuerySecurity.SecurityBuffer = 16, QuerySecurity.Length = 8, QuerySecurity.MdlAddress = 24;
    QUERY_QUOTA true: QueryQuota.QuotaBuffer = 32, QueryQuota.Length = 0, QueryQuota.MdlAddress = 40;
    SET_QUOTA false: SetQuota.QuotaBuffer = 8, SetQuota.Length = 0, SetQuota.MdlAddress = 16;
};

/// The buffer of a control code with `METHOD_BUFFERED`, for its input and its output.
pub const SYSTEM_BUFFER: Member = ("FileSystemControl.Buffered.SystemBuffer", 24);

/// Returns the members that describe the buffer of an operation.
#[must_use]
pub fn of(major: u8) -> Option<&'static Buffer> {
    BUFFERS.iter().find(|buffer| buffer.major == major)
}
