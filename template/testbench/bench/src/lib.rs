//! A test bench for Windows file-system minifilter drivers: it runs the `.sys` itself, on Linux or Windows x64, without a
//! kernel.
//!
//! The bench maps the driver into a process of its own. The driver's [`imports`] lead to a model of the filter manager and
//! of the kernel, which follows the documentation and can make any call fail. A [`Scenario`](scenario::Scenario) is played:
//! the driver is loaded and attached to volumes, operations are delivered to it, and it is asked to unload. Everything that
//! happens is recorded as an [`Event`](trace::Event). The [`rules`] read the events and say what is wrong.
//!
//! The bench finds out what can fail. It plays the [scripts](scenario::Script) with nothing failing and notes every call
//! that can fail. It plays them again with each of those calls failing, in each way that its document lists, and once with
//! an informational status, which is no failure. Calls that were made only after a failure, such as those of the error log,
//! fail in a third pass.
//!
//! ```no_run
//! let report = testbench::Bench::open("my_filter.sys".as_ref())?.run()?;
//! for finding in &report.findings {
//!     println!("{}", finding.line());
//! }
//! # Ok::<(), testbench::Refusal>(())
//! ```
//!
//! A worker process plays each scenario, so that a crash, a hang or a bug check of the driver ends that scenario only. A
//! program that embeds the bench is its own worker if the first line of its `main` is [`worker::serve`]; the tests of an
//! emitted project start the program `testbench-worker`.
//!
//! # Outcomes
//!
//! A report has findings; or none and everything was judged; or none and not everything was judged. A call that the bench
//! does not model ends its scenario and is no finding. The scripts are then played without the routine that makes the call,
//! so that the rest of the driver is judged. [`Assumptions`] give such a call a result. A function that the driver asks for
//! by name and that the bench does not model is answered with NULL, and listed in the same way.
//!
//! # The machine
//!
//! - Each thread of the driver has a kernel stack of 24 KB, which callbacks that nest share. The model's functions run on
//!   a stack of the host.
//! - A thread runs until it waits; another one goes on then. If no thread can go on, the report says which thread waits for
//!   what.
//! - An access to an invalid user-mode address and `ExRaiseStatus` raise exceptions that `__except` handles and that run
//!   `__finally`. A bad address of the kernel is a bug check.
//! - On Linux, the worker runs under a filter for system calls: it can use memory, write events, and end. On Windows, it runs
//!   in a job with limits on memory and time and without further processes; a driver that calls Windows itself reaches what
//!   its user can.
//!
//! # What is seen at the instruction
//!
//! - Use of freed memory, of the registry path after `DriverEntry`, of the bytes behind a block.
//! - Use of code that is gone: the INIT section after `DriverEntry`, the image after the unload.
//! - Pageable sections and paged pool touched at `DISPATCH_LEVEL`.
//! - A bad pointer that a function was passed, with the number of the argument.
//! - A look behind an opaque handle or member; a privileged instruction; `int 29h` with its code; a failed assertion.
//!
//! What the WDK's headers inline is carried out: the IRQL in CR8, reads of the page that kernel and user mode share, the
//! current thread. The security cookie is seeded.
//!
//! # What is not seen
//!
//! - **Nothing is pre-empted.** A race shows only where the order of the calls shows it.
//! - **No paging, no cache manager, no file system.** Files read as zeroes; IRQL is a number.
//! - **XMM registers are not restored** when an exception is handled in a caller.
//! - **The model answers as documented**, which is not always what a given Windows does.
//! - **ARM64** drivers cannot be run; build the same driver for x64 to try it.
//!
//! [`imports`] says more.

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
