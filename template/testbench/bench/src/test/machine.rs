//! The machine on which a driver is tested.

use std::rc::Rc;
use std::thread;
use std::time::Duration;

use super::completion::{Completion, Stopped};
use super::link::Link;
use super::process::Process;
use super::text;
use crate::act::{Act, Reply, VolumeKind};
use crate::report::Finding;
use crate::scenario::{Fault, Injected};
use crate::trace::{Event, LogEntry, Operation, Routine, Trace};
use crate::vocabulary::status::Status;

/// A machine on which the driver is loaded. When it is dropped, the driver is stopped, and the rules judge what happened.
#[derive(Debug)]
pub struct Machine {
    link: Rc<Link>,
    /// What distinguishes this run of the test from others.
    context: String,
}

/// An operation that the file system received: what the filter passed on.
#[derive(Debug, Clone, PartialEq)]
pub struct Below {
    /// The operation.
    pub operation: Operation,
    /// The path, such as `C:\a.txt`.
    pub path: String,
    /// The name of the program.
    pub process: String,
    /// `IrpFlags`: `IRP_NOCACHE` is 1, `IRP_PAGING_IO` 2.
    pub flags: u32,
    /// The offset of a read or a write.
    pub offset: Option<u64>,
    /// The length of the buffer.
    pub length: Option<u32>,
    /// The status.
    pub status: Status,
    /// `IoStatus.Information`.
    pub information: u64,
}

impl Machine {
    pub(super) fn new(link: Link, context: String) -> Self {
        Machine {
            link: Rc::new(link),
            context,
        }
    }

    fn act(&self, what: &str, act: &Act) -> Completion<()> {
        let answer = self.link.act(act);
        Completion::new(&self.link, what.to_owned(), answer, |_| Some(()))
    }

    /// Starts a process of a user.
    #[must_use]
    pub fn process(&self, name: &str) -> Process {
        self.process_of(name, "user", 1)
    }

    /// Starts a process of a user in a session.
    #[must_use]
    pub fn process_of(&self, name: &str, user: &str, session: u32) -> Process {
        let answer = self.link.act(&Act::Process {
            name: name.to_owned(),
            user: user.to_owned(),
            session,
        });
        let number = answer.reply.and_then(|reply| reply.number);
        Process::new(&self.link, number.unwrap_or(u32::MAX), name)
    }

    /// Mounts a volume. The driver is asked to attach to it.
    pub fn mount(&self, volume: char, kind: VolumeKind) -> Completion<()> {
        let what = format!("{kind} is mounted as {volume}:");
        self.act(&what, &Act::Mount { volume, kind })
    }

    /// Dismounts a volume.
    pub fn dismount(&self, volume: char) -> Completion<()> {
        let what = format!("{volume}: is dismounted");
        self.act(&what, &Act::Dismount { volume })
    }

    /// `fltmc attach`.
    pub fn attach(&self, volume: char) -> Completion<()> {
        let what = format!("fltmc attach to {volume}:");
        let volume = Some(volume);
        self.act(&what, &Act::Attach { volume })
    }

    /// `fltmc detach`.
    pub fn detach(&self, volume: char) -> Completion<()> {
        let what = format!("fltmc detach from {volume}:");
        let volume = Some(volume);
        self.act(&what, &Act::Detach { volume })
    }

    /// `fltmc unload`, which the driver can refuse.
    pub fn unload(&self) -> Completion<()> {
        self.act("fltmc unload", &Act::Unload { mandatory: false })
    }

    /// `sc stop`, which the driver cannot refuse.
    pub fn stop(&self) -> Completion<()> {
        self.act("sc stop", &Act::Unload { mandatory: true })
    }

    /// Shuts down the system. The driver is notified, and not unloaded.
    pub fn shut_down(&self) -> Completion<()> {
        self.act("the system shuts down", &Act::ShutDown)
    }

    /// Calls the reinitialization routines, as the system does after the boot drivers and the system drivers started.
    pub fn reinitialize(&self) -> Completion<()> {
        self.act("the reinitialization routines run", &Act::Reinitialize)
    }

    /// Moves the clock. Timers that expire run.
    pub fn advance(&self, time: Duration) -> Completion<()> {
        let time = i64::try_from(time.as_nanos() / 100).unwrap_or(i64::MAX);
        self.act("the clock moves", &Act::Advance { time })
    }

    /// Makes the next call of a function fail with its first documented failure.
    pub fn fail_next(&self, function: &str) -> Completion<()> {
        self.fail(function, None)
    }

    /// Makes the next call of a function fail with a status.
    pub fn fail_next_with(&self, function: &str, status: Status) -> Completion<()> {
        self.fail(function, Some(Injected::Status(status)))
    }

    fn fail(&self, function: &str, result: Option<Injected>) -> Completion<()> {
        let what = format!("the next call of {function} is to fail");
        let function = function.to_owned();
        self.act(&what, &Act::FailNext { function, result })
    }

    /// Runs the lazy writer and the mapped page writer: the system process writes all dirty pages.
    pub fn write_back(&self) -> Completion<()> {
        self.act("the lazy writer runs", &Act::WriteBack)
    }

    /// Writes a page to the paging file and reads it again, as the system does when memory is short.
    pub fn page_out(&self) -> Completion<()> {
        self.act("the system uses the paging file", &Act::PageOut)
    }

    /// Returns the data of a file on the disk, which the driver and the cache can have changed. The driver does not see
    /// this.
    pub fn disk(&self, path: &str) -> Completion<Vec<u8>> {
        let answer = self.link.act(&Act::Disk {
            path: path.to_owned(),
        });
        let what = format!("the data of {path} on the disk");
        Completion::new(&self.link, what, answer, |reply| Some(reply.data.clone()))
    }

    /// Opens a device of the driver by its name, such as `\\.\my_filter`.
    pub fn device(&self, name: &str) -> Completion<Device> {
        let answer = self.link.act(&Act::OpenDevice {
            name: Some(name.to_owned()),
        });
        let what = format!("a program opens {name}");
        Completion::new(&self.link, what, answer, |_| {
            Some(Device {
                link: self.link.clone(),
                name: name.to_owned(),
            })
        })
    }

    /// Connects a program to a communication port of the driver.
    pub fn connect(&self, port: &str, context: &[u8]) -> Completion<Port> {
        let answer = self.link.act(&Act::Connect {
            port: Some(port.to_owned()),
            context: context.to_vec(),
        });
        let what = format!("a program connects to {port}");
        Completion::new(&self.link, what, answer, |_| {
            Some(Port {
                link: self.link.clone(),
                name: port.to_owned(),
            })
        })
    }

    /// Returns the entries that the driver wrote to the event log.
    #[must_use]
    pub fn logged(&self) -> Vec<LogEntry> {
        self.collect(|event| match event {
            Event::ErrorLog { entry } => Some(entry.clone()),
            _ => None,
        })
    }

    /// Returns the messages that the driver wrote to the debugger.
    #[must_use]
    pub fn traced(&self) -> Vec<String> {
        self.collect(|event| match event {
            Event::Trace { text } => Some(text.clone()),
            _ => None,
        })
    }

    /// Returns the messages that the driver sent through its port.
    #[must_use]
    pub fn messages(&self) -> Vec<Vec<u8>> {
        self.collect(|event| match event {
            Event::PortMessage { data } => Some(data.clone()),
            _ => None,
        })
    }

    /// Returns the operations that the file system received.
    #[must_use]
    pub fn below(&self) -> Vec<Below> {
        self.collect(|event| match event {
            Event::Below {
                operation,
                path,
                process,
                flags,
                offset,
                length,
                status,
                information,
            } => Some(Below {
                operation: operation.clone(),
                path: path.clone(),
                process: process.clone(),
                flags: *flags,
                offset: *offset,
                length: *length,
                status: *status,
                information: *information,
            }),
            _ => None,
        })
    }

    /// Returns the resources that the driver acquired after `DriverEntry` and holds, such as
    /// `pool block (of 64 bytes, tag 'Demo')`.
    #[must_use]
    pub fn holds(&self) -> Vec<String> {
        let trace = Trace {
            events: self.link.with_events(<[Event]>::to_vec),
        };
        let view = crate::rules::view::View::new(&trace);
        let held = view.held_at(trace.events.len());
        let later = held.filter(|resource| {
            !view.is_in(resource.acquired, |routine| {
                *routine == Routine::DriverEntry
            })
        });
        later.map(ToString::to_string).collect()
    }

    /// Returns the fault of this run, if [`Builder::every_fault`](super::Builder::every_fault) injects one. A test can
    /// expect something else of such a run.
    #[must_use]
    pub fn fault(&self) -> Option<&Fault> {
        self.link.scenario.faults.first()
    }

    fn collect<T>(&self, select: impl Fn(&Event) -> Option<T>) -> Vec<T> {
        self.link
            .with_events(|events| events.iter().filter_map(select).collect())
    }

    /// Ends the machine. Returns the findings of the rules instead of failing the test.
    #[must_use]
    pub fn end(self) -> Vec<Finding> {
        self.link.end().unwrap_or_default()
    }

    /// Returns whether the driver can go on: it has not crashed, and waits for nothing.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.link.is_running()
    }

    /// Ends the machine without judging what happened, because the test has failed.
    pub(super) fn forget(self) {
        if !self.context.is_empty() {
            eprintln!("this was {}", self.context.trim_end_matches(": "));
        }
        let _ = self.link.end();
    }

    pub(super) fn events(&self) -> Vec<Event> {
        self.link.with_events(<[Event]>::to_vec)
    }

    /// Ends the machine and judges what happened.
    #[track_caller]
    pub(super) fn judge(&self) {
        let Some(findings) = self.link.end() else {
            return;
        };
        let unexpected: Vec<_> = findings
            .iter()
            .filter(|finding| !self.link.expects(finding))
            .cloned()
            .collect();
        let context = &self.context;
        assert!(
            unexpected.is_empty(),
            "{context}the driver breaks a rule:\n{}",
            text::indented(&text::findings(&unexpected))
        );
        if let Some(import) = self.link.unmodelled() {
            panic!(
                "{context}the driver called {import}, which the bench does not model; give its result with assume()"
            );
        }
        if let Some(why) = self.link.not_performed() {
            panic!("{context}{why}");
        }
        if let Some(function) = self.link.unused_fault() {
            panic!("{context}the next call of {function} was to fail, and it was not called");
        }
        for rule in &self.link.expected {
            assert!(
                findings.iter().any(|finding| finding.rule == rule),
                "{context}the test expects a finding of the rule {rule}, and there is none"
            );
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if thread::panicking() {
            if !self.context.is_empty() {
                eprintln!("this was {}", self.context.trim_end_matches(": "));
            }
        } else {
            self.judge();
        }
    }
}

/// Returns whether a panic is that of a machine that ended with an expected finding.
pub(super) fn is_expected_stop(panic: &(dyn std::any::Any + Send)) -> bool {
    panic.is::<Stopped>()
}

/// An open device of the driver.
#[derive(Debug)]
pub struct Device {
    link: Rc<Link>,
    name: String,
}

impl Device {
    fn act<T>(
        &self,
        verb: &str,
        act: &Act,
        value: impl FnOnce(&Reply) -> Option<T>,
    ) -> Completion<T> {
        let what = format!("a program {verb} {}", self.name);
        let answer = self.link.act(act);
        Completion::new(&self.link, what, answer, value)
    }

    /// Sends a control code. Returns the output.
    pub fn control(&self, code: u32, input: &[u8], output: u32) -> Completion<Vec<u8>> {
        let act = Act::ControlDevice {
            code,
            input: input.to_vec(),
            output,
        };
        let verb = format!("sends the control code 0x{code:08X} to");
        self.act(&verb, &act, |reply| Some(reply.data.clone()))
    }

    /// Reads.
    pub fn read(&self, length: u32) -> Completion<Vec<u8>> {
        let data = |reply: &Reply| Some(reply.data.clone());
        self.act("reads from", &Act::ReadDevice { length }, data)
    }

    /// Writes. Returns the number of bytes.
    pub fn write(&self, data: &[u8]) -> Completion<u64> {
        let data = data.to_vec();
        let count = |reply: &Reply| Some(reply.information);
        self.act("writes to", &Act::WriteDevice { data }, count)
    }

    /// `FlushFileBuffers`.
    pub fn flush(&self) -> Completion<()> {
        self.act("flushes", &Act::FlushDevice, |_| Some(()))
    }

    /// Closes the device.
    pub fn close(self) -> Completion<()> {
        self.act("closes", &Act::CloseDevice, |_| Some(()))
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        if self.link.is_running() {
            let _ = self.link.act(&Act::CloseDevice);
        }
    }
}

/// A connection to a communication port of the driver.
#[derive(Debug)]
pub struct Port {
    link: Rc<Link>,
    name: String,
}

impl Port {
    /// Sends a message, as `FilterSendMessage` does. Returns the answer.
    pub fn send(&self, input: &[u8], output: u32) -> Completion<Vec<u8>> {
        let answer = self.link.act(&Act::Message {
            input: input.to_vec(),
            output,
        });
        let what = format!("a program sends a message to {}", self.name);
        Completion::new(&self.link, what, answer, |reply| Some(reply.data.clone()))
    }

    /// Replies to the next message that the driver sends. Without a reply, the driver receives zeroes.
    pub fn answer(&self, data: &[u8]) -> Completion<()> {
        let data = data.to_vec();
        let answer = self.link.act(&Act::Answer { data });
        let what = format!("a program replies to a message of {}", self.name);
        Completion::new(&self.link, what, answer, |_| Some(()))
    }

    /// Disconnects.
    pub fn disconnect(self) -> Completion<()> {
        let answer = self.link.act(&Act::Disconnect);
        let what = format!("a program disconnects from {}", self.name);
        Completion::new(&self.link, what, answer, |_| Some(()))
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        if self.link.is_running() {
            let _ = self.link.act(&Act::Disconnect);
        }
    }
}
