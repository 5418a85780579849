//! What programs, administrators and the system do on the simulated machine.
//!
//! Everything that happens to a driver is an [`Act`]. The [scripts](crate::scenario::Script) are lists of acts. A
//! [test](crate::test) and `cargo xtask try` send acts one by one and receive a [`Reply`] to each.

use serde::{Deserialize, Serialize};

pub use crate::objects::volumes::VolumeKind;
use crate::trace::Stage;
pub use crate::trace::{Number, Reply};
use crate::vocabulary::injected::Injected;

/// An act.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "act")]
pub enum Act {
    /// The next stage of a script begins.
    Stage {
        /// The stage.
        stage: Stage,
    },
    /// The reinitialization routines run.
    Reinitialize,
    /// The catalogue of operations is delivered on every volume, or a few of them.
    Operations {
        /// Every operation.
        every: bool,
    },
    /// Waits for an unload that is in progress.
    AwaitUnload,
    /// `fltmc unload`, or `sc stop` if `mandatory` is set.
    Unload {
        /// The driver cannot refuse the unload.
        mandatory: bool,
    },
    /// The system shuts down. The driver is not unloaded.
    ShutDown,
    /// `fltmc attach`.
    Attach {
        /// The drive letter, or `None` for the last volume.
        volume: Option<char>,
    },
    /// `fltmc detach`.
    Detach {
        /// The drive letter, or `None` for the last volume.
        volume: Option<char>,
    },
    /// A volume is mounted.
    Mount {
        /// The drive letter.
        volume: char,
        /// The kind of volume.
        kind: VolumeKind,
    },
    /// A volume is dismounted.
    Dismount {
        /// The drive letter.
        volume: char,
    },
    /// A program connects to the driver's port.
    Connect {
        /// The name of the port, or `None` for the first one.
        port: Option<String>,
        /// The connection context.
        context: Vec<u8>,
    },
    /// The program sends a message.
    Message {
        /// The message.
        input: Vec<u8>,
        /// The size of the buffer for the answer.
        output: u32,
    },
    /// The program's reply to the next message of the driver.
    Answer {
        /// The reply.
        data: Vec<u8>,
    },
    /// The program disconnects.
    Disconnect,
    /// A program opens a device of the driver.
    OpenDevice {
        /// The name, such as `\\.\name`, or `None` for the first device.
        name: Option<String>,
    },
    /// The program sends a control code to the device.
    ControlDevice {
        /// The control code.
        code: u32,
        /// The input.
        input: Vec<u8>,
        /// The size of the output buffer.
        output: u32,
    },
    /// The program reads from the device.
    ReadDevice {
        /// The number of bytes.
        length: u32,
    },
    /// The program writes to the device.
    WriteDevice {
        /// The data.
        data: Vec<u8>,
    },
    /// The program flushes the device.
    FlushDevice,
    /// The program closes the device.
    CloseDevice,
    /// A process starts.
    Process {
        /// The name of the program.
        name: String,
        /// The user.
        user: String,
        /// The session.
        session: u32,
    },
    /// Opens or creates a file.
    Open {
        /// The process.
        process: Number,
        /// The path, such as `C:\a.txt`.
        path: String,
        /// The details.
        open: Open,
    },
    /// Closes a file.
    Close {
        /// The file.
        file: Number,
    },
    /// Reads from a file.
    Read {
        /// The file.
        file: Number,
        /// The offset.
        offset: u64,
        /// The number of bytes.
        length: u32,
    },
    /// Writes to a file.
    Write {
        /// The file.
        file: Number,
        /// The offset.
        offset: u64,
        /// The data.
        data: Vec<u8>,
    },
    /// Flushes a file.
    Flush {
        /// The file.
        file: Number,
    },
    /// Queries information of a file.
    Query {
        /// The file.
        file: Number,
        /// `FILE_INFORMATION_CLASS`.
        class: u32,
        /// The size of the buffer.
        length: u32,
    },
    /// Sets information of a file.
    Set {
        /// The file.
        file: Number,
        /// `FILE_INFORMATION_CLASS`.
        class: u32,
        /// The data.
        data: Vec<u8>,
    },
    /// Renames a file, or creates a link to it.
    Rename {
        /// The file.
        file: Number,
        /// The new path, such as `C:\b.txt`.
        to: String,
        /// An existing file is replaced.
        replace: bool,
        /// A link is created.
        link: bool,
    },
    /// Enumerates a directory.
    List {
        /// The directory.
        file: Number,
        /// `FILE_INFORMATION_CLASS`.
        class: u32,
        /// The expression.
        expression: Option<String>,
        /// The enumeration begins again.
        restart: bool,
        /// The size of the buffer.
        length: u32,
    },
    /// Requests a notification of changes in a directory.
    Watch {
        /// The directory.
        file: Number,
        /// `FILE_NOTIFY_CHANGE_XXX`.
        filter: u32,
        /// Changes below the directory are reported too.
        tree: bool,
        /// The size of the buffer.
        length: u32,
    },
    /// Locks a range of a file.
    Lock {
        /// The file.
        file: Number,
        /// The first byte.
        offset: u64,
        /// The number of bytes.
        length: u64,
        /// The lock is exclusive.
        exclusive: bool,
        /// The request waits until the range is free.
        wait: bool,
    },
    /// Unlocks a range of a file.
    Unlock {
        /// The file.
        file: Number,
        /// The first byte.
        offset: u64,
        /// The number of bytes.
        length: u64,
    },
    /// Sends a control code to the file system, or to the device of the volume.
    Control {
        /// The file.
        file: Number,
        /// The control code.
        code: u32,
        /// The input.
        input: Vec<u8>,
        /// The size of the output buffer.
        output: u32,
        /// The control code is for the device.
        device: bool,
    },
    /// Queries information of a volume.
    QueryVolume {
        /// A file on the volume.
        file: Number,
        /// `FS_INFORMATION_CLASS`.
        class: u32,
        /// The size of the buffer.
        length: u32,
    },
    /// Sets information of a volume.
    SetVolume {
        /// A file on the volume.
        file: Number,
        /// `FS_INFORMATION_CLASS`.
        class: u32,
        /// The data.
        data: Vec<u8>,
    },
    /// Queries the extended attributes of a file.
    QueryEa {
        /// The file.
        file: Number,
        /// The size of the buffer.
        length: u32,
    },
    /// Sets extended attributes of a file.
    SetEa {
        /// The file.
        file: Number,
        /// A list of `FILE_FULL_EA_INFORMATION`.
        list: Vec<u8>,
    },
    /// Queries the security descriptor of a file.
    QuerySecurity {
        /// The file.
        file: Number,
        /// `SECURITY_INFORMATION`.
        information: u32,
        /// The size of the buffer.
        length: u32,
    },
    /// Sets the security descriptor of a file.
    SetSecurity {
        /// The file.
        file: Number,
        /// `SECURITY_INFORMATION`.
        information: u32,
        /// The self-relative descriptor.
        descriptor: Vec<u8>,
    },
    /// Queries a file by its path without a handle.
    QueryPath {
        /// The process.
        process: Number,
        /// The path.
        path: String,
    },
    /// Maps a file.
    Map {
        /// The file.
        file: Number,
        /// The view can be written.
        write: bool,
    },
    /// Reads from a view.
    ReadView {
        /// The view.
        view: Number,
        /// The offset.
        offset: u64,
        /// The number of bytes.
        length: u32,
    },
    /// Writes to a view.
    WriteView {
        /// The view.
        view: Number,
        /// The offset.
        offset: u64,
        /// The data.
        data: Vec<u8>,
    },
    /// Writes the changed pages of a view to the file.
    FlushView {
        /// The view.
        view: Number,
    },
    /// Unmaps a view.
    Unmap {
        /// The view.
        view: Number,
    },
    /// The lazy writer runs: all dirty pages are written.
    WriteBack,
    /// A page is written to the paging file and read again.
    PageOut,
    /// Waits for a request that is pending.
    Wait {
        /// The request.
        request: Number,
    },
    /// Cancels a request that is pending.
    Cancel {
        /// The request.
        request: Number,
    },
    /// The next call of a function fails.
    FailNext {
        /// The name of the function.
        function: String,
        /// The result, or `None` for the first documented failure.
        result: Option<Injected>,
    },
    /// The clock moves.
    Advance {
        /// The time in units of 100 ns.
        time: i64,
    },
    /// Reads the data of a file on the disk, without the driver.
    Disk {
        /// The path.
        path: String,
    },
    /// The test ends: the driver is stopped and unloaded.
    End,
}

/// The details of an open request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Open {
    /// The access rights.
    pub access: u32,
    /// The share access.
    pub share: u16,
    /// The create disposition.
    pub disposition: u32,
    /// The create options.
    pub options: u32,
    /// The attributes of a new file.
    pub attributes: u32,
    /// The identification of the file, instead of a path on the volume.
    pub id: Option<u64>,
    /// `IO_IGNORE_SHARE_ACCESS_CHECK`, with which a filter can open a file.
    pub ignore_share: bool,
}

/// The machine on which a test runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Setup {
    /// The volumes, with their drive letters.
    pub volumes: Vec<(char, VolumeKind)>,
    /// The files. A path that ends with a backslash is a directory. The directories above a file are created.
    pub files: Vec<(String, Vec<u8>)>,
    /// The number of bytes of pool that the driver can allocate.
    pub pool: Option<u64>,
    /// The function whose first call fails, and the result, or `None` for its first documented failure.
    pub fail_next: Option<(String, Option<Injected>)>,
}
