//! The record of a project, `template.toml`: it makes the same project again, with this template and with a newer one.

mod emitting;

use std::{
    collections::BTreeSet,
    env, fs,
    path::Path,
    process::{Command, Output, Stdio},
};

use emitting::{Tree, assert_same, emit, folder, names, read, said, tree, xtask_new};
use xtask::{
    checks::{
        matrix::{self, combinations},
        tools,
    },
    commands::{
        new::{record, staged},
        options,
    },
};

/// Values from elsewhere that a record goes before: valid answers, and options of other templates.
const VARIABLES: [(&str, &str); 5] = [
    ("CARGO_GENERATE_VALUE_ATTACH", "manual"),
    ("CARGO_GENERATE_VALUE_LICENSE_YEAR", "1950"),
    ("CARGO_GENERATE_VALUE_OPERATIONS", "close"),
    ("CARGO_GENERATE_VALUE_PIPELINE", "azure"),
    ("CARGO_GENERATE_VALUE_COLOUR", "red"),
];
const CONFIGURATION: &str =
    "[values]\nprovider = \"Another Company\"\nerror_log = \"debugger\"\nshape = \"round\"\n";

/// A program that emits with such an environment, and with a configuration of the user's in `home`.
fn with_foreign_values(mut command: Command, home: &Path) -> Command {
    fs::write(home.join("cargo-generate.toml"), CONFIGURATION).unwrap();
    let file = home.join("values.toml");
    fs::write(&file, "[values]\ndescription = \"Another one\"\n").unwrap();
    command
        .envs(VARIABLES)
        .env("CARGO_GENERATE_TEMPLATE_VALUES_FILE", &file)
        .env("CARGO_HOME", home)
        .env("USER", "tester")
        .stdin(Stdio::null());
    command
}

/// `cargo xtask new` with a record.
fn new(record: &Path, destination: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command
        .args(["new", "--values-file"])
        .arg(record)
        .arg("--destination")
        .arg(destination);
    command
}

/// The released program with a record.
fn released(source: &Path, record: &Path, destination: &Path) -> Command {
    let mut command = Command::new(tools::ensure_cargo_generate().unwrap());
    command
        .args(["generate", "template", "--silent", "--vcs", "none"])
        .args(["--name", "my-filter", "--path"])
        .arg(source)
        .arg("--values-file")
        .arg(record)
        .arg("--destination")
        .arg(destination)
        .env("USER", "tester")
        .stdin(Stdio::null());
    command
}

/// What a program emits, which succeeds.
fn emitted(command: Command, destination: &Path) -> (Tree, Output) {
    let mut command = command;
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    (tree(&destination.join("my-filter")), output)
}

#[test]
fn it_makes_the_same_project_whatever_is_said_elsewhere() {
    let axes = matrix::axes().unwrap();
    let chosen = combinations::chosen(&axes);
    let extremes = chosen.iter().filter(|it| {
        use combinations::Reason::{Defaults, Everything, Nothing};
        [Defaults, Everything, Nothing].contains(&it.reason)
    });
    let source = staged().unwrap();
    let mut tried = 0;
    for combination in extremes {
        let (_place, project) = emit(&combination.given());
        let record = project.join(record::FILE);
        let home = folder();
        for by_released in [false, true] {
            let destination = folder();
            let command = if by_released {
                released(source.path(), &record, destination.path())
            } else {
                new(&record, destination.path())
            };
            let command = with_foreign_values(command, home.path());
            let (again, _) = emitted(command, destination.path());
            assert_same(&tree(&project), &again, &format!("{combination:?}"));
        }
        tried += 1;
    }
    assert_eq!(tried, 3);
}

#[test]
fn it_holds_every_option_and_a_year() {
    let (_place, project) = emit(&[]);
    let text = read(&project, record::FILE);
    let record: toml::Table = toml::from_str(&text).unwrap();
    let recorded: BTreeSet<&str> = record["values"]
        .as_table()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    let declared = options::declared().unwrap();
    let mut expected: BTreeSet<&str> = declared.iter().map(|it| it.name.as_str()).collect();
    expected.insert("template_version");
    assert_eq!(recorded, expected);
    let year = record["values"]["license_year"].as_str().unwrap();
    assert!(year.parse::<u16>().is_ok(), "{year}");
    assert!(read(&project, "LICENSE-MIT").contains(&format!("Copyright (c) {year} ")));
}

/// The record of an older version of the template: one without the option that this version is taken to have added.
fn older_record(project: &Path) -> String {
    let version = record::template_version().unwrap().to_string();
    let text = read(project, record::FILE);
    let older: Vec<&str> = text
        .lines()
        .filter(|line| !line.starts_with("license_year"))
        .collect();
    older.join("\n").replace(&version, "0.1.0") + "\n"
}

#[test]
fn an_option_that_is_newer_than_it_takes_its_default_and_is_named() {
    let (place, project) = emit(&[("attach", "manual")]);
    let file = place.path().join("older.toml");
    fs::write(&file, older_record(&project)).unwrap();

    let destination = folder();
    let (again, output) = emitted(new(&file, destination.path()), destination.path());
    assert_same(&tree(&project), &again, "xtask new");
    assert!(
        said(&output).contains(
            "license_year is not in the record of version 0.1.0: it takes its default, auto."
        ),
        "{}",
        said(&output)
    );

    let destination = folder();
    let mut answered = new(&file, destination.path());
    answered.args(["-d", "license_year=2001"]);
    let (_, output) = emitted(answered, destination.path());
    assert!(
        !said(&output).contains("is not in the record"),
        "{}",
        said(&output)
    );

    let (source, destination) = (staged().unwrap(), folder());
    let (again, _) = emitted(
        released(source.path(), &file, destination.path()),
        destination.path(),
    );
    assert_same(&tree(&project), &again, "the released program");
}

#[test]
fn that_of_a_newer_version_is_refused_with_the_option_that_is_missing_here() {
    let own = record::template_version().unwrap().to_string();
    let (place, project) = emit(&[]);
    let file = place.path().join("newer.toml");
    let newer = read(&project, record::FILE).replace(&own, "99.1.0");
    let with_option = newer.clone() + "color = \"red\"\n";
    let line = newer
        .lines()
        .position(|line| line.starts_with("template_version"))
        .unwrap()
        + 1;
    for (text, lacks) in [(&newer, ""), (&with_option, " and has no option color")] {
        fs::write(&file, text).unwrap();
        let destination = folder();
        let output = new(&file, destination.path()).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert_eq!(
            said(&output),
            format!(
                "error: in the values file {}:{line}: the answers were recorded by version 99.1.0 of the template. This is \
                 version {own}{lacks}: update your copy of the template\n",
                file.display()
            )
        );
        assert!(names(destination.path()).is_empty());

        // The hook sees the version, and no option that is not declared here.
        let source = staged().unwrap();
        let output = released(source.path(), &file, destination.path())
            .output()
            .unwrap();
        assert!(!output.status.success());
        let sentence = format!(
            "The answers were recorded by version 99.1.0 of the template, and this is {own}, which may lack options of that \
             version: update your copy of the template. cargo-generate leaves the empty folder"
        );
        assert!(said(&output).contains(&sentence), "{}", said(&output));
    }
}

#[test]
fn a_version_of_another_shape_is_refused() {
    let own = record::template_version().unwrap().to_string();
    let (place, project) = emit(&[]);
    let file = place.path().join("record.toml");
    for version in ["2", "one", "0.2.0.1", ""] {
        let text = read(&project, record::FILE).replace(&own, version);
        fs::write(&file, text).unwrap();
        let destination = folder();
        let output = new(&file, destination.path()).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{version}");
        assert!(
            said(&output)
                .contains("is no version such as 0.2.0: take the record as it was emitted"),
            "{}",
            said(&output)
        );
        let source = staged().unwrap();
        let output = released(source.path(), &file, destination.path())
            .output()
            .unwrap();
        assert!(!output.status.success(), "{version}");
        assert!(
            said(&output).contains("template_version is not a version such as"),
            "{}",
            said(&output)
        );
    }
}

#[test]
fn a_name_on_the_command_line_goes_before_the_recorded_one() {
    let (_place, project) = emit(&[]);
    let destination = folder();
    let output = new(&project.join(record::FILE), destination.path())
        .arg("other-filter")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let other = destination.path().join("other-filter");
    assert!(read(&other, record::FILE).contains("project-name = \"other-filter\""));
    assert_eq!(names(destination.path()), ["other-filter"]);
}

#[test]
fn without_a_name_the_command_says_how_to_give_one() {
    let destination = folder();
    let output = xtask_new(&[], destination.path());
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        said(&output),
        "error: say the project's name: cargo xtask new my-filter\n"
    );
}

/// `-d project-name` would change the name after the folder was made.
#[test]
fn a_name_that_is_no_argument_is_refused() {
    let destination = folder();
    let output = emitting::cargo_generate(
        "my-filter",
        &["-d", "project-name=other"],
        destination.path(),
    );
    assert!(!output.status.success());
    assert!(
        said(&output).contains(
            "project-name is not taken from -d or a values file: give the name with --name."
        ),
        "{}",
        said(&output)
    );
}

#[test]
fn the_places_of_answers_count_in_their_order() {
    let home = folder();
    let values = home.path().join("given.toml");
    let text = "[values]\nattach = \"automatic\"\nprovider = \"From the file\"\n";
    fs::write(&values, text).unwrap();
    let source = staged().unwrap();
    let mut trees = Vec::new();
    for by_released in [false, true] {
        let destination = folder();
        let mut command = if by_released {
            released(source.path(), &values, destination.path())
        } else {
            let mut command = new(&values, destination.path());
            command.arg("my-filter");
            command
        };
        command.args(["-d", "provider=From the argument"]);
        let command = with_foreign_values(command, home.path());
        let (project, output) = emitted(command, destination.path());
        let record = String::from_utf8(project[record::FILE].clone()).unwrap();
        for line in [
            "provider = \"From the argument\"",
            "attach = \"automatic\"",
            "license_year = \"1950\"",
            "operations = [\"close\"]",
            "description = \"Another one\"",
            "error_log = \"debugger\"",
            "start_type = \"demand\"",
        ] {
            assert!(record.contains(line), "{line}\n{record}");
        }
        if !by_released {
            let said = said(&output);
            for note in [
                "in the environment, CARGO_GENERATE_VALUE_COLOUR: colour is no option of this template and is ignored.",
                "cargo-generate.toml: shape is no option of this template and is ignored.",
            ] {
                assert!(said.contains(note), "{note}\n{said}");
            }
        }
        trees.push(project);
    }
    assert_same(&trees[1], &trees[0], "xtask new");
}

/// Where this variable names a folder, the test emits a project there and does no more.
const EMIT_TO: &str = "RECORD_EMIT_TO";

/// What other commands emit, such as the matrix, depends on their answers alone.
#[test]
fn only_new_reads_the_environment() {
    if let Some(destination) = env::var_os(EMIT_TO) {
        xtask::commands::new::emit("my-filter", &[], Path::new(&destination)).unwrap();
        return;
    }
    let (home, destination) = (folder(), folder());
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .args(["--exact", "only_new_reads_the_environment"])
        .env(EMIT_TO, destination.path());
    let command = with_foreign_values(command, home.path());
    let (project, _) = emitted(command, destination.path());
    let (_place, expected) = emit(&[]);
    assert_same(&tree(&expected), &project, "with another environment");
}

#[test]
fn a_dry_run_lists_what_would_be_written_and_writes_nothing() {
    let destination = folder();
    let output = xtask_new(
        &["my-filter", "--dry-run", "-d", "pipeline=azure"],
        destination.path(),
    );
    assert!(output.status.success(), "{}", said(&output));
    assert!(names(destination.path()).is_empty());
    let (_place, project) = emit(&[("pipeline", "azure")]);
    let root = fs::canonicalize(destination.path()).unwrap();
    let expected: Vec<String> = tree(&project)
        .into_keys()
        .map(|name| root.join("my-filter").join(name).display().to_string())
        .collect();
    let listed: Vec<String> = said(&output).lines().map(str::to_owned).collect();
    assert_eq!(
        listed.iter().collect::<BTreeSet<_>>(),
        expected.iter().collect::<BTreeSet<_>>()
    );
}

#[test]
fn nothing_is_written_into_the_clone_unasked() {
    let repository = xtask::repository();
    for place in [repository.clone(), repository.join("ci/src")] {
        let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
            .args(["new", "my-filter-of-a-test", "--silent", "--dry-run"])
            .current_dir(&place)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", said(&output));
        let beside = fs::canonicalize(repository.parent().unwrap()).unwrap();
        let project = beside.join("my-filter-of-a-test");
        assert!(
            said(&output)
                .lines()
                .all(|line| Path::new(line).starts_with(&project)),
            "{}",
            said(&output)
        );
    }
    let elsewhere = folder();
    let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(["new", "my-filter", "--silent"])
        .current_dir(elsewhere.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(names(elsewhere.path()), ["my-filter"]);
}

#[test]
fn the_inf_is_compared_with_it() {
    let (_place, project) = emit(&[]);
    let judge = |inx: &str| {
        fs::write(project.join("my_filter.inx"), inx).unwrap();
        Command::new(env!("CARGO_BIN_EXE_xtask"))
            .args(["inf", "my_filter.inx", "--answers", record::FILE])
            .current_dir(&project)
            .output()
            .unwrap()
    };
    let inx = read(&project, "my_filter.inx");
    let output = judge(&inx);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let changed = inx.replace("StartType      = 3 ; demand", "StartType      = 1 ; system");
    assert_ne!(changed, inx);
    let output = judge(&changed);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(
        said(&output).contains("answers-registry"),
        "{}",
        said(&output)
    );

    let values = project.join("values.toml");
    fs::write(&values, "[values]\nattach = \"manual\"\n").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(["inf", "my_filter.inx", "--answers", "values.toml"])
        .current_dir(&project)
        .output()
        .unwrap();
    assert_eq!(
        said(&output),
        "error: values.toml has no project-name: it is no record\n"
    );
}

/// The only sub-template is the default, also for somebody's favorite.
#[test]
fn the_word_template_may_be_left_out() {
    let (source, home) = (staged().unwrap(), folder());
    let (_place, expected) = emit(&[]);
    let favorite = |more: &str| {
        format!(
            "[favorites.minifilter]\npath = {:?}\n{more}",
            source.path().display().to_string()
        )
    };
    for (configuration, arguments) in [
        (
            String::new(),
            vec!["--path", source.path().to_str().unwrap()],
        ),
        (favorite(""), vec!["minifilter"]),
        (favorite("subfolder = \"template\"\n"), vec!["minifilter"]),
    ] {
        fs::write(home.path().join("cargo-generate.toml"), &configuration).unwrap();
        let destination = folder();
        let mut command = Command::new(tools::ensure_cargo_generate().unwrap());
        command
            .arg("generate")
            .args(&arguments)
            .args(["--name", "my-filter", "--silent", "--vcs", "none"])
            .arg("--destination")
            .arg(destination.path())
            .env("CARGO_HOME", home.path())
            .env("USER", "tester")
            .stdin(Stdio::null());
        let (project, _) = emitted(command, destination.path());
        assert_same(
            &tree(&expected),
            &project,
            &format!("{arguments:?} {configuration}"),
        );
    }
}

/// cargo-generate and `new` leave out a folder that cargo marked as its own.
#[test]
fn build_folders_are_not_emitted() {
    let source = staged().unwrap();
    let (_place, expected) = emit(&[]);
    for place in ["ci/target", "template/target", "template/testbench/target"] {
        let folder = source.path().join(place);
        fs::create_dir_all(folder.join("debug")).unwrap();
        let tag = "Signature: 8a477f597d28d172789f06886806bc55\n";
        fs::write(folder.join("CACHEDIR.TAG"), tag).unwrap();
        fs::write(folder.join("debug/made"), "").unwrap();
        assert!(xtask::is_build_folder(&folder));
    }
    let destination = folder();
    let (project, _) = emitted(
        released(
            source.path(),
            &expected.join(record::FILE),
            destination.path(),
        ),
        destination.path(),
    );
    assert_same(&tree(&expected), &project, "with build folders");
    let listed = xtask::files_below(source.path()).unwrap();
    assert!(
        listed.iter().all(|file| !file.ends_with("made")),
        "{listed:?}"
    );
}
