//! Tests that the author of a driver writes.
//!
//! A test starts the driver on a simulated machine, acts as programs do, and looks at the results:
//!
//! ```no_run
//! use testbench::{machine, status};
//! # macro_rules! machine { () => { testbench::test::Builder::new("my_filter.sys", "testbench-worker") } }
//!
//! #[test]
//! fn a_blocked_file_is_not_opened() {
//!     let machine = machine!().file(r"C:\a.blocked", b"secret").start();
//!     let editor = machine.process("editor.exe");
//!     editor.open(r"C:\a.blocked").fails_with(status::ACCESS_DENIED);
//! }
//! ```
//!
//! Each act returns a [`Completion`]: what was done, what came back, and what the driver did meanwhile. Its methods
//! compare it with what the test expects, and panic with all of this.
//!
//! When the [`Machine`] is dropped, its programs end, the driver is stopped as with `sc stop`, and the
//! [`rules`](crate::rules) judge what happened. A finding fails the test, unless [`Builder::expect_finding`] names it.
//!
//! # How it runs
//!
//! The driver runs in a worker process, one for each machine. The test runs in the process of the test program and
//! sends each act to the worker. A crash or a hang of the driver therefore ends its test with a message, and the other
//! tests go on. A test is a function with the standard attribute `#[test]`, and any test runner can run it.
//!
//! # What the machine is
//!
//! - A volume C: with NTFS and a paging file, unless the test adds volumes. The file system is a tree in memory with
//!   streams, links, attributes, byte-range locks and directory notifications. It has no access checks, so every user
//!   has every right.
//! - Cached reads and writes go through a cache of pages, which is filled and written by paging I/O. The lazy writer runs
//!   when [`Machine::write_back`] is called, and when the machine ends.
//! - What the model does not cover is said to be not modelled, and fails the test.

mod builder;
mod completion;
mod file;
mod link;
mod machine;
mod process;
mod project;
mod text;

pub use builder::Builder;
pub use completion::Completion;
pub use file::{File, OpenOptions, Request, View};
pub use machine::{Below, Device, Machine, Port};
pub use process::{Metadata, Process};
pub use project::driver;

/// Prepares a machine for the driver of this project: see [`test`](crate::test).
#[macro_export]
macro_rules! machine {
    () => {
        $crate::test::Builder::of_project(
            env!("CARGO_MANIFEST_DIR"),
            env!("CARGO_BIN_EXE_testbench-worker"),
        )
    };
}
