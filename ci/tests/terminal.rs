//! The questions at a terminal, answered at a pseudo-terminal; and a pipe whose reader closes it.

#![cfg(unix)]

mod emitting;

use std::io;
use std::num::NonZero;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use emitting::{Tree, assert_same, folder, names, read, tree, xtask_new};
use rexpect::reader::Options;
use rexpect::session::{PtySession, spawn_with_options};
use xtask::commands::options::{Declared, Kind};

/// The prompts, in their order. Of two of them, what both programs ask: `cargo xtask new` names the range of the altitude,
/// and does not ask for `service_stop` where the note in the prompt applies.
fn prompts() -> Vec<String> {
    let options = xtask::commands::options::declared().unwrap();
    options
        .into_iter()
        .map(|option| match option.name.as_str() {
            "altitude" => "Altitude (auto, or ".to_owned(),
            "service_stop" => option.prompt.split(" (").next().unwrap().to_owned(),
            _ => option.prompt,
        })
        .collect()
}

fn terminal(command: Command) -> PtySession {
    let options = Options::new()
        .timeout_ms(Some(20_000))
        .strip_ansi_escape_codes(true);
    spawn_with_options(command, options).unwrap()
}

fn xtask(destination: &Path) -> PtySession {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command
        .args(["new", "my-filter", "--destination"])
        .arg(destination)
        .env("TERM", "xterm");
    terminal(command)
}

/// The released program, which is not told a name.
fn released(source: &Path, destination: &Path) -> PtySession {
    let mut command = Command::new(xtask::checks::tools::ensure_cargo_generate().unwrap());
    command
        .args(["generate", "template", "--path"])
        .arg(source)
        .arg("--destination")
        .arg(destination)
        .env("USER", "tester")
        .env("TERM", "xterm");
    terminal(command)
}

fn enter(session: &mut PtySession) {
    session.send("\r").unwrap();
    session.flush().unwrap();
}

fn answer(session: &mut PtySession, text: &str) {
    session.send(text).unwrap();
    enter(session);
}

/// What is emitted by default, to compare with.
fn silent() -> Tree {
    let destination = folder();
    assert!(
        xtask_new(&["my-filter", "--silent"], destination.path())
            .status
            .success()
    );
    tree(&destination.path().join("my-filter"))
}

#[test]
fn enter_through_every_question_takes_the_defaults() {
    let destination = folder();
    let mut session = xtask(destination.path());
    for prompt in prompts() {
        session.exp_string(&prompt).unwrap();
        enter(&mut session);
    }
    session.exp_string("cargo xtask build").unwrap();
    session.exp_eof().unwrap();
    assert_same(
        &silent(),
        &tree(&destination.path().join("my-filter")),
        "asked",
    );
}

#[test]
fn enter_through_every_question_of_the_released_program_too() {
    let destination = folder();
    let source = xtask::commands::new::staged().unwrap();
    let mut session = released(source.path(), destination.path());
    session.exp_string("Project name").unwrap();
    enter(&mut session);
    for prompt in prompts() {
        session.exp_string(&prompt).unwrap();
        enter(&mut session);
    }
    session.exp_string("Done!").unwrap();
    session.exp_eof().unwrap();
    assert_same(
        &silent(),
        &tree(&destination.path().join("my-filter")),
        "asked",
    );
}

#[test]
fn a_wrong_answer_is_corrected() {
    let destination = folder();
    let mut session = xtask(destination.path());
    for prompt in prompts() {
        session.exp_string(&prompt).unwrap();
        if prompt.starts_with("Altitude") {
            answer(&mut session, "37oo30");
            session
                .exp_string("altitude \"37oo30\": write auto, or ")
                .unwrap();
            session.exp_string(&prompt).unwrap();
            answer(&mut session, "325000");
            session
                .exp_string("The altitude 325000 is in the range of FSFilter Anti-Virus")
                .unwrap();
            session.exp_string(&prompt).unwrap();
            answer(&mut session, "370030.5");
        } else if prompt.starts_with("Operations") {
            answer(&mut session, " ");
            session
                .exp_string("The list of operations is empty. ")
                .unwrap();
            session.exp_string(&prompt).unwrap();
            answer(&mut session, "j ");
        } else {
            enter(&mut session);
        }
    }
    session.exp_string("cargo xtask build").unwrap();
    session.exp_eof().unwrap();
    let project = destination.path().join("my-filter");
    assert!(read(&project, "my_filter.inx").contains("Altitude          = \"370030.5\""));
    assert!(read(&project, "testbench.toml").contains("operations = [\"create\", \"read\"]"));
}

/// A terminal of 80 columns, and its screen.
struct Screen {
    session: PtySession,
    parser: vt100::Parser,
}

impl Screen {
    fn of(mut command: Command) -> Self {
        command.env("TERM", "xterm");
        let options = Options::new().timeout_ms(Some(20_000));
        let size = |number| NonZero::new(number).unwrap();
        Self {
            session: spawn_with_options(command, options).unwrap(),
            // More lines than the program prints, so that none leaves the screen.
            parser: vt100::Parser::new(size(120), size(80), 0),
        }
    }

    /// Waits for a question, and answers it.
    fn answer(&mut self, question: &str, text: &str) {
        let before = self.session.exp_string(question).unwrap();
        self.show(&before);
        self.show(question);
        answer(&mut self.session, text);
    }

    /// rexpect makes each byte a character.
    fn show(&mut self, text: &str) {
        let bytes = text.chars().map(|it| u8::try_from(it).unwrap());
        self.parser.process(&bytes.collect::<Vec<u8>>());
    }

    /// What is on the screen when the program has ended: each line, with those that the program split joined.
    fn lines(mut self) -> Vec<String> {
        let rest = self.session.exp_eof().unwrap();
        self.show(&rest);
        let screen = self.parser.screen();
        let mut lines: Vec<String> = Vec::new();
        let mut goes_on = false;
        for (number, row) in (0..).zip(screen.rows(0, 80)) {
            match row.strip_prefix("  ") {
                Some(more) if !goes_on && !row.trim().is_empty() => {
                    let line = lines.last_mut().unwrap();
                    *line += " ";
                    *line += more;
                }
                _ if goes_on => *lines.last_mut().unwrap() += &row,
                _ => lines.push(row),
            }
            goes_on = screen.row_wrapped(number);
        }
        lines.truncate(lines.iter().rposition(|line| !line.is_empty()).unwrap() + 1);
        lines
    }
}

/// The default of an option, as it is shown after the question.
fn shown_default(option: &Declared) -> &str {
    match &option.kind {
        Kind::Flag if option.default == "true" => "yes",
        Kind::Flag => "no",
        _ => &option.default,
    }
}

/// What is on the screen afterwards: each answer that was accepted once, and each refusal in full.
#[test]
fn answers_and_refusals_stay_on_the_screen() {
    let destination = folder();
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command
        .args(["new", "My_Filter", "--destination"])
        .arg(destination.path());
    let mut screen = Screen::of(command);
    let mut expected = vec![
        "The name \"My_Filter\" is converted to my-filter.".to_owned(),
        "Enter accepts the default. cargo xtask options lists the names of the options.".to_owned(),
    ];
    let long = "a description that is longer than what is left of the line, ".repeat(3) + "twice";
    for option in xtask::commands::options::declared().unwrap() {
        let (mut question, name) = (option.prompt.clone(), option.name.as_str());
        let refusals: &[(&str, &str)] = match name {
            "provider" => &[
                (
                    "Microsoft",
                    "\"Microsoft\" cannot be the provider: an INF whose provider begins with Microsoft is refused by InfVerif \
                     (code 1204). Write your company's name or your own.",
                ),
                (
                    "ends in a blank ",
                    "provider \"ends in a blank \": write 1 to 255 printable ASCII characters, without a blank at the beginning \
                     or the end",
                ),
            ],
            "license_year" => &[(
                "20x6",
                "license_year \"20x6\": write auto, or a year from 1900 to 2099",
            )],
            "altitude" => &[(
                "325000",
                "The altitude 325000 is in the range of FSFilter Anti-Virus (anti-virus). For FSFilter Activity Monitor, \
                 write auto, or a number from 360000 to 389999.",
            )],
            // A blank clears the default.
            "operations" => &[(
                " ",
                "The list of operations is empty. Choose at least one, such as create.",
            )],
            _ => &[],
        };
        let (typed, shown) = match name {
            "description" => (long.as_str(), long.as_str()),
            "license_year" => ("2001", "2001"),
            "altitude" => ("370030.5", "370030.5"),
            // With this policy, the next option is not asked.
            "unload_policy" => ("jj", "never"),
            "service_stop" => continue,
            "operations" => ("j ", "create, read"),
            // Enter alone.
            _ => ("", shown_default(&option)),
        };
        if name == "altitude" {
            question = "Altitude (auto, or 360000 to 389999)".to_owned();
        }
        for (typed, sentence) in refusals {
            screen.answer(&question, typed);
            expected.push(format!("✘ {sentence}"));
        }
        screen.answer(&question, typed);
        expected.push(format!("✔ {question} · {shown}"));
    }
    let lines = screen.lines();
    assert_eq!(&lines[..expected.len()], expected);
    assert!(lines[expected.len()].starts_with("Created my-filter in "));
    assert_eq!(names(destination.path()), ["my-filter"]);
}

/// The reader of a pipe that closes it, such as `head`, ends the program without a message and without remains.
#[test]
fn a_closed_pipe_ends_the_program_quietly() {
    let destination = folder();
    for arguments in [
        ["inf", "--list-rules"].as_slice(),
        &["verify", "--list-rules"],
        &["options", "pipeline"],
        &["matrix", "--list"],
        &["new", "my-filter", "--dry-run", "--silent"],
    ] {
        let temporary = folder();
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
            .args(arguments)
            .current_dir(destination.path())
            .env("TMPDIR", temporary.path())
            .stdin(Stdio::null())
            .stdout(writer)
            .output()
            .unwrap();
        // That of a program that SIGPIPE ends, as a shell reports it.
        assert_eq!(output.status.code(), Some(141), "{arguments:?}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{arguments:?}");
        assert!(names(temporary.path()).is_empty(), "{arguments:?}");
    }
    assert!(names(destination.path()).is_empty());

    // Any other failure to write is reported.
    if cfg!(not(target_os = "linux")) {
        return;
    }
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full");
    let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(["inf", "--list-rules"])
        .stdout(full.unwrap())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(101));
    assert!(String::from_utf8_lossy(&output.stderr).contains("failed printing to stdout"));
}

#[test]
fn a_wrong_answer_to_the_released_program_is_corrected() {
    let destination = folder();
    let source = xtask::commands::new::staged().unwrap();
    let mut session = released(source.path(), destination.path());
    session.exp_string("Project name").unwrap();
    answer(&mut session, "con");
    session
        .exp_string("\"con\" cannot be the project's name: it is the name of a Windows device")
        .unwrap();
    session.exp_string(": ").unwrap();
    answer(&mut session, "MyFilter");
    for prompt in prompts() {
        session.exp_string(&prompt).unwrap();
        if prompt.starts_with("Altitude") {
            answer(&mut session, "37oo30");
            session
                .exp_string("\"37oo30\" is not a valid value for altitude")
                .unwrap();
            answer(&mut session, "370030");
        } else {
            enter(&mut session);
        }
    }
    session.exp_string("Done!").unwrap();
    session.exp_eof().unwrap();
    assert!(
        read(&destination.path().join("my-filter"), "my_filter.inx")
            .contains("Altitude          = \"370030\"")
    );
}

#[test]
fn what_is_answered_is_not_asked() {
    let destination = folder();
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command
        .args(["new", "my-filter", "--destination"])
        .arg(destination.path())
        .env("TERM", "xterm");
    for option in xtask::commands::options::declared().unwrap() {
        if option.name != "license" {
            command
                .arg("-d")
                .arg(format!("{}={}", option.name, option.default));
        }
    }
    let mut session = terminal(command);
    session.exp_string("License").unwrap();
    enter(&mut session);
    let rest = session.exp_string("cargo xtask build").unwrap();
    for prompt in prompts()
        .iter()
        .filter(|prompt| !prompt.starts_with("License"))
    {
        assert!(!rest.contains(prompt), "{rest}");
    }
    session.exp_eof().unwrap();
    assert_same(
        &silent(),
        &tree(&destination.path().join("my-filter")),
        "asked",
    );
}

#[test]
fn a_name_is_refused_before_the_first_question() {
    let destination = folder();
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command
        .args(["new", "con", "--destination"])
        .arg(destination.path());
    let mut session = terminal(command);
    let said = session.exp_eof().unwrap();
    assert!(
        said.starts_with("error: \"con\" cannot be the project's name: "),
        "{said}"
    );
    assert!(names(destination.path()).is_empty());
}

#[test]
fn ctrl_c_leaves_nothing_behind() {
    // At a line to type, and at a list to choose from.
    for questions in [1, 3] {
        let destination = folder();
        let mut session = xtask(destination.path());
        let prompts = prompts();
        for prompt in &prompts[..questions - 1] {
            session.exp_string(prompt).unwrap();
            enter(&mut session);
        }
        session.exp_string(&prompts[questions - 1]).unwrap();
        session.send("\u{3}").unwrap();
        session.flush().unwrap();
        let said = session.exp_eof().unwrap();
        assert!(
            said.contains("error: interrupted; nothing is left behind"),
            "{said}"
        );
        assert!(names(destination.path()).is_empty());
    }
}

/// In the middle of the work, whenever that is: a whole project or none.
#[test]
fn an_interruption_leaves_a_whole_project_or_none() {
    let whole = silent();
    for delay in (0..150).step_by(15) {
        let destination = folder();
        let temporary = folder();
        let mut running = Command::new(env!("CARGO_BIN_EXE_xtask"))
            .args(["new", "my-filter", "--silent", "--destination"])
            .arg(destination.path())
            .env("TMPDIR", temporary.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        thread::sleep(Duration::from_millis(delay));
        Command::new("kill")
            .args(["-INT", &running.id().to_string()])
            .status()
            .unwrap();
        if running.wait().unwrap().success() {
            assert_same(
                &whole,
                &tree(&destination.path().join("my-filter")),
                "interrupted",
            );
        } else {
            assert!(names(destination.path()).is_empty());
        }
        assert!(names(temporary.path()).is_empty());
    }
}
