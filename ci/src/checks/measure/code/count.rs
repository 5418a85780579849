//! Counts the instructions that a driver executes in a scenario of the bench.
//!
//! The bench's worker runs under ptrace. It is stepped while it executes code of the driver, and runs freely elsewhere:
//! breakpoints lie at the driver's callbacks, and at the return address of each call of a system function.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io::Write as _,
    os::unix::{fs::FileExt as _, process::CommandExt as _},
    path::Path,
    process::{Child, Command, Stdio},
};

use anyhow::{Context, bail, ensure};
use nix::{
    sys::{
        ptrace,
        signal::Signal,
        wait::{WaitStatus, waitpid},
    },
    unistd::Pid,
};
use object::{LittleEndian, read::pe::PeFile64};
use testbench::{
    Assumptions, Settings,
    job::Job,
    scenario::{Scenario, Script},
    worker,
};

use crate::program;

/// How many instructions a routine of the driver executed, without the routines that were called meanwhile.
#[derive(Clone, Copy, Debug, Default)]
pub struct Count {
    /// The instructions in all calls.
    pub instructions: u64,
    /// The calls.
    pub calls: u64,
}

impl Count {
    /// The mean of a call, or 0 without a call.
    pub fn mean(self) -> f64 {
        if self.calls == 0 {
            return 0.0;
        }
        #[expect(clippy::cast_precision_loss, reason = "fewer than 2^52")]
        let mean = self.instructions as f64 / self.calls as f64;
        mean
    }
}

/// The counts, by the name of the routine: `DriverEntry`, the fields of `FLT_REGISTRATION`, and `pre` or `post` with the
/// major function.
pub type Counts = BTreeMap<String, Count>;

/// Counts the instructions of a driver in a scenario without faults.
///
/// # Errors
///
/// The scenario does not complete, or ptrace is not available.
pub fn count(sys: &Path, script: Script) -> anyhow::Result<Counts> {
    let image = fs::read(sys)?;
    let job = Job {
        driver: sys.to_path_buf(),
        scenario: Scenario::clean(script),
        registry: Settings::default(),
        assume: Assumptions::default(),
        setup: None,
    };
    let mut worker = start(&job)?;
    let result = Tracer::new(&worker, &image).and_then(Tracer::run);
    let _ = worker.kill();
    let _ = worker.wait();
    result.with_context(|| format!("{} cannot be traced", sys.display()))
}

fn start(job: &Job) -> anyhow::Result<Child> {
    let mut command = Command::new(program()?);
    command
        .env(worker::ROLE, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    // SAFETY: between fork and exec, the closure makes one system call.
    unsafe { command.pre_exec(|| ptrace::traceme().map_err(Into::into)) };
    let mut worker = command.spawn().context("the worker cannot be started")?;
    let stdin = worker.stdin.as_mut().context("the worker has no input")?;
    writeln!(stdin, "{}", serde_json::to_string(job)?)?;
    Ok(worker)
}

/// A routine of the driver that was entered.
struct Frame {
    name: String,
    return_address: u64,
}

struct Tracer {
    pid: Pid,
    memory: File,
    /// The addresses of the image.
    base: u64,
    end: u64,
    /// The address of `FltRegisterFilter`.
    register: u64,
    /// The callbacks, by address.
    callbacks: BTreeMap<u64, String>,
    /// The replaced byte at each breakpoint.
    breakpoints: BTreeMap<u64, u8>,
    frames: Vec<Frame>,
    counts: Counts,
}

impl Tracer {
    fn new(worker: &Child, image: &[u8]) -> anyhow::Result<Self> {
        let pid = Pid::from_raw(i32::try_from(worker.id())?);
        ensure!(
            matches!(waitpid(pid, None)?, WaitStatus::Stopped(_, Signal::SIGTRAP)),
            "the worker did not stop at its start"
        );
        ptrace::setoptions(
            pid,
            ptrace::Options::PTRACE_O_EXITKILL | ptrace::Options::PTRACE_O_TRACESYSGOOD,
        )?;
        // The worker confines itself when the image is loaded, before it enters the driver.
        loop {
            ptrace::syscall(pid, None)?;
            match waitpid(pid, None)? {
                WaitStatus::PtraceSyscall(_) => {
                    if ptrace::getregs(pid)?.orig_rax == nix::libc::SYS_seccomp.unsigned_abs() {
                        break;
                    }
                }
                WaitStatus::Stopped(..) => {}
                other => bail!("the worker ended before it entered the driver: {other:?}"),
            }
        }
        let memory = File::options()
            .read(true)
            .write(true)
            .open(format!("/proc/{pid}/mem"))?;
        let pe = PeFile64::parse(image)?;
        let header = &pe.nt_headers().optional_header;
        let base = base(pid, &memory, image)?;
        let mut register = 0;
        let imports = pe.import_table()?.context("the driver imports nothing")?;
        let mut descriptors = imports.descriptors()?;
        while let Some(descriptor) = descriptors.next()? {
            let mut names = imports.thunks(descriptor.original_first_thunk.get(LittleEndian))?;
            let mut slot = base + u64::from(descriptor.first_thunk.get(LittleEndian));
            while let Some(thunk) = names.next::<object::pe::ImageNtHeaders64>()? {
                let import = imports.import::<object::pe::ImageNtHeaders64>(thunk)?;
                if matches!(
                    import,
                    object::read::pe::Import::Name(_, b"FltRegisterFilter")
                ) {
                    register = word(&memory, slot)?;
                }
                slot += 8;
            }
        }
        let entry = base + u64::from(header.address_of_entry_point.get(LittleEndian));
        Ok(Self {
            pid,
            base,
            end: base + u64::from(header.size_of_image.get(LittleEndian)),
            register,
            callbacks: BTreeMap::from([(entry, "DriverEntry".to_owned())]),
            breakpoints: BTreeMap::new(),
            frames: Vec::new(),
            counts: Counts::new(),
            memory,
        })
    }

    fn run(mut self) -> anyhow::Result<Counts> {
        let mut signal = None;
        loop {
            let callbacks: Vec<_> = self.callbacks.keys().copied().collect();
            for address in callbacks {
                self.set_breakpoint(address)?;
            }
            ptrace::cont(self.pid, signal)?;
            signal = match waitpid(self.pid, None)? {
                WaitStatus::Exited(..) => return Ok(self.counts),
                WaitStatus::Stopped(_, Signal::SIGTRAP) => {
                    let mut registers = ptrace::getregs(self.pid)?;
                    let address = registers.rip - 1;
                    if self.breakpoints.contains_key(&address) {
                        registers.rip = address;
                        ptrace::setregs(self.pid, registers)?;
                        self.step()?
                    } else {
                        Some(Signal::SIGTRAP)
                    }
                }
                WaitStatus::Stopped(_, signal) => Some(signal),
                other => bail!("the worker ended early: {other:?}"),
            };
        }
    }

    /// Steps until the worker leaves the driver. Returns a signal to deliver.
    fn step(&mut self) -> anyhow::Result<Option<Signal>> {
        loop {
            let registers = ptrace::getregs(self.pid)?;
            let address = registers.rip;
            if !(self.base..self.end).contains(&address) {
                let return_address = word(&self.memory, registers.rsp)?;
                if address == self.register {
                    self.add_callbacks(registers.rdx)?;
                }
                let frame = self.frames.last();
                if frame.is_some_and(|frame| frame.return_address == address) {
                    self.frames.pop();
                } else if (self.base..self.end).contains(&return_address) {
                    self.set_breakpoint(return_address)?;
                }
                return Ok(None);
            }
            let hit = self.breakpoints.remove(&address);
            if let Some(byte) = hit {
                self.memory.write_at(&[byte], address)?;
                if let Some(name) = self.callbacks.get(&address) {
                    self.counts.entry(name.clone()).or_default().calls += 1;
                    self.frames.push(Frame {
                        name: name.clone(),
                        return_address: word(&self.memory, registers.rsp)?,
                    });
                }
            }
            if let Some(frame) = self.frames.last() {
                self.counts
                    .entry(frame.name.clone())
                    .or_default()
                    .instructions += 1;
            }
            ptrace::step(self.pid, None)?;
            match waitpid(self.pid, None)? {
                WaitStatus::Stopped(_, Signal::SIGTRAP) => {}
                WaitStatus::Stopped(_, signal) => return Ok(Some(signal)),
                other => bail!("the driver ended the worker: {other:?}"),
            }
        }
    }

    fn set_breakpoint(&mut self, address: u64) -> anyhow::Result<()> {
        if !self.breakpoints.contains_key(&address) {
            let mut byte = [0];
            self.memory.read_exact_at(&mut byte, address)?;
            self.memory.write_at(&[0xCC], address)?;
            self.breakpoints.insert(address, byte[0]);
        }
        Ok(())
    }

    /// Notes the callbacks of an `FLT_REGISTRATION`.
    fn add_callbacks(&mut self, registration: u64) -> anyhow::Result<()> {
        const FIELDS: [(u64, &str); 4] = [
            (24, "FilterUnloadCallback"),
            (32, "InstanceSetupCallback"),
            (40, "InstanceQueryTeardownCallback"),
            (56, "InstanceTeardownCompleteCallback"),
        ];
        const END: u64 = 0x80;
        let mut found: Vec<(u64, String)> = Vec::new();
        for (offset, name) in FIELDS {
            found.push((word(&self.memory, registration + offset)?, name.to_owned()));
        }
        let mut operation = word(&self.memory, registration + 16)?;
        loop {
            let major = word(&self.memory, operation)? & 0xFF;
            if major == END {
                break;
            }
            found.push((
                word(&self.memory, operation + 8)?,
                format!("pre {major:#04x}"),
            ));
            found.push((
                word(&self.memory, operation + 16)?,
                format!("post {major:#04x}"),
            ));
            operation += 32;
        }
        for (address, name) in found {
            if address != 0 {
                self.callbacks.entry(address).or_insert(name);
            }
        }
        Ok(())
    }
}

fn word(memory: &File, address: u64) -> anyhow::Result<u64> {
    let mut bytes = [0; 8];
    memory
        .read_exact_at(&mut bytes, address)
        .with_context(|| format!("the worker has no memory at {address:#x}"))?;
    Ok(u64::from_le_bytes(bytes))
}

/// The address at which the worker has loaded the image.
fn base(pid: Pid, memory: &File, image: &[u8]) -> anyhow::Result<u64> {
    /// The loader changes `ImageBase`, which comes later.
    const HEADER: usize = 0x40;
    let maps = fs::read_to_string(format!("/proc/{pid}/maps"))?;
    let mut pages = BTreeSet::new();
    for line in maps.lines() {
        let start = line.split('-').next().unwrap_or_default();
        pages.insert(u64::from_str_radix(start, 16)?);
    }
    let wanted = image.get(..HEADER).context("the driver is no image")?;
    let mut header = [0; HEADER];
    pages
        .into_iter()
        .find(|start| memory.read_exact_at(&mut header, *start).is_ok() && header == *wanted)
        .context("the worker has not loaded the driver")
}
