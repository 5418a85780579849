//! A test bench for Windows file-system minifilter drivers: it runs the `.sys` itself, on Linux or
//! Windows x64, without a kernel.
//!
//! The driver is mapped into a process of its own. Its [`imports`] lead to a model of the filter
//! manager and of the kernel, which keeps to the documentation, and which can let any call fail. A
//! [story](scenario::Story) is told with it: it is loaded, attached to volumes, sent every operation
//! it registered for, asked to unload. Each thing that happens becomes an [event](trace::Event). The
//! [`rules`] read the events and say what is wrong.
//!
//! The bench finds out by itself what can fail. It tells the stories with nothing failing and notes
//! every call that can; then it tells them again with each of those calls failing, in each way its
//! document lists, and once with an informational status, which is no failure; then once more with
//! whatever was only called because something had failed, the error log above all.
//!
//! ```no_run
//! let report = testbench::Bench::open("my_filter.sys".as_ref())?.run()?;
//! for finding in &report.findings {
//!     println!("{}", finding.line());
//! }
//! # Ok::<(), testbench::Refusal>(())
//! ```
//!
//! Each scenario is played by a worker process, so a crash, a hang or a bug check of the driver ends
//! that scenario and is reported by its name. A program that embeds the bench is its own worker if the
//! first line of its `main` is [`worker::serve`]; an emitted project's tests use the small program
//! `testbench-worker`.
//!
//! # What the bench sees at the very instruction
//!
//! - Use of freed memory, of the registry path after `DriverEntry`, of the bytes behind a block.
//! - Use of code that is gone: the INIT section after `DriverEntry`, the image after the unload.
//! - Pageable sections and paged pool touched at `DISPATCH_LEVEL`.
//! - A bad pointer that a function was passed, with the number of the argument.
//! - A look behind an opaque handle or member; a privileged instruction; `int 29h` with its code; a failed assertion.
//!
//! What the WDK's headers inline is carried out: the IRQL in CR8, reads of the page that kernel and
//! user mode share, the current thread. The security cookie is seeded, so a driver that the WDK built
//! starts.
//!
//! # What it does not see
//!
//! - **One thing at a time.** Nothing is pre-empted: a race shows only where the order of the calls
//!   shows it. Threads that a driver makes are not modelled.
//! - **No structured exceptions.** A handler never runs, and buffers of programs are always good.
//! - **No paging, no cache manager, no file system.** Files read as zeroes; IRQL is a number.
//! - **The model answers as documented**, which is not always what a given Windows does. What it does
//!   not model it names when the driver calls it, and judges the driver no further there.
//! - **ARM64** drivers cannot be run; build the same driver for x64 to try it.
//!
//! [`imports`] says the same of single points.

#[cfg(not(target_arch = "x86_64"))]
compile_error!(
    "the test bench runs the driver's own x64 code, so it must be built for x86_64: add --target x86_64-unknown-linux-gnu or x86_64-pc-windows-msvc"
);
#[cfg(not(any(target_os = "linux", windows)))]
compile_error!("the test bench runs on Linux and on Windows, x64");

pub mod assume;
mod bench;
pub mod expect;
pub mod image;
pub mod imports;
pub mod job;
mod lifecycle;
pub mod machine;
mod objects;
mod os;
pub mod report;
pub mod rules;
pub mod scenario;
mod scripts;
pub mod settings;
pub mod trace;
pub mod vocabulary;
pub mod worker;

pub use assume::{Assumption, Assumptions};
pub use bench::{Bench, Progress};
pub use expect::{Expectations, Policy};
pub use image::Refusal;
pub use report::{Finding, Report};
pub use settings::{Setting, Settings};
