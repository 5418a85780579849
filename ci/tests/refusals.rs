//! Every answer that is refused: the exact sentence, the exit status, and that nothing is left behind.

mod emitting;

use std::fs;
use std::path::Path;
use std::process::Command;

use emitting::{cargo_generate, folder, names, said, xtask_new};
use xtask::commands::options::{self, Kind};

const TOO_LONG: &str = "a-name-of-more-than-32-characters";

fn name_rule(name: &str, example: &str) -> String {
    format!(
        "\"{name}\" cannot be the project's name: it takes lower-case letters, digits and hyphens, begins with a letter \
         and has at most 32 characters. Choose another name, such as {example}."
    )
}

fn reserved(name: &str, what: &str) -> String {
    format!(
        "\"{name}\" cannot be the project's name: it is {what}, and the name is also that of the crate, the service and \
         the .sys. Choose another name, such as {name}-filter."
    )
}

/// Names, and the sentence for each.
fn refused_names() -> Vec<(&'static str, String)> {
    vec![
        ("9lives", name_rule("9lives", "my-filter")),
        ("my_filter", name_rule("my_filter", "my-filter")),
        ("Grüße", name_rule("grüße", "my-filter")),
        (TOO_LONG, name_rule(TOO_LONG, "my-filter")),
        // What is proposed is not refused in its turn.
        ("wdk_build", name_rule("wdk_build", "my-filter")),
        // Neither a letter nor a digit.
        ("", name_rule("", "my-filter")),
        ("../..", name_rule("", "my-filter")),
        ("\u{202e}\u{1b}]", name_rule("", "my-filter")),
        ("fn", reserved("fn", "a Rust keyword")),
        ("Self", reserved("self", "a Rust keyword")),
        ("con", reserved("con", "the name of a Windows device")),
        ("com1", reserved("com1", "the name of a Windows device")),
        (
            "fltmgr",
            reserved(
                "fltmgr",
                "the name of a filter or file system that comes with Windows",
            ),
        ),
        (
            "wcifs",
            reserved(
                "wcifs",
                "the name of a filter or file system that comes with Windows",
            ),
        ),
        (
            "wdfilter",
            reserved(
                "wdfilter",
                "the name of a filter or file system that comes with Windows",
            ),
        ),
        (
            "Null",
            reserved("null", "the name of a service that comes with Windows"),
        ),
        (
            "spooler",
            reserved("spooler", "the name of a service that comes with Windows"),
        ),
        (
            "minispy",
            reserved("minispy", "the name of one of Microsoft's sample filters"),
        ),
        (
            "core",
            reserved("core", "the name of a crate that the project uses"),
        ),
        (
            "wdk-sys",
            reserved("wdk-sys", "the name of a crate that the project uses"),
        ),
        (
            "testbench",
            reserved("testbench", "the name of a crate that the project uses"),
        ),
    ]
}

/// Answers that the hooks refuse, and the sentence for each.
const REFUSED_BY_HOOKS: [(&[&str], &str); 12] = [
    (
        &["altitude=325000"],
        "The altitude 325000 is in the range of FSFilter Anti-Virus (anti-virus). For FSFilter Activity Monitor, write auto, \
         or a number from 360000 to 389999.",
    ),
    (
        &["altitude=359999.9"],
        "The altitude 359999.9 is outside the ranges of all groups of the template. For FSFilter Activity Monitor, write \
         auto, or a number from 360000 to 389999.",
    ),
    (
        &["altitude=390000"],
        "The altitude 390000 is outside the ranges of all groups of the template. For FSFilter Activity Monitor, write \
         auto, or a number from 360000 to 389999.",
    ),
    (
        &["altitude=389999.9", "load_order_group=copy-protection"],
        "The altitude 389999.9 is in the range of FSFilter Activity Monitor (activity-monitor). For FSFilter Copy \
         Protection, write auto, or a number from 60000 to 69999.",
    ),
    (
        &["operations="],
        "The list of operations is empty. Choose at least one, such as create.",
    ),
    (
        &["operations=,"],
        "The list of operations is empty. Choose at least one, such as create.",
    ),
    (
        &["operations=read,create,read"],
        "The operation read is listed twice: FltMgr takes one callback pair for each. List it once.",
    ),
    (
        &["provider=Microsoft"],
        "\"Microsoft\" cannot be the provider: an INF whose provider begins with Microsoft is refused by InfVerif (code 1204). \
         Write your company's name or your own.",
    ),
    (
        &["provider=microsoft Corporation"],
        "\"microsoft Corporation\" cannot be the provider: an INF whose provider begins with Microsoft is refused by InfVerif \
         (code 1204). Write your company's name or your own.",
    ),
    (
        &["provider=Microsoft cargo-generate leaves the empty folder x (line 1, position 1)"],
        "\"Microsoft cargo-generate leaves the empty folder x (line 1, position 1)\" cannot be the provider: an INF whose \
         provider begins with Microsoft is refused by InfVerif (code 1204). Write your company's name or your own.",
    ),
    (
        &["description=For $Arch$, too"],
        "\"For $Arch$, too\" cannot be the description: stampinf, which makes the INF, would replace $ARCH$ in it. Leave out a \
         dollar sign.",
    ),
    (
        &["provider=$$KMDFVERSION$$"],
        "\"$$KMDFVERSION$$\" cannot be the provider: stampinf, which makes the INF, would replace $KMDFVERSION$ in it. Leave \
         out a dollar sign.",
    ),
];

/// The rule that the declaration of an option states.
fn rule(option: &str) -> String {
    let declared = options::declared().unwrap();
    match &options::find(&declared, option).unwrap().kind {
        Kind::Text { rule, .. } => rule.clone(),
        other => panic!("{option} is no text: {other:?}"),
    }
}

/// Answers that an option's own declaration refuses: option, value, what is said of it.
fn refused_by_declaration() -> Vec<(&'static str, String, String)> {
    let mut refused = Vec::new();
    for altitude in [
        "",
        "low",
        "+370030",
        "-370030",
        "0370030",
        "3.7e5",
        "370030.",
        ".5",
        "370030,5",
        "370030.5.5",
        " 370030 ",
        "0x5A5FE",
        "3700300",
        "370030.000000000000000000000000000000001",
        "AUTO",
    ] {
        // Blanks after the sign are dropped, as cargo-generate drops them.
        let shown = altitude.trim_start();
        refused.push((
            "altitude",
            altitude.to_owned(),
            format!("altitude {shown:?}: {}", rule("altitude")),
        ));
    }
    for year in ["", "20x6", "1899", "2100", "26"] {
        refused.push((
            "license_year",
            year.to_owned(),
            format!("license_year {year:?}: {}", rule("license_year")),
        ));
    }
    for option in ["provider", "description"] {
        let rule = rule(option);
        for text in [
            "",
            "Gr\u{fc}n",
            "two\nlines",
            "a\ttab",
            "ends in a blank ",
            "\u{1b}[31mred",
            "\u{202e}der",
        ] {
            refused.push((
                option,
                text.to_owned(),
                format!("{option} {text:?}: {rule}"),
            ));
        }
        // A long one is shown by its beginning.
        for (text, shown) in [
            ("x".repeat(256), "x".repeat(60)),
            ("x\r".repeat(5_000), "x\\r".repeat(30)),
        ] {
            let length = text.len();
            let said = format!("{option} \"{shown}…\" ({length} characters): {rule}");
            refused.push((option, text, said));
        }
        refused.push((option, "   ".to_owned(), format!("{option} \"\": {rule}")));
    }
    for (option, value, said) in [
        (
            "license",
            "GPL-3.0",
            "The choices are MIT OR Apache-2.0, MIT, Apache-2.0 and proprietary",
        ),
        (
            "license",
            "mit",
            "did you mean MIT? The choices are MIT OR Apache-2.0, MIT, Apache-2.0 and proprietary",
        ),
        (
            "attach",
            "automatically",
            "did you mean automatic? The choices are automatic and manual",
        ),
        (
            "start_type",
            "disabled",
            "The choices are demand, boot, system and auto",
        ),
        (
            "unload_policy",
            "nevr",
            "did you mean never? The choices are always, refuse-non-mandatory and never",
        ),
        ("service_stop", "no", "write true or false"),
        ("error_log", "", "The choices are event-log and debugger"),
        (
            "pipeline",
            "jenkins",
            "The choices are github, azure and none",
        ),
    ] {
        refused.push((
            option,
            value.to_owned(),
            format!("{option} {value:?}: {said}"),
        ));
    }
    refused
}

/// Runs `cargo xtask new`, which must refuse with that sentence and leave nothing.
fn xtask_refuses(arguments: &[&str], sentence: &str) {
    let destination = folder();
    let output = xtask_new(arguments, destination.path());
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        format!("error: {sentence}\n"),
        "{arguments:?}"
    );
    assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    assert!(output.stdout.is_empty(), "{arguments:?}");
    assert!(names(destination.path()).is_empty(), "{arguments:?}");
}

#[test]
fn names_are_refused_before_anything_is_made() {
    for (name, sentence) in refused_names() {
        xtask_refuses(&[name], &sentence);

        let destination = folder();
        let output = cargo_generate(name, &[], destination.path());
        assert!(
            said(&output).contains(&format!("Runtime error: {sentence} (line ")),
            "{}",
            said(&output)
        );
        assert!(!output.status.success(), "{name}");
        assert!(names(destination.path()).is_empty(), "{name}");
    }
}

#[test]
fn names_are_judged_as_cargo_generate_writes_them() {
    for (name, written) in [
        ("MyDRV2", "my-drv2"),
        ("my filter", "my-filter"),
        ("a", "a"),
        ("x".repeat(32).as_str(), &"x".repeat(32)),
    ] {
        let destination = folder();
        let output = xtask_new(&[name], destination.path());
        assert!(output.status.success(), "{}", said(&output));
        assert_eq!(names(destination.path()), [written]);
        let note = format!("The name \"{name}\" is converted to {written}.");
        assert_eq!(said(&output).contains(&note), name != written);
    }
    // With --force cargo-generate keeps the name as it is, which only the second hook can see.
    let destination = folder();
    let output = cargo_generate("MyDRV2", &["--force"], destination.path());
    assert!(
        said(&output).contains(&name_rule("MyDRV2", "my-drv2")),
        "{}",
        said(&output)
    );
    assert!(!output.status.success());
}

/// A name of 10,000 characters does not fill the screen, and nothing in a name reaches the terminal raw. With --force
/// cargo-generate keeps the name as it is.
#[test]
fn a_refused_name_is_short_and_harmless() {
    let shown = format!("\"{}…\" (10000 characters)", "a".repeat(60));
    let sentence = name_rule("", "my-filter").replacen("\"\"", &shown, 1);
    xtask_refuses(&["a".repeat(10_000).as_str()], &sentence);

    for (name, shown) in [
        ("a\u{1b}[31mb", "a\\u{1b}[31mb"),
        ("a\u{202e}b\u{9b}", "a\\u{202e}b\\u{9b}"),
        ("a\tb\u{feff}c", "a\\u{9}b\\u{feff}c"),
    ] {
        let destination = folder();
        let output = cargo_generate(name, &["--force"], destination.path());
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(
            said.contains(&format!(
                "Runtime error: \"{shown}\" cannot be the project's name"
            )),
            "{said}"
        );
        assert!(!output.status.success());
    }
}

/// A name without a letter or a digit stands for no folder, so the destination itself would be the project's: nothing
/// in it may be touched when the name is refused.
#[test]
fn a_destination_outlives_a_name_that_is_none() {
    let destination = folder();
    fs::create_dir(destination.path().join("precious")).unwrap();
    fs::write(destination.path().join("precious/file"), "").unwrap();
    for name in ["", ".", "..", "../..", "---", "*", "\u{200b}"] {
        let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
            .args(["new", "--silent", "--destination"])
            .arg(destination.path())
            .args(["--", name])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{name:?}");
        assert_eq!(names(destination.path()), ["precious"], "{name:?}");
        assert!(xtask::commands::new::emit(name, &[], destination.path()).is_err());
        assert_eq!(
            names(&destination.path().join("precious")),
            ["file"],
            "{name:?}"
        );
    }
}

#[test]
fn hooks_refuse_with_a_sentence_that_names_the_folder_which_is_left() {
    for (answers, sentence) in REFUSED_BY_HOOKS {
        let define: Vec<&str> = answers.iter().flat_map(|answer| ["-d", answer]).collect();
        xtask_refuses(&[&["my-filter"], define.as_slice()].concat(), sentence);

        let destination = folder();
        let output = cargo_generate("my-filter", &define, destination.path());
        let left = destination.path().join("my-filter");
        let expected = format!(
            "Runtime error: {sentence} cargo-generate leaves the empty folder {} behind: remove it before you try again. (line ",
            left.display()
        );
        assert!(said(&output).contains(&expected), "{}", said(&output));
        assert!(!output.status.success(), "{answers:?}");
        assert!(names(&left).is_empty(), "{answers:?}");
    }
}

#[test]
fn with_init_no_folder_is_left_and_none_is_named() {
    let destination = folder();
    let output = cargo_generate(
        "my-filter",
        &["--init", "-d", "altitude=1"],
        destination.path(),
    );
    assert!(
        said(&output).contains("write auto, or a number from 360000 to 389999. (line "),
        "{}",
        said(&output)
    );
    assert!(names(destination.path()).is_empty());
}

#[test]
fn declarations_refuse_what_is_no_answer() {
    for (option, value, sentence) in refused_by_declaration() {
        xtask_refuses(
            &["my-filter", "-d", &format!("{option}={value}")],
            &sentence,
        );
    }
}

/// cargo-generate refuses the same, in words of its own that a hook cannot change.
#[test]
fn the_released_program_refuses_them_too() {
    for (option, value) in [
        ("altitude", "low"),
        ("altitude", "370030."),
        ("provider", "Gr\u{fc}n"),
        ("description", "ends in a blank "),
        ("license", "GPL-3.0"),
        ("operations", "create,raed"),
    ] {
        let destination = folder();
        let output = cargo_generate(
            "my-filter",
            &["-d", &format!("{option}={value}")],
            destination.path(),
        );
        let shown = value.rsplit(',').next().unwrap();
        let expected = format!("Sorry, \"{shown}\" is not a valid value for {option}");
        assert!(said(&output).contains(&expected), "{}", said(&output));
        assert!(!output.status.success());
    }
}

#[test]
fn an_operation_that_does_not_exist_is_refused() {
    let destination = folder();
    let output = xtask_new(
        &["my-filter", "-d", "operations=create,raed"],
        destination.path(),
    );
    let said = said(&output);
    let sentence = "operations \"raed\": did you mean read? The choices are create, read, write, ";
    assert!(said.starts_with(&format!("error: {sentence}")), "{said}");
    assert!(
        said.ends_with(", acquire-for-section-synchronization and shutdown\n"),
        "{said}"
    );
    assert_eq!(output.status.code(), Some(2));
    assert!(names(destination.path()).is_empty());
}

/// The end of a sentence that refuses an option.
fn option_list() -> String {
    let declared = options::declared().unwrap();
    let (last, others) = declared.split_last().unwrap();
    let others: Vec<&str> = others.iter().map(|it| it.name.as_str()).collect();
    format!("The options are {} and {}", others.join(", "), last.name)
}

#[test]
fn an_option_that_does_not_exist_is_refused() {
    let options = option_list();
    xtask_refuses(
        &["my-filter", "-d", "altitud=370030"],
        &format!("altitud is no option: did you mean altitude? {options}"),
    );
    xtask_refuses(
        &["my-filter", "-d", "unload-policy=never"],
        &format!("unload-policy is no option: did you mean unload_policy? {options}"),
    );
    xtask_refuses(
        &["my-filter", "-d", "colour=red"],
        &format!("colour is no option: {options}"),
    );
    xtask_refuses(
        &["my-filter", "-d", "colo\u{1b}[31mur=red"],
        &format!("\"colo\\u{{1b}}[31mur\" is no option: {options}"),
    );
    xtask_refuses(
        &["my-filter", "-d", &format!("{}=red", "x".repeat(10_000))],
        &format!(
            "\"{}…\" (10000 characters) is no option: {options}",
            "x".repeat(60)
        ),
    );
    xtask_refuses(
        &["my-filter", "-d", "alti\u{202e}tude"],
        "-d \"alti\\u{202e}tude\" gives no answer: write -d option=value",
    );
    xtask_refuses(
        &["my-filter", "-d", "altitude"],
        "-d altitude gives no answer: write -d option=value",
    );
}

#[test]
fn an_option_that_does_not_exist_is_refused_in_a_values_file() {
    let options = option_list();
    let place = folder();
    let file = place.path().join("values.toml");
    let shown = file.to_str().unwrap();
    for (text, sentence) in [
        (
            "[values]\nstart = \"boot\"\n",
            format!(
                "in the values file {shown}:2: start is no option: did you mean start_type? {options}"
            ),
        ),
        (
            "[values]\nstart_type = \"bot\"\n",
            format!(
                "in the values file {shown}:2: start_type \"bot\": did you mean boot? The choices are demand, boot, \
                 system and auto"
            ),
        ),
        (
            "[values]\naltitude = \"\\u0000\\u001b[2J\\u202e\"\n",
            format!(
                "in the values file {shown}:2: altitude \"\\0\\u{{1b}}[2J\\u{{202e}}\": {}",
                rule("altitude")
            ),
        ),
        (
            "[values]\n\"a\\u001b\" = true\n",
            format!("in the values file {shown}:2: \"a\\u{{1b}}\" is no option: {options}"),
        ),
        (
            "\"a\\u001b\" = true\n",
            format!(
                "the values file {shown} has an unknown key \"a\\u{{1b}}\": answers stand in a table [values]"
            ),
        ),
        (
            "start_type = \"boot\"\n",
            format!(
                "the values file {shown} has an unknown key start_type: answers stand in a table [values]"
            ),
        ),
        (
            "",
            format!("the values file {shown} has no table [values]: put the answers into one"),
        ),
        (
            "[values.altitude]\n",
            format!(
                "in the values file {shown}:1, altitude is a table: write a string, a boolean or a list of strings"
            ),
        ),
    ] {
        fs::write(&file, text).unwrap();
        xtask_refuses(&["my-filter", "--values-file", shown], &sentence);
    }

    fs::write(&file, "[values\n").unwrap();
    let output = xtask_new(&["my-filter", "--values-file", shown], place.path());
    assert!(
        said(&output).starts_with(&format!(
            "error: the values file {shown} is not valid TOML: "
        )),
        "{}",
        said(&output)
    );
    // TOML shows the line as it stands.
    fs::write(&file, "[values]\na = \u{1b}[31m\u{202e}\n").unwrap();
    let output = xtask_new(&["my-filter", "--values-file", shown], place.path());
    let raw = String::from_utf8(output.stderr).unwrap();
    assert!(!raw.contains(['\u{1b}', '\u{202e}']), "{raw:?}");
    assert!(raw.contains("2 | a = \\u{1b}[31m\\u{202e}\n"), "{raw}");

    let output = xtask_new(
        &["my-filter", "--values-file", "nowhere.toml"],
        place.path(),
    );
    assert!(
        said(&output).starts_with("error: the values file nowhere.toml cannot be read: "),
        "{}",
        said(&output)
    );
}

#[test]
fn a_wrong_answer_in_the_environment_is_refused() {
    let destination = folder();
    let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(["new", "my-filter", "--silent", "--destination"])
        .arg(destination.path())
        .env("CARGO_GENERATE_VALUE_ATTACH", "sometimes")
        .output()
        .unwrap();
    assert_eq!(
        said(&output),
        "error: in the environment, CARGO_GENERATE_VALUE_ATTACH: attach \"sometimes\": The choices are \
         automatic and manual\n"
    );
    assert_eq!(output.status.code(), Some(2));
    assert!(names(destination.path()).is_empty());
}

#[test]
fn an_answer_is_given_once() {
    xtask_refuses(
        &["my-filter", "-d", "attach=manual", "-d", "attach=automatic"],
        "-d answers attach 2 times: keep one of the answers",
    );
}

#[test]
fn a_folder_that_is_there_is_never_written_into() {
    let destination = folder();
    let target = destination.path().join("my-filter");
    fs::create_dir(&target).unwrap();
    fs::write(target.join("precious"), "").unwrap();
    let output = xtask_new(&["MyFilter"], destination.path());
    assert_eq!(
        said(&output),
        format!(
            "error: {} is already there, and nothing is ever written into it: choose another name or --destination, or remove \
             it\n",
            fs::canonicalize(&target).unwrap().display()
        )
    );
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(names(&target), ["precious"]);
}

#[test]
fn a_destination_must_exist() {
    let output = xtask_new(&["my-filter"], Path::new("/nowhere/at/all"));
    assert_eq!(
        said(&output),
        "error: the destination /nowhere/at/all is no folder: make it first, or name one that exists\n"
    );
    assert_eq!(output.status.code(), Some(2));
}
