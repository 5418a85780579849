//! A test bench for Windows file-system minifilter drivers. It runs the `.sys` file on Linux or Windows x64, without a
//! kernel.
//!
//! The bench maps the driver into a separate process. The driver's [`imports`] are bound to a model of the filter
//! manager and of the kernel. The model follows the documentation and can inject a failure into any call. In a
//! [`Scenario`](scenario::Scenario), the bench loads the driver, attaches it to volumes, delivers operations, and
//! requests an unload. It records what happens as [`Event`](trace::Event)s. The [`rules`] evaluate the events and
//! report defects.
//!
//! The bench determines which calls can fail. It runs the [scripts](scenario::Script) without faults and records every
//! call that can fail. It then runs them again with a fault in each of those calls: once for each documented failure,
//! and once with an informational status, which is not a failure. Calls that are made only after a failure, such as
//! those of the error log, are made to fail in a third pass.
//!
//! ```no_run
//! let report = testbench::Bench::open("my_filter.sys".as_ref())?.run()?;
//! for finding in &report.findings {
//!     println!("{}", finding.line());
//! }
//! # Ok::<(), testbench::Refusal>(())
//! ```
//!
//! A worker process runs each scenario, so that a crash, a hang or a bug check of the driver ends only that scenario. A
//! program that embeds the bench is its own worker if it calls [`worker::serve`] first in `main`. The tests of an
//! emitted project start the program `testbench-worker`.
//!
//! # Outcomes
//!
//! A report has one of three outcomes: there are findings; there are no findings and everything was judged; or there
//! are no findings and not everything was judged. A call that the bench does not model ends its scenario and is not a
//! finding. The scripts are then run without the routine that makes the call, so that the rest of the driver is judged.
//! [`Assumptions`] define a result for such a call. If the driver looks up a function by name and the bench does not
//! model it, the lookup returns NULL, and the function is listed as not judged.
//!
//! # Tests
//!
//! The author of a driver writes [tests](test): they load the driver on a simulated machine with volumes, files and
//! processes, act as programs do, and compare the results. A script and a test perform the same [acts](act).
//!
//! # The machine
//!
//! - Each driver thread has a kernel stack of 24 KB, which nested callbacks share. The functions of the model run on a
//!   separate host stack.
//! - A thread runs until it waits. Then another thread runs. If no thread can run, the report lists the threads and the
//!   objects that they wait for.
//! - An access to an invalid user-mode address and `ExRaiseStatus` raise exceptions. `__except` handles them, and
//!   `__finally` blocks run. An invalid kernel-mode address causes a bug check.
//! - On Linux, the worker runs under a system call filter. It can use memory, write events, and exit. On Windows, it
//!   runs in a job that limits memory and time and prevents child processes. A driver that calls Windows directly can
//!   access everything that the user can access.
//!
//! # What the bench detects at the instruction
//!
//! - Use of freed memory, of the registry path after `DriverEntry`, and of the bytes after a block.
//! - Execution of code that was unmapped: the INIT section after `DriverEntry`, the image after the unload.
//! - Access to pageable sections and paged pool at `DISPATCH_LEVEL`.
//! - An invalid pointer that was passed to a function, with the number of the argument.
//! - Access to memory behind an opaque handle or member; a privileged instruction; `int 29h`, with its code; a failed
//!   assertion.
//!
//! The bench emulates code that the WDK headers inline: access to the IRQL in CR8, reads of the page that kernel and
//! user mode share, and reads of the current thread. It initializes the security cookie.
//!
//! # What the bench does not detect
//!
//! - **Threads are not preempted.** A race condition is detected only if the order of the calls reveals it.
//! - **The operations of the scripts have fixed results.** Only [tests](test) have a file system. A file that the driver
//!   itself opens reads as zeroes. IRQL is a number.
//! - **XMM registers are not restored** when an exception is handled in a caller.
//! - **The model behaves as documented.** A specific version of Windows can behave differently.
//! - **ARM64** drivers cannot be run. Build the driver for x64 instead.
//!
//! The module [`imports`] lists further limits.

#[cfg(not(target_arch = "x86_64"))]
compile_error!(
    "the test bench runs the driver's own x64 code, so it must be built for x86_64: add --target x86_64-unknown-linux-gnu or x86_64-pc-windows-msvc"
);
#[cfg(not(any(target_os = "linux", windows)))]
compile_error!("the test bench runs on Linux and on Windows, x64");

pub mod act;
pub mod assume;
mod bench;
pub mod expect;
mod file_system;
pub mod image;
pub mod imports;
pub mod job;
mod lifecycle;
pub mod machine;
mod objects;
mod os;
mod perform;
pub mod report;
pub mod rules;
pub mod scenario;
mod scripts;
pub mod settings;
pub mod test;
pub mod trace;
pub mod vocabulary;
pub mod worker;

pub use act::VolumeKind;
pub use assume::{Assumption, Assumptions};
pub use bench::{Bench, Progress};
pub use expect::{Expectations, Policy};
pub use image::Refusal;
pub use report::{Finding, Report};
pub use settings::{Setting, Settings};
pub use vocabulary::{file, status};
