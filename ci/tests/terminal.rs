//! The questions at a terminal, answered at a pseudo-terminal.

#![cfg(unix)]

mod emitting;

use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use emitting::{Tree, assert_same, folder, names, read, tree, xtask_new};
use rexpect::reader::Options;
use rexpect::session::{PtySession, spawn_with_options};

/// The prompts, in their order. Of the altitude's, what both programs ask: `cargo xtask new` goes on with the range of the
/// group.
fn prompts() -> Vec<String> {
    let options = xtask::commands::options::declared().unwrap();
    options
        .into_iter()
        .map(|option| {
            let common = "Altitude: auto (a draft), or a number ";
            if option.prompt.starts_with(common) {
                common.trim_end().to_owned()
            } else {
                option.prompt
            }
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
            // The shape is judged in place: what was typed stays and is typed over.
            answer(&mut session, "37oo30");
            session
                .exp_string("\"37oo30\" is refused as altitude: an altitude is the word auto, or ")
                .unwrap();
            answer(&mut session, &format!("{}325000", "\u{7f}".repeat(6)));
            session
                .exp_string(
                    "325000 cannot be the altitude: FSFilter Activity Monitor has the range ",
                )
                .unwrap();
            session.exp_string(&prompt).unwrap();
            answer(&mut session, "370030.5");
        } else if prompt.starts_with("Operations") {
            answer(&mut session, " ");
            session
                .exp_string("The list of operations is empty: ")
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
