//! The commands of the simulated machine.

use std::{collections::BTreeMap, fmt::Write as _, mem, time::Duration};

use testbench::{
    Finding, VolumeKind, status,
    test::{Builder, Completion, Device, File, Machine, Process, View},
};

/// A command.
pub struct Command {
    /// The name.
    pub name: &'static str,
    /// The arguments.
    arguments: &'static str,
    /// The description.
    does: &'static str,
    run: fn(&mut Shell, &str) -> Result<String, String>,
}

/// The commands, in the order in which `help` lists them.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "reg",
        arguments: "NAME TYPE:VALUE",
        does: "set a registry value of the driver, before it is loaded",
        run: |shell, rest| {
            let (name, value) = two(rest, "reg NAME TYPE:VALUE")?;
            testbench::Setting::new(name, value)?;
            shell.prepare(|builder| builder.registry(name, value))
        },
    },
    Command {
        name: "volume",
        arguments: "LETTER KIND",
        does: "add a volume before the driver is loaded: ntfs, fat, exfat, refs, network or removable",
        run: |shell, rest| {
            let (letter, kind) = volume(rest)?;
            // A volume C: with NTFS is there unless another one is.
            let first = letter != 'C' && !mem::replace(&mut shell.has_volumes, true);
            shell.has_volumes = true;
            shell.prepare(|builder| {
                let builder = if first {
                    builder.volume('C', VolumeKind::Ntfs)
                } else {
                    builder
                };
                builder.volume(letter, kind)
            })
        },
    },
    Command {
        name: "file",
        arguments: "PATH [TEXT]",
        does: "add a file before the driver is loaded",
        run: |shell, rest| {
            let (path, text) = path(rest);
            shell.prepare(|builder| builder.file(path, text.as_bytes()))
        },
    },
    Command {
        name: "load",
        arguments: "",
        does: "load the driver",
        run: |shell, _| shell.load(),
    },
    Command {
        name: "open",
        arguments: "PATH [as PROGRAM]",
        does: "open a file for reading and writing, or a directory",
        run: |shell, rest| {
            let (path, program) = by(rest);
            let process = shell.process(program)?;
            let opened = process.edit(path);
            let is_directory = opened.status() == status::INVALID_PARAMETER;
            shell.opened(if is_directory {
                process.open_directory(path)
            } else {
                opened
            })
        },
    },
    Command {
        name: "create",
        arguments: "PATH [as PROGRAM]",
        does: "create or overwrite a file",
        run: |shell, rest| {
            let (path, program) = by(rest);
            let created = shell.process(program)?.create(path);
            shell.opened(created)
        },
    },
    Command {
        name: "read",
        arguments: "[OFFSET LENGTH]",
        does: "read from the file that was opened last",
        run: |shell, rest| {
            let file = shell.file()?;
            if rest.is_empty() {
                told(&file.read_all())
            } else {
                let (offset, length) = two(rest, "read OFFSET LENGTH")?;
                told(&file.read(number(offset)?, number(length)?))
            }
        },
    },
    Command {
        name: "write",
        arguments: "OFFSET TEXT",
        does: "write to the file that was opened last",
        run: |shell, rest| {
            let (offset, text) = two(rest, "write OFFSET TEXT")?;
            told(&shell.file()?.write(number(offset)?, text.as_bytes()))
        },
    },
    Command {
        name: "flush",
        arguments: "",
        does: "flush the file that was opened last",
        run: |shell, _| told(&shell.file()?.flush()),
    },
    Command {
        name: "size",
        arguments: "",
        does: "query the size of the file that was opened last",
        run: |shell, _| told(&shell.file()?.size()),
    },
    Command {
        name: "map",
        arguments: "",
        does: "map the file that was opened last, and read the view",
        run: |shell, _| {
            let mapped = shell.file()?.map(true);
            let mut text = told(&mapped)?;
            if let Some(view) = mapped.ok() {
                let length = u32::try_from(view.size()).unwrap_or(u32::MAX);
                let read = told(&view.read(0, length))?;
                let _ = write!(text, "\n{read}");
                shell.view = Some(view);
            }
            Ok(text)
        },
    },
    Command {
        name: "poke",
        arguments: "OFFSET TEXT",
        does: "write to the view",
        run: |shell, rest| {
            let (offset, text) = two(rest, "poke OFFSET TEXT")?;
            let view = shell.view.as_ref().ok_or("no file is mapped; type `map`")?;
            told(&view.write(number(offset)?, text.as_bytes()))
        },
    },
    Command {
        name: "unmap",
        arguments: "",
        does: "unmap the view",
        run: |shell, _| {
            let view = shell.view.take().ok_or("no file is mapped; type `map`")?;
            told(&view.unmap())
        },
    },
    Command {
        name: "close",
        arguments: "",
        does: "close the file that was opened last",
        run: |shell, _| {
            let file = shell.current.take().ok_or(NO_FILE)?;
            shell.current = shell.files.pop();
            told(&file.close())
        },
    },
    Command {
        name: "delete",
        arguments: "PATH [as PROGRAM]",
        does: "delete a file",
        run: |shell, rest| {
            let (path, program) = by(rest);
            told(&shell.process(program)?.delete(path))
        },
    },
    Command {
        name: "rename",
        arguments: "PATH PATH",
        does: "rename a file",
        run: |shell, rest| {
            let (from, to) = paths(rest, "rename PATH PATH")?;
            told(&shell.process("program.exe")?.rename(from, to))
        },
    },
    Command {
        name: "mkdir",
        arguments: "PATH [as PROGRAM]",
        does: "create a directory",
        run: |shell, rest| {
            let (path, program) = by(rest);
            told(&shell.process(program)?.create_directory(path))
        },
    },
    Command {
        name: "list",
        arguments: "PATH [as PROGRAM]",
        does: "list a directory",
        run: |shell, rest| {
            let (path, program) = by(rest);
            let listed = shell.process(program)?.list(path);
            let text = told(&listed)?;
            Ok(match listed.ok() {
                Some(names) => format!("{}\n{text}", names.join("\n")),
                None => text,
            })
        },
    },
    Command {
        name: "stat",
        arguments: "PATH [as PROGRAM]",
        does: "query a file without opening it",
        run: |shell, rest| {
            let (path, program) = by(rest);
            told(&shell.process(program)?.metadata(path))
        },
    },
    Command {
        name: "copy",
        arguments: "PATH PATH",
        does: "copy a file through the cache",
        run: |shell, rest| {
            let (from, to) = paths(rest, "copy PATH PATH")?;
            told(&shell.process("program.exe")?.copy(from, to))
        },
    },
    Command {
        name: "writeback",
        arguments: "",
        does: "run the lazy writer",
        run: |shell, _| told(&shell.machine()?.write_back()),
    },
    Command {
        name: "disk",
        arguments: "PATH",
        does: "show the data of a file on the disk",
        run: |shell, rest| told(&shell.machine()?.disk(rest)),
    },
    Command {
        name: "mount",
        arguments: "LETTER KIND",
        does: "mount a volume",
        run: |shell, rest| {
            let (letter, kind) = volume(rest)?;
            told(&shell.machine()?.mount(letter, kind))
        },
    },
    Command {
        name: "dismount",
        arguments: "LETTER",
        does: "dismount a volume",
        run: |shell, rest| told(&shell.machine()?.dismount(letter(rest)?)),
    },
    Command {
        name: "attach",
        arguments: "LETTER",
        does: "fltmc attach",
        run: |shell, rest| told(&shell.machine()?.attach(letter(rest)?)),
    },
    Command {
        name: "detach",
        arguments: "LETTER",
        does: "fltmc detach",
        run: |shell, rest| told(&shell.machine()?.detach(letter(rest)?)),
    },
    Command {
        name: "device",
        arguments: "NAME",
        does: "open a device of the driver, such as \\\\.\\my_filter",
        run: |shell, rest| {
            let opened = shell.machine()?.device(rest);
            let text = told(&opened)?;
            shell.device = opened.ok();
            Ok(text)
        },
    },
    Command {
        name: "control",
        arguments: "CODE [OUTPUT]",
        does: "send a control code to the device, with the size of the output buffer",
        run: |shell, rest| {
            let (code, output) = rest.split_once(' ').unwrap_or((rest, "0"));
            let device = shell
                .device
                .as_ref()
                .ok_or("no device is open; type `device NAME`")?;
            let output = number(output)?;
            told(&device.control(number(code)?, b"", output))
        },
    },
    Command {
        name: "fail",
        arguments: "FUNCTION [STATUS]",
        does: "make the next call of a function fail, with its first documented failure or a status",
        run: |shell, rest| {
            let machine = shell.machine()?;
            let failing = match rest.split_once(' ') {
                Some((function, name)) => {
                    let name = name.strip_prefix("STATUS_").unwrap_or(name);
                    let status = status::by_name(name).ok_or_else(|| {
                        format!("{name:?} is no status that the bench knows; write a name such as STATUS_ACCESS_DENIED")
                    })?;
                    machine.fail_next_with(function, status)
                }
                None => machine.fail_next(rest),
            };
            told(&failing).map(|_| format!("the next call of {rest} will fail"))
        },
    },
    Command {
        name: "advance",
        arguments: "MILLISECONDS",
        does: "move the clock",
        run: |shell, rest| {
            let time = Duration::from_millis(number(rest)?);
            told(&shell.machine()?.advance(time))
        },
    },
    Command {
        name: "holds",
        arguments: "",
        does: "list what the driver holds",
        run: |shell, _| Ok(or_nothing(&shell.machine()?.holds())),
    },
    Command {
        name: "log",
        arguments: "",
        does: "list what the driver wrote to the event log and to the debugger",
        run: |shell, _| {
            let machine = shell.machine()?;
            let log = machine.logged();
            let entries = log.iter().map(|entry| {
                let sentence = entry.sentence.clone().unwrap_or_default();
                format!("event log: {sentence} ({})", entry.status)
            });
            let traced = machine.traced();
            let lines: Vec<String> = entries.chain(traced).collect();
            Ok(or_nothing(&lines))
        },
    },
    Command {
        name: "unload",
        arguments: "",
        does: "fltmc unload, which the driver can refuse",
        run: |shell, _| {
            shell.close_all();
            told(&shell.machine()?.unload())
        },
    },
    Command {
        name: "stop",
        arguments: "",
        does: "sc stop, which the driver cannot refuse",
        run: |shell, _| {
            shell.close_all();
            told(&shell.machine()?.stop())
        },
    },
    Command {
        name: "help",
        arguments: "",
        does: "list the commands",
        run: |_, _| Ok(help()),
    },
];

const NO_FILE: &str = "no file is open; type `open PATH`";

const NOT_LOADED: &str = "the driver is not loaded; type `load`";

/// What a command did.
#[derive(Debug)]
pub enum Told {
    /// It was performed. The text is empty if there is nothing to say.
    Done(String),
    /// It was refused, with the reason.
    Refused(String),
    /// The user ends the session.
    End,
}

/// The state of the simulated machine.
pub struct Shell {
    builder: Builder,
    machine: Option<Machine>,
    processes: BTreeMap<String, Process>,
    /// The file that was opened last, unless that failed.
    current: Option<File>,
    /// The other files.
    files: Vec<File>,
    view: Option<View>,
    device: Option<Device>,
    findings: Vec<Finding>,
    /// The driver was loaded.
    loaded: bool,
    /// Volumes were added.
    has_volumes: bool,
}

impl Shell {
    /// Creates a machine on which the driver is not loaded.
    pub fn new(builder: Builder) -> Self {
        Self {
            builder,
            machine: None,
            processes: BTreeMap::new(),
            current: None,
            files: Vec::new(),
            view: None,
            device: None,
            findings: Vec::new(),
            loaded: false,
            has_volumes: false,
        }
    }

    /// Performs a command.
    pub fn perform(&mut self, line: &str) -> Told {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            return Told::Done(String::new());
        }
        let (name, rest) = line.split_once(' ').unwrap_or((line, ""));
        if matches!(name, "quit" | "exit") {
            return Told::End;
        }
        let Some(command) = COMMANDS.iter().find(|command| command.name == name) else {
            return Told::Refused(format!("there is no command {name:?}; `help` lists them"));
        };
        match (command.run)(self, rest.trim()) {
            Ok(text) => Told::Done(text),
            Err(why) => Told::Refused(why),
        }
    }

    /// Ends the machine. Returns the findings as text, and whether there are any.
    pub fn end(mut self) -> (String, bool) {
        self.end_machine();
        let lines: Vec<String> = self.findings.iter().map(Finding::line).collect();
        let text = match (self.loaded, lines.is_empty()) {
            (true, true) => "no finding".to_owned(),
            _ => lines.join("\n"),
        };
        (text, !self.findings.is_empty())
    }

    fn end_machine(&mut self) {
        self.close_all();
        self.processes.clear();
        if let Some(machine) = self.machine.take() {
            self.findings.extend(machine.end());
        }
    }

    fn close_all(&mut self) {
        self.view = None;
        self.device = None;
        self.current = None;
        self.files.clear();
    }

    fn prepare(&mut self, change: impl FnOnce(Builder) -> Builder) -> Result<String, String> {
        if self.machine.is_some() {
            return Err("the driver is loaded; this command is for before".to_owned());
        }
        let builder = self.builder.clone();
        self.builder = change(builder);
        Ok(String::new())
    }

    fn load(&mut self) -> Result<String, String> {
        if self.machine.as_ref().is_some_and(Machine::is_running) {
            return Err("the driver is loaded already; `unload` unloads it".to_owned());
        }
        self.end_machine();
        self.machine = Some(self.builder.clone().try_start()?);
        self.loaded = true;
        Ok("the driver is loaded".to_owned())
    }

    fn machine(&self) -> Result<&Machine, String> {
        self.machine.as_ref().ok_or_else(|| NOT_LOADED.to_owned())
    }

    fn process(&mut self, name: &str) -> Result<Process, String> {
        if let Some(process) = self.processes.get(name) {
            return Ok(process.clone());
        }
        let process = self.machine()?.process_of(name, name, 1);
        self.processes.insert(name.to_owned(), process.clone());
        Ok(process)
    }

    fn opened(&mut self, opened: Completion<File>) -> Result<String, String> {
        let text = told(&opened)?;
        let before = std::mem::replace(&mut self.current, opened.ok());
        self.files.extend(before);
        Ok(text)
    }

    fn file(&self) -> Result<&File, String> {
        self.current.as_ref().ok_or_else(|| NO_FILE.to_owned())
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        // A machine that is dropped fails the test that it belongs to.
        self.close_all();
        if let Some(machine) = self.machine.take() {
            mem::drop(machine.end());
        }
    }
}

/// What was done, what came back, and what the driver did.
///
/// # Errors
///
/// Returns why the act was not possible.
fn told<T>(completion: &Completion<T>) -> Result<String, String> {
    if let Some(why) = completion.refusal() {
        return Err(why.to_owned());
    }
    let account = completion.account();
    let indented = account.lines().map(|line| format!("\n    {line}"));
    Ok(format!(
        "{}{}",
        completion.line(),
        indented.collect::<String>()
    ))
}

fn or_nothing(lines: &[String]) -> String {
    if lines.is_empty() {
        "nothing".to_owned()
    } else {
        lines.join("\n")
    }
}

fn help() -> String {
    let usage = |command: &Command| format!("{} {}", command.name, command.arguments);
    let width = COMMANDS.iter().map(|command| usage(command).len()).max();
    let width = width.unwrap_or_default();
    let lines = COMMANDS
        .iter()
        .map(|command| format!("{:width$}  {}", usage(command), command.does));
    let lines: Vec<String> = lines.collect();
    format!(
        "{}\n{:width$}  end\nA path with blanks is in quotation marks. A line that begins with # is a comment.",
        lines.join("\n"),
        "quit"
    )
}

/// Splits `PATH as PROGRAM`. The path can be in quotation marks.
fn by(rest: &str) -> (&str, &str) {
    let (path, program) = rest.rsplit_once(" as ").unwrap_or((rest, "program.exe"));
    (path.trim_matches('"'), program)
}

/// Splits a path and the rest. A path with blanks is in quotation marks.
fn path(rest: &str) -> (&str, &str) {
    let quoted = rest.strip_prefix('"').and_then(|rest| rest.split_once('"'));
    let (path, rest) = quoted.unwrap_or_else(|| rest.split_once(' ').unwrap_or((rest, "")));
    (path, rest.trim_start())
}

/// Splits two paths.
fn paths<'a>(rest: &'a str, usage: &str) -> Result<(&'a str, &'a str), String> {
    let (from, rest) = path(rest);
    let (to, rest) = path(rest);
    if to.is_empty() || !rest.is_empty() {
        return Err(format!(
            "this command has two paths: {usage}; a path with blanks is in quotation marks"
        ));
    }
    Ok((from, to))
}

fn two<'a>(rest: &'a str, usage: &str) -> Result<(&'a str, &'a str), String> {
    rest.split_once(' ')
        .ok_or_else(|| format!("this command has two arguments: {usage}"))
}

fn number<T: TryFrom<u64>>(text: &str) -> Result<T, String> {
    let parsed = match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    };
    let number = parsed.ok().and_then(|number| T::try_from(number).ok());
    number.ok_or_else(|| {
        format!("{text:?} is not a number of the right size; write it in decimal, or in hexadecimal with 0x")
    })
}

fn letter(text: &str) -> Result<char, String> {
    let text = text.trim_end_matches(':');
    let mut letters = text.chars();
    match (letters.next(), letters.next()) {
        (Some(letter), None) if letter.is_ascii_alphabetic() => Ok(letter.to_ascii_uppercase()),
        _ => Err(format!(
            "{text:?} is not a drive letter; write one such as D"
        )),
    }
}

fn volume(rest: &str) -> Result<(char, VolumeKind), String> {
    let (drive, name) = two(rest, "LETTER KIND")?;
    let kind = match name {
        "ntfs" => VolumeKind::Ntfs,
        "fat" => VolumeKind::Fat,
        "exfat" => VolumeKind::Exfat,
        "refs" => VolumeKind::Refs,
        "network" => VolumeKind::Network,
        "removable" => VolumeKind::Removable,
        _ => {
            return Err(format!(
                "{name:?} is not a kind of volume; the kinds are ntfs, fat, exfat, refs, network and removable"
            ));
        }
    };
    Ok((letter(drive)?, kind))
}
