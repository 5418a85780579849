//! An organisation's kit: what it adds, what it refuses, and the projects that follow it.

mod emitting;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use emitting::{cargo_generate, has_version, read, said, skipped, tree};
use tempfile::TempDir;
use xtask::{
    checks::{driver, tools},
    commands::{kit::model::Kit, new::template::Template, options},
    openwdk::target::{Arch, Profile},
};

/// The example in this folder.
fn example() -> PathBuf {
    xtask::repository().join("ci/tests/kit")
}

/// A repository with a kit, and a place for projects.
struct Organisation {
    folder: TempDir,
}

impl Organisation {
    /// With the example, committed.
    fn new() -> Self {
        let organisation = Self {
            folder: emitting::folder(),
        };
        copy(&example(), &organisation.kit());
        organisation.git(&["init", "--quiet"]);
        organisation.commit("Add a kit");
        organisation
    }

    /// With a `kit.toml`, not committed.
    fn with(text: &str) -> Self {
        let organisation = Self {
            folder: emitting::folder(),
        };
        fs::create_dir_all(organisation.kit()).unwrap();
        fs::write(organisation.kit().join("kit.toml"), text).unwrap();
        organisation
    }

    fn kit(&self) -> PathBuf {
        self.folder.path().join("kit")
    }

    fn file(&self, name: &str) -> PathBuf {
        self.kit().join("files").join(name)
    }

    fn add(&self, name: &str, content: &[u8]) {
        fs::create_dir_all(self.file(name).parent().unwrap()).unwrap();
        fs::write(self.file(name), content).unwrap();
    }

    /// Replaces a text in `kit.toml`, which is there once.
    fn edit(&self, find: &str, replace: &str) {
        let file = self.kit().join("kit.toml");
        let text = fs::read_to_string(&file).unwrap();
        assert_eq!(text.matches(find).count(), 1, "{find}");
        fs::write(file, text.replace(find, replace)).unwrap();
    }

    fn git(&self, arguments: &[&str]) -> String {
        git(self.folder.path(), arguments)
    }

    fn commit(&self, subject: &str) {
        self.git(&["add", "--all", "kit"]);
        self.git(&["commit", "--quiet", "-m", subject]);
    }

    fn xtask(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_xtask"))
            .args(arguments)
            .current_dir(self.folder.path())
            .env("TEMPLATE_KIT", "kit")
            .stdin(std::process::Stdio::null())
            .output()
            .unwrap()
    }

    /// Emits a project, and returns what was printed with the exit status.
    fn emit(&self, name: &str, answers: &[&str]) -> (String, Option<i32>) {
        let define = answers.iter().flat_map(|it| ["-d", it]);
        let arguments: Vec<&str> = ["new", name].into_iter().chain(define).collect();
        let output = self.xtask(&arguments);
        (said(&output), output.status.code())
    }

    fn project(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A project that must be refused, and of which nothing is left.
    fn refused(&self, answers: &[&str]) -> String {
        let before = emitting::names(self.folder.path());
        let kit = fs::read(self.kit().join("kit.toml")).unwrap();
        let (said, status) = self.emit("my-filter", answers);
        assert_eq!(status, Some(2), "{answers:?}: {said}");
        assert_eq!(emitting::names(self.folder.path()), before);
        assert_eq!(fs::read(self.kit().join("kit.toml")).unwrap(), kit);
        said
    }
}

fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = tried(folder, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", said(&output));
    String::from_utf8(output.stdout).unwrap()
}

fn tried(folder: &Path, arguments: &[&str]) -> Output {
    Command::new("git")
        .args(["-c", "user.name=author", "-c", "user.email=a@localhost"])
        .args(["-c", "commit.gpgsign=false"])
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap()
}

fn copy(from: &Path, to: &Path) {
    for (name, content) in tree(from) {
        let target = to.join(name);
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::write(target, content).unwrap();
    }
}

#[test]
fn the_kit_is_in_each_project() {
    let organisation = Organisation::new();
    let (said, status) = organisation.emit("my-filter", &["altitude=370124"]);
    assert_eq!(status, Some(0), "{said}");
    let project = organisation.project("my-filter");
    let header = "Copyright (c) 2026 Contoso. All rights reserved.";
    for (file, begins) in [
        ("src/lib.rs", format!("// {header}\n// SPDX-")),
        ("build/main.rs", format!("// {header}\n// SPDX-")),
        ("my_filter.inx", format!("; {header}\n; SPDX-")),
    ] {
        let text = read(&project, file);
        let year = text.split(' ').nth(3).unwrap().to_owned();
        let text = text.replacen(&year, "2026", 1);
        // The ends of lines are those of the file.
        let ends = text.matches("\r\n").count();
        assert!(ends == 0 || ends == text.matches('\n').count(), "{file}");
        let text = text.replace("\r\n", "\n");
        assert!(text.starts_with(&begins), "{file}: {text:.200}");
    }
    assert!(read(&project, "testbench/tests/driver.rs").starts_with("//!"));
    assert_eq!(
        read(&project, "CODEOWNERS"),
        "* @contoso/filters drivers@contoso.com\n"
    );
    assert!(read(&project, "SECURITY.md").contains("to security@contoso.com."));
    assert!(read(&project, "SUPPORT.md").contains("by the channel #filters."));
    assert!(read(&project, "LICENSE-PROPRIETARY").contains("\nmy-filter may be used by"));
    let signing = read(&project, "scripts/New-Package.psd1");
    let arguments = "/fd SHA256 /n \"Contoso Drivers\" /tr http://timestamp.contoso.com /td SHA256";
    assert!(
        signing.contains(&format!("SigntoolArguments = '{arguments}'\n")),
        "{signing}"
    );
    let cargo: toml::Table = toml::from_str(&read(&project, ".cargo/config.toml")).unwrap();
    assert_eq!(
        cargo["source"]["mirror"]["registry"].as_str(),
        Some("sparse+https://crates.contoso.com/index/")
    );
    let workflow = read(&project, ".github/workflows/contoso.yml");
    assert!(workflow.contains("DRIVER: my_filter\n"), "{workflow}");
    assert!(
        workflow.contains("TOKEN: ${{ secrets.REGISTER }}\n"),
        "{workflow}"
    );
    let notes = read(&project, "docs/release.md");
    assert!(notes.ends_with("whose altitude is 370124.\n"), "{notes}");
    let record: toml::Table = toml::from_str(&read(&project, "template.toml")).unwrap();
    let tree = organisation.git(&["rev-parse", "HEAD:kit"]);
    assert_eq!(record["kit"].as_str(), Some(tree.trim()));
    for (option, value) in [
        ("license", "proprietary"),
        ("provider", "Contoso"),
        ("start_type", "system"),
    ] {
        assert_eq!(record["values"][option].as_str(), Some(value));
    }
    // The record is a values file, for both programs.
    let again = organisation.project("again");
    fs::create_dir(&again).unwrap();
    let record = project.join("template.toml");
    let output = organisation.xtask(&[
        "new",
        "--values-file",
        record.to_str().unwrap(),
        "--destination",
        "again",
    ]);
    assert!(output.status.success(), "{}", emitting::said(&output));
    emitting::assert_same(
        &emitting::tree(&project),
        &emitting::tree(&again.join("my-filter")),
        "again",
    );
    let place = emitting::folder();
    let output = cargo_generate(
        "my-filter",
        &["--values-file", record.to_str().unwrap()],
        place.path(),
    );
    assert!(output.status.success(), "{}", emitting::said(&output));
}

/// The kit of a fork, or the example: what it emits is correct.
#[test]
fn what_a_kit_emits_is_linted_built_and_verified() {
    let own = xtask::repository().join("kit");
    let kit = if own.join("kit.toml").is_file() {
        own
    } else {
        example()
    };
    let place = emitting::folder();
    let copied = place.path().join("kit");
    copy(&kit, &copied);
    // The build here uses the crates that are there.
    let file = copied.join("kit.toml");
    let text = fs::read_to_string(&file).unwrap();
    let kept = text.lines().filter(|line| !line.starts_with("registry"));
    fs::write(&file, kept.collect::<Vec<_>>().join("\n")).unwrap();

    let template = Template::own().unwrap().with_kit(Some(&copied)).unwrap();
    let emitted = template.emit("my-filter", &BTreeMap::new(), place.path(), None);
    let project = emitted.unwrap().path;
    for (name, content) in tree(&project) {
        let text = String::from_utf8_lossy(&content);
        match Path::new(&name).extension().and_then(|it| it.to_str()) {
            Some("toml") => drop(toml::from_str::<toml::Table>(&text).unwrap()),
            Some("json") => drop(serde_json::from_str::<serde_json::Value>(&text).unwrap()),
            _ => (),
        }
    }
    if project.join(".github/workflows").is_dir() {
        let mut actionlint = tools::ensure_linters().unwrap().actionlint();
        let workflows = fs::read_dir(project.join(".github/workflows")).unwrap();
        actionlint.args(workflows.map(|entry| entry.unwrap().path()));
        let output = actionlint.current_dir(&project).output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
    }
    driver::lint(&project).unwrap();
    let sys = driver::build(&project, Profile::Release, Arch::Amd64).unwrap();
    driver::must_be_clean(&driver::judge_as_expected(&sys).unwrap()).unwrap();
}

#[test]
fn answers_are_refused_with_the_sentence_of_the_kit() {
    let organisation = Organisation::new();
    for (answers, sentences) in [
        (
            &["license=MIT"][..],
            &["kit/kit.toml:18 locks license to \"proprietary\""][..],
        ),
        (
            &["unload_policy=never"],
            &[
                "kit/kit.toml:23 removes this choice",
                "The choices are always and refuse-non-mandatory",
            ],
        ),
        (
            &["start_type=boot"],
            &[
                "kit/kit.toml:48: At Contoso, a filter that starts with Windows refuses to be unloaded by fltmc.",
            ],
        ),
        (
            &["operations=create,read", "load_order_group=encryption"],
            &["At Contoso, only the monitor and the scanner filter reads and writes."],
        ),
        (
            &["altitude=370123"],
            &[
                "kit/kit.toml:34: the project audit-filter has the altitude 370123",
                "Take another one: those of activity-monitor that are free are 370124; auto gives a draft",
            ],
        ),
        (
            &["altitude=370123.0"],
            &["the project audit-filter has the altitude 370123.0"],
        ),
        (
            &["altitude=370200"],
            &["the altitude 370200 is none of those in kit/kit.toml"],
        ),
        (&["altitude=145200.5"], &["The altitude 145200.5 is"]),
    ] {
        let said = organisation.refused(answers);
        for sentence in sentences {
            assert!(said.contains(sentence), "{answers:?}: {said}");
        }
    }
    let (said, status) = organisation.emit(
        "my-filter",
        &["start_type=boot", "unload_policy=refuse-non-mandatory"],
    );
    assert_eq!(status, Some(0), "{said}");
    // Locked answers can be given as they are.
    let (said, status) = organisation.emit("second-filter", &["license=proprietary"]);
    assert_eq!(status, Some(0), "{said}");
}

#[test]
fn a_script_reads_the_result_as_json() {
    let organisation = Organisation::new();
    let json = |arguments: &[&str]| {
        let output = organisation.xtask(&[&["new"], arguments, &["--json"]].concat());
        assert!(output.stderr.is_empty(), "{}", said(&output));
        let value: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        (value, output.status.code())
    };
    for (more, written) in [(&["--dry-run"][..], false), (&[], true)] {
        let (value, status) = json(&[&["MyFilter", "-d", "attach=manual"], more].concat());
        assert_eq!(status, Some(0), "{value}");
        assert_eq!(value["name"], "my-filter");
        assert_eq!(value["written"], written);
        assert_eq!(value["answers"]["attach"], "manual");
        assert_eq!(value["answers"]["license"], "proprietary");
        let files = value["files"].as_array().unwrap();
        assert!(files.contains(&"docs/release.md".into()), "{value}");
        let folder = Path::new(value["folder"].as_str().unwrap());
        assert_eq!(folder.join("Cargo.toml").exists(), written);
        assert_eq!(
            value["notes"][0],
            "The name \"MyFilter\" is converted to my-filter."
        );
    }
    let (value, status) = json(&["other", "-d", "license=MIT"]);
    assert_eq!(status, Some(2));
    let sentence = value["error"].as_str().unwrap();
    assert!(
        sentence.contains("locks license to \"proprietary\""),
        "{value}"
    );
    assert!(!organisation.project("other").exists());
}

#[test]
fn an_altitude_belongs_to_one_project() {
    let organisation = Organisation::new();
    let (said, status) = organisation.emit("my-filter", &["altitude=370124"]);
    assert_eq!(status, Some(0), "{said}");
    assert!(
        said.contains("kit/kit.toml says now that my-filter has the altitude 370124: commit it."),
        "{said}"
    );
    // The rest of the file stays as it is.
    assert_eq!(
        organisation.git(&["diff", "--numstat"]).trim(),
        "1\t1\tkit/kit.toml"
    );
    let (said, status) = organisation.emit("other-filter", &["altitude=370124"]);
    assert_eq!(status, Some(2));
    assert!(
        said.contains(
            "the project my-filter has the altitude 370124. No altitude of activity-monitor is free"
        ),
        "{said}"
    );
    // Its own project keeps it, also where none is named; and the state of the kit is still known.
    fs::remove_dir_all(organisation.project("my-filter")).unwrap();
    let (said, status) = organisation.emit("my-filter", &[]);
    assert_eq!(status, Some(0), "{said}");
    assert!(said.contains("Its altitude is 370124."), "{said}");
    let record = read(&organisation.project("my-filter"), "template.toml");
    assert!(record.contains("\nkit = \""), "{record}");

    // It does not get another one before it frees this one.
    fs::remove_dir_all(organisation.project("my-filter")).unwrap();
    for altitude in ["auto", "370123"] {
        let (said, status) = organisation.emit("my-filter", &[&format!("altitude={altitude}")]);
        assert_eq!(status, Some(2), "{said}");
        assert!(said.contains("has the altitude 370"), "{said}");
    }
    let (said, status) = organisation.emit("my-filter", &["altitude=auto"]);
    assert_eq!(status, Some(2));
    assert!(
        said.contains(
            "the project my-filter has the altitude 370124. To free it, write project = \"\" there"
        ),
        "{said}"
    );

    // Two people take the same one; then two take different ones.
    organisation.git(&["checkout", "--quiet", "--", "kit"]);
    for (first, second, merges) in [
        (("a-filter", "370124"), ("b-filter", "370124"), false),
        (("a-filter", "370124"), ("c-filter", "145200.5"), true),
    ] {
        for (branch, (name, altitude)) in [("first", first), ("second", second)] {
            organisation.git(&["checkout", "--quiet", "-B", branch, "HEAD"]);
            let altitude = format!("altitude={altitude}");
            let group = if name == "c-filter" {
                "load_order_group=encryption"
            } else {
                "load_order_group=activity-monitor"
            };
            let (said, status) = organisation.emit(name, &[&altitude, group]);
            assert_eq!(status, Some(0), "{said}");
            fs::remove_dir_all(organisation.project(name)).unwrap();
            organisation.commit("Take an altitude");
            organisation.git(&["checkout", "--quiet", "--detach", "HEAD~1"]);
        }
        organisation.git(&["checkout", "--quiet", "first"]);
        let merge = tried(organisation.folder.path(), &["merge", "--quiet", "second"]);
        assert_eq!(merge.status.success(), merges, "{}", emitting::said(&merge));
        if !merges {
            let text = fs::read_to_string(organisation.kit().join("kit.toml")).unwrap();
            assert!(text.contains("<<<<<<<"));
            organisation.git(&["merge", "--abort"]);
        }
        organisation.git(&["checkout", "--quiet", "--detach", "first~1"]);
    }
}

/// What stands in `kit.toml`, and the beginning of the sentence about it, after the name of the file.
const MISTAKES: &[(&str, &str)] = &[
    ("[defaults\n", ":1: this is not valid TOML"),
    (
        "[defaults]\n<<<<<<< ours\n=======\n>>>>>>> theirs\n",
        ":2: this is a conflict of git: resolve it",
    ),
    (
        "[[rules]]\nheader = \"x\"\n",
        ":2: header is a key of the file, and here it is in a table: move it above",
    ),
    (
        "header = \"{{operations}}\"\n",
        ":1: operations is a list: write {{operations | join: \", \"}}",
    ),
    (
        "\nlocks = 1\n",
        ":2: locks is no key: did you mean locked? The keys are",
    ),
    (
        "defaults = 1\n",
        ":1: defaults is no table: write [defaults]",
    ),
    (
        "[defaults]\nlicens = \"MIT\"\n",
        ":2: licens is no option: did you mean license?",
    ),
    (
        "[defaults]\nlicense = \"GPL\"\n",
        ":2: license \"GPL\": The choices are",
    ),
    (
        "[defaults]\noperations = \"create\"\n",
        ":2: operations is a list: write operations = [\"…\"]",
    ),
    (
        "[defaults]\noperations = [\"create\", 1]\n",
        ":2: operations is a list",
    ),
    (
        "[defaults]\noperations = [\"creat\"]\n",
        ":2: operations \"creat\": did you mean create?",
    ),
    (
        "[locked]\nservice_stop = \"yes\"\n",
        ":2: service_stop is true or false, without quotation marks",
    ),
    (
        "[locked]\naltitude = 370030\n",
        ":2: altitude is a text: write a string between quotation marks",
    ),
    ("[locked]\naltitude = \"up\"\n", ":2: altitude \"up\": "),
    (
        "[locked]\nload_order_group = \"encryption\"\naltitude = \"370030\"\n",
        ":3: with these answers, the template says: The altitude 370030 is",
    ),
    (
        "[locked]\nlicense = \"MIT\"\n[defaults]\nlicense = \"Apache-2.0\"\n",
        ":4: license is locked, so a default has no effect: remove this line",
    ),
    (
        "[locked]\nlicense = \"MIT\"\n[removed]\nlicense = [\"proprietary\"]\n",
        ":4: license is locked, so removing choices has no effect",
    ),
    (
        "[defaults]\nunload_policy = \"never\"\n[removed]\nunload_policy = [\"never\"]\n",
        ":2: unload_policy \"never\": kit/kit.toml:4 removes this choice. The choices are always and",
    ),
    (
        "[removed]\nunload_policy = [\"always\"]\n",
        ":2: always is the default of unload_policy: write another one to the table defaults",
    ),
    (
        "[removed]\nunload_policy = [\"no\"]\n",
        ":2: unload_policy has no choice no: the choices are",
    ),
    (
        "[removed]\nprovider = [\"x\"]\n",
        ":2: provider has no choices: lock it instead",
    ),
    (
        "[removed]\nunload_policy = \"never\"\n",
        ":2: unload_policy is no list",
    ),
    (
        "[removed]\nunload_policy = [\"always\", \"never\", \"refuse-non-mandatory\"]\n",
        ":2: no choice of unload_policy is left",
    ),
    (
        "[[altitudes]]\nvalue = \"370123\"\n",
        ":2: the altitude has no project: write project = \"\"",
    ),
    (
        "[[altitudes]]\nproject = \"a\"\n",
        ":1: an entry of altitudes has no value",
    ),
    (
        "[[altitudes]]\nvalue = \"999999\"\nproject = \"\"\n",
        ":2: the altitude 999999 is in no load-order group",
    ),
    (
        "[[altitudes]]\nvalue = \"370123\"\nproject = \"\"\n[[altitudes]]\nvalue = \"370123.0\"\nproject = \"\"\n",
        ":5: the altitude 370123.0 is here twice",
    ),
    (
        "[locked]\nload_order_group = \"encryption\"\n[[altitudes]]\nvalue = \"370123\"\nproject = \"\"\n",
        ":4: the altitude 370123 is of the group activity-monitor, and load_order_group is locked to encryption",
    ),
    (
        "[[altitudes]]\nvalue = \"370123\"\nproject = \"a\"\n[[altitudes]]\nvalue = \"370124\"\nproject = \"a\"\n",
        ":5: the project a has two altitudes of activity-monitor, this one and that in line 2: keep one",
    ),
    (
        "[[altitudes]]\nvalue = \"370123\"\nproject = \"My Filter\"\n",
        ":2: the project My Filter has the altitude 370123: write its name in",
    ),
    (
        "[[altitudes]]\nvalue = \"370123\"\nproject = \"\"\nowner = 1\n",
        ":4: owner is no key",
    ),
    (
        "[[rules]]\nwhen = { attach = \"manual\" }\n",
        ":2: a rule needs when, then and message",
    ),
    (
        "[[rules]]\nwhen = { attach = \"hand\" }\nthen = { attach = \"manual\" }\nmessage = \"No.\"\n",
        ":2: attach \"hand\": ",
    ),
    (
        "[[rules]]\nwhen = {}\nthen = { attach = \"manual\" }\nmessage = \"No.\"\n",
        ":2: when names no option",
    ),
    (
        "license_text = \"x\"\n",
        ":1: license_text has an effect only if license is proprietary: lock it",
    ),
    (
        "registry = \"crates.contoso.com\"\n",
        ":1: crates.contoso.com is no address of a registry",
    ),
    ("code_owners = \"@a\"\n", ":1: code_owners is no list"),
    ("code_owners = [\"a b\"]\n", ":1: a b is no code owner"),
    ("[signing]\n", ":1: signing has no arguments"),
    (
        "[signing]\narguments = \"C:\\\\x\"\n",
        ":2: the arguments for signtool sign are one line",
    ),
    (
        "[signing]\narguments = \"/a\"\ntimestamp_server = \"x\"\n",
        ":3: x is no address of a time-stamp server",
    ),
    (
        "[signing]\narguments = \"/a /tr http://x\"\ntimestamp_server = \"http://y\"\n",
        ":3: the arguments have a time-stamp server, too",
    ),
    ("[signing]\ncommand = \"x\"\n", ":2: command is no key"),
    (
        "[contacts]\nsales = \"x\"\n",
        ":2: sales is no key: The keys are security and support",
    ),
    (
        "[contacts]\nsecurity = \"a\\nb\"\n",
        ":2: a contact is one line",
    ),
    (
        "[locked]\nlicense = \"MIT\"\nheader = \"x\"\n",
        ":3: header is a key of the file, and here it is in a table: move it above the first line in brackets",
    ),
    (
        "header = \"\"\"\nx\n{% if %}\"\"\"\n",
        ":3: Liquid cannot read this: Value expected.",
    ),
    ("header = \"\"\n", ":1: header is no text, or an empty one"),
    (
        "header = \"Größe\"\n",
        ":1: the header is also in the INX, which is in ASCII",
    ),
    (
        "header = \"{{yaer}}\"\n",
        ":1: yaer is no placeholder of the template: did you mean year?",
    ),
    (
        "header = \"\"\"\n{{year}}\n{{who}}\"\"\"\n",
        ":3: who is no placeholder of the template",
    ),
];

#[test]
fn each_mistake_is_a_sentence_with_file_and_line() {
    for (text, sentence) in MISTAKES {
        let organisation = Organisation::with(text);
        let said = organisation.refused(&[]);
        assert!(
            said.contains(&format!("kit/kit.toml{sentence}")),
            "{text}\n{said}"
        );
        let output = organisation.xtask(&["kit"]);
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(emitting::said(&output).contains(sentence), "{text}");
    }
    // All mistakes at once, also those in the files.
    for (text, places) in [
        (
            "[defaults]\nlicens = \"MIT\"\nattach = \"hand\"\n",
            ["kit.toml:2: ", "kit.toml:3: "],
        ),
        (
            "header = \"{{yaer}}\"\n[locked]\nlicense = \"MIT\"\n[removed]\nlicense = [\"MIT\"]\n",
            ["kit.toml:5: ", "kit.toml:1: "],
        ),
    ] {
        let organisation = Organisation::with(text);
        organisation.add("NOTES.md", b"\n{{ yaer }}");
        organisation.add("README.md", b"");
        let said = organisation.refused(&[]);
        for place in places.iter().chain(&["NOTES.md:2: ", "README.md: "]) {
            assert!(said.contains(place), "{place}: {said}");
        }
    }
}

/// A file of a kit, its content and the sentence that refuses it.
const REFUSED_FILES: &[(&str, &str, &str)] = &[
    (
        "NOTES.md",
        "a\n{{ typo_name }}\n",
        "NOTES.md:2: typo_name is no placeholder",
    ),
    ("NOTES.md", "{{App}}\n", "NOTES.md:1: App is no placeholder"),
    (
        "chart.yaml",
        "\n\nx: {{ .Values.x }}\n",
        "chart.yaml:3: .Values.x is no placeholder",
    ),
    ("NOTES.md", "{{ yaer }}", "did you mean year?"),
    (
        "NOTES.md",
        "\n{% if typo_name %}x{% endif %}",
        "kit/files/NOTES.md:2: nothing sets typo_name",
    ),
    (
        "NOTES.md",
        "\n{% if %}",
        "kit/files/NOTES.md:2: Liquid cannot read this: Value expected.",
    ),
    (
        "NOTES.md",
        "\n\n{{ year | nothing }}",
        "kit/files/NOTES.md:3: Liquid cannot read this: Unknown filter requested filter=nothing",
    ),
    ("NOTES.md", "{% include 'x' %}", "kit/files/NOTES.md:1: "),
    (
        "{% if control_device %}b.md{% endif %}",
        "x",
        "b.md{% endif %}: a name has no conditions",
    ),
    ("a.md", "x", "a.md: A.md is the same file on Windows"),
    (
        "aux.txt",
        "x",
        "aux.txt: Windows has no files with this name",
    ),
    ("COM1", "x", "COM1: Windows has no files with this name"),
    (
        "a/b?.txt",
        "x",
        "b?.txt: Windows has no files with this name",
    ),
    ("a./b.txt", "x", "a.: Windows has no files with this name"),
    (
        "README.md",
        "x",
        "README.md: README.md is a file of the template",
    ),
    (
        "readme.md",
        "x",
        "readme.md: README.md is a file of the template",
    ),
    ("Cargo.toml/x", "x", "Cargo.toml is a file of the template"),
    ("src", "x", "src: src is a folder of the template"),
    (
        "x.liquid",
        "x",
        "x.liquid: cargo-generate does not emit a file with this name",
    ),
    (
        "a/.genignore",
        "x",
        ".genignore: cargo-generate does not emit",
    ),
];

#[test]
fn files_are_emitted_as_they_are_or_refused() {
    let organisation = Organisation::with("");
    let latin1 = b"Gr\xf6\xdfe {{ year }}\n";
    let image = b"\x89PNG\r\n\x1a\n\0{{ year }}";
    let crlf = b"{{crate_name}}\r\n${{ github.sha }}\r\n{% raw %}{{ .Values.x }}{% endraw %}\r\n";
    organisation.add("latin1.txt", latin1);
    organisation.add("docs/logo.png", image);
    organisation.add("docs/a [b] #1 é.txt", crlf);
    organisation.add("scripts/Contoso.ps1", b"'{{crate_name}}'\n");
    organisation.add("{{crate_name}}.md", b"x\n");
    organisation.add("year.txt", b"{{license_year}} {{year}} {{ altitude }}\n");
    // What was built in the folder is not copied.
    organisation.add("tool/target/large.bin", b"{{ wrong }}");
    organisation.add("tool/cache/CACHEDIR.TAG", b"{{ wrong }}");
    let (said, status) = organisation.emit("my-filter", &[]);
    assert_eq!(status, Some(0), "{said}");
    assert!(
        said.contains(
            "The kit kit is not committed in a git repository, or has changes that are not."
        ),
        "{said}"
    );
    let project = organisation.project("my-filter");
    assert_eq!(fs::read(project.join("latin1.txt")).unwrap(), latin1);
    assert_eq!(fs::read(project.join("docs/logo.png")).unwrap(), image);
    assert_eq!(
        fs::read(project.join("docs/a [b] #1 é.txt")).unwrap(),
        b"my_filter\r\n${{ github.sha }}\r\n{{ .Values.x }}\r\n"
    );
    assert_eq!(read(&project, "scripts/Contoso.ps1"), "'my_filter'\n");
    assert_eq!(read(&project, "my_filter.md"), "x\n");
    assert!(!project.join("tool").exists());
    let years = read(&project, "year.txt");
    let years: Vec<&str> = years.split_whitespace().collect();
    assert!(years[0] == years[1] && years[0].len() == 4, "{years:?}");
    assert!(years[2].contains('.'), "{years:?}");

    for (name, content, sentence) in REFUSED_FILES {
        let organisation = Organisation::with("");
        organisation.add("A.md", b"x");
        organisation.add(name, content.as_bytes());
        let said = organisation.refused(&[]);
        assert!(said.contains(sentence), "{name}: {content}\n{said}");
    }
    for key in [
        "code_owners = [\"@a/b\"]",
        "[contacts]\nsecurity = \"x@y.z\"",
    ] {
        let organisation = Organisation::with(key);
        organisation.add("codeowners", b"x");
        organisation.add("Security.md", b"x");
        let said = organisation.refused(&[]);
        assert!(
            said.contains("is written by a key of the kit: use another name"),
            "{said}"
        );
    }
    #[cfg(unix)]
    {
        let organisation = Organisation::with("");
        organisation.add("docs/a", b"x");
        std::os::unix::fs::symlink("/etc", organisation.file("etc")).unwrap();
        let said = organisation.refused(&[]);
        assert!(said.contains("files/etc: this is a link"), "{said}");
    }
}

#[test]
fn files_are_also_in_folders_that_the_template_leaves_out() {
    // The hooks remove the folders of what was not chosen.
    let files = [
        ".github/workflows/own.yml",
        ".vscode/launch.json",
        "testbench/tests/own.rs",
        "testbench/bench/own.txt",
        "scripts/own.ps1",
    ];
    let organisation = Organisation::with("");
    for file in files {
        organisation.add(file, b"{{crate_name}}\n${{ secrets.X }}\n");
    }
    let answers = ["pipeline=azure", "editor=none"];
    let (said, status) = organisation.emit("my-filter", &answers);
    assert_eq!(status, Some(0), "{said}");
    let project = organisation.project("my-filter");
    for file in files {
        assert_eq!(read(&project, file), "my_filter\n${{ secrets.X }}\n");
    }
    assert!(!project.join("kit-files").exists());
    assert!(!project.join(".github/workflows/ci.yml").exists());

    // A text that is empty with these answers is not emitted. An empty file is.
    let organisation = Organisation::new();
    organisation.add("device.md", b"{% if control_device %}Devices.{% endif %}\n");
    organisation.add("docs/.keep", b"");
    organisation.add("debug.log", b"x");
    fs::write(organisation.kit().join(".gitignore"), "*.log\n").unwrap();
    organisation.commit("Add files");
    for (name, device) in [("with-device", true), ("without", false)] {
        let answer = format!("control_device={device}");
        let (said, status) = organisation.emit(name, &[&answer]);
        assert_eq!(status, Some(0), "{said}");
        let project = organisation.project(name);
        assert_eq!(project.join("device.md").exists(), device);
        assert!(project.join("docs/.keep").exists());
        assert!(!project.join("debug.log").exists());
        assert!(!project.join("kit-copies").exists());
    }
    let listed = emitting::said(&organisation.xtask(&["kit"]));
    assert!(
        listed.contains("device.md") && !listed.contains("debug.log"),
        "{listed}"
    );

    // A working tree on Windows.
    let text = fs::read_to_string(organisation.kit().join("kit.toml")).unwrap();
    let text = text.replace('\n', "\r\n");
    fs::write(organisation.kit().join("kit.toml"), text).unwrap();
    let output = organisation.xtask(&["kit"]);
    assert_eq!(output.status.code(), Some(0), "{}", emitting::said(&output));

    // A name that becomes that of a file of the template.
    let organisation = Organisation::with("");
    organisation.add("{{'README'}}.md", b"x");
    let (said, status) = organisation.emit("my-filter", &[]);
    assert_ne!(status, Some(0), "{said}");
    assert!(
        said.contains("kit/files: a file becomes README.md, which is a file of the template"),
        "{said}"
    );
    assert!(!organisation.project("my-filter").exists());
}

#[test]
fn names_that_are_nearly_right_are_found() {
    let organisation = Organisation::with("code_owners = [\"@contoso/drivers\"]\n");
    organisation.add(".github/CODEOWNERS", b"* @a\n");
    let kit = organisation.folder.path().join("kit");
    fs::create_dir(kit.join("file")).unwrap();
    fs::write(kit.join("README.md"), "How we use the kit.\n").unwrap();
    let said = organisation.refused(&[]);
    for sentence in [
        "kit/file: the files for each project are in the folder files: rename it",
        "CODEOWNERS: kit/kit.toml has code_owners, which are written to CODEOWNERS",
    ] {
        assert!(said.contains(sentence), "{said}");
    }
}

#[test]
fn a_kit_is_started_and_described() {
    let organisation = Organisation::with("");
    let output = organisation.xtask(&["kit", "--init", "new-kit"]);
    assert!(output.status.success(), "{}", said(&output));
    let output = organisation.xtask(&["kit", "new-kit"]);
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains("new-kit/kit.toml is correct."));
    let output = organisation.xtask(&["kit", "--init", "new-kit"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        said(&output).contains("is there already"),
        "{}",
        said(&output)
    );
    for arguments in [&["kit", "nowhere"][..], &["new", "x", "--kit", "nowhere"]] {
        let output = organisation.xtask(arguments);
        assert_eq!(output.status.code(), Some(2));
        assert!(said(&output).contains("nowhere"), "{}", said(&output));
    }

    // The schema accepts the example, and refuses what the kit refuses.
    let schema = organisation.folder.path().join("kit.schema.json");
    let output = organisation.xtask(&["kit", "--schema"]);
    fs::write(&schema, output.stdout).unwrap();
    let accepts = |file: &Path| {
        let mut check = tools::ensure_linters().unwrap().check_jsonschema();
        check.arg("--schemafile").arg(&schema).arg(file);
        check.output().unwrap()
    };
    let output = accepts(&example().join("kit.toml"));
    assert!(output.status.success(), "{}", said(&output));
    for text in [
        "locks = 1\n",
        "[defaults]\nlicense = \"GPL\"\n",
        "[defaults]\noperations = \"create\"\n",
        "[locked]\nservice_stop = \"yes\"\n",
        "[[altitudes]]\nvalue = \"370123\"\n",
        "[[rules]]\nwhen = { attach = \"hand\" }\nthen = { attach = \"manual\" }\nmessage = \"No.\"\n",
    ] {
        let file = organisation.folder.path().join("wrong.toml");
        fs::write(&file, text).unwrap();
        assert!(!accepts(&file).status.success(), "{text}");
    }

    // Its answers, for cargo generate alone.
    let organisation = Organisation::new();
    let output = organisation.xtask(&["kit", "--values"]);
    let values = organisation.folder.path().join("values.toml");
    fs::write(&values, output.stdout).unwrap();
    let place = emitting::folder();
    let output = cargo_generate(
        "my-filter",
        &["--values-file", values.to_str().unwrap()],
        place.path(),
    );
    assert!(output.status.success(), "{}", said(&output));
    let record = read(&place.path().join("my-filter"), "template.toml");
    assert!(
        record.contains("operations = [\"create\", \"cleanup\"]"),
        "{record}"
    );
}

fn other_projects_do_not_matter(organisation: &Organisation) {
    // Another project takes an altitude, and a comment is added: nothing changes for this one.
    organisation.edit(
        "value = \"370124\"\nproject = \"\"",
        "value = \"370124\"\nproject = \"other\" # 2026",
    );
    for committed in [false, true] {
        if committed {
            organisation.commit("Take an altitude");
        }
        let output = organisation.xtask(&["check", "my-filter"]);
        assert_eq!(output.status.code(), Some(0), "{}", emitting::said(&output));
    }
    // A kit that is not committed has no state that a record could name.
    for name in ["docs/draft.md", "docs/kit.toml"] {
        organisation.add(name, b"Draft = 1\n");
        for verb in ["check", "update"] {
            let output = organisation.xtask(&[verb, "my-filter"]);
            assert_eq!(output.status.code(), Some(2));
            let said = emitting::said(&output);
            assert!(said.contains("commit the kit first"), "{said}");
        }
        fs::remove_file(organisation.file(name)).unwrap();
    }
}

/// A project leaves the kit: what came from it is removed, and what the author wrote stays.
fn leaves_the_kit(organisation: &Organisation) {
    let project = organisation.project("my-filter");
    let arguments = ["update", "my-filter", "--no-kit", "--old-kit", "kit"];
    let output = organisation.xtask(&arguments);
    assert_eq!(output.status.code(), Some(0), "{}", emitting::said(&output));
    for file in ["logo.ico", "docs/new.md", "CODEOWNERS"] {
        assert!(!project.join(file).exists(), "{file}");
    }
    let lib = read(&project, "src/lib.rs");
    assert!(
        !lib.contains("Internal.") && lib.ends_with("// ours\n"),
        "{lib}"
    );
    assert!(!read(&project, "template.toml").contains("kit = "));
    // It stays without the kit, unless the command line names the kit.
    git(&project, &["add", "--all"]);
    git(&project, &["commit", "--quiet", "-m", "Leave the kit"]);
    for (arguments, status, says) in [
        (&["check", "my-filter"][..], 0, "current"),
        (&["update", "my-filter"], 0, "There is nothing to do."),
        (
            &["check", "my-filter", "--kit", "kit"],
            1,
            "behind: its record names no kit",
        ),
    ] {
        let output = organisation.xtask(arguments);
        assert_eq!(output.status.code(), Some(status), "{}", said(&output));
        assert!(said(&output).contains(says), "{}", said(&output));
    }
    assert_eq!(git(&project, &["status", "--porcelain"]), "");
    let output = organisation.xtask(&["update", "my-filter", "--old-kit", "nowhere"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("--old-kit nowhere has no kit.toml"));
    git(&project, &["reset", "--quiet", "--hard", "HEAD~1"]);

    // An older state of the kit does not take a project back.
    let head = organisation.git(&["rev-parse", "HEAD"]);
    organisation.git(&["branch", "newest"]);
    organisation.git(&["checkout", "--quiet", "--detach", "HEAD~2"]);
    for verb in ["check", "update"] {
        let output = organisation.xtask(&[verb, "my-filter"]);
        assert_eq!(output.status.code(), Some(2), "{}", emitting::said(&output));
        let sentence = "my-filter has a newer state of the kit than kit: run git -C kit pull";
        assert!(
            emitting::said(&output).contains(sentence),
            "{}",
            emitting::said(&output)
        );
    }
    organisation.git(&["checkout", "--quiet", head.trim()]);
    organisation.git(&["branch", "--quiet", "-D", "newest"]);
}

/// The repository of the kit must have the state that emitted a project.
fn needs_its_state(organisation: &Organisation) {
    let project = organisation.project("my-filter");
    let record = read(&project, "template.toml");
    let state = record.lines().find(|it| it.starts_with("kit = ")).unwrap();
    let other = record.replace(state, &format!("kit = \"{}\"", "0".repeat(40)));
    fs::write(project.join("template.toml"), other).unwrap();
    git(
        &project,
        &["commit", "--quiet", "--all", "-m", "Change the record"],
    );
    let output = organisation.xtask(&["update", "my-filter"]);
    assert_eq!(output.status.code(), Some(2));
    let sentence = "with the state 0000000000000000000000000000000000000000 of a kit, which the git repository of kit does not have";
    assert!(
        emitting::said(&output).contains(sentence),
        "{}",
        emitting::said(&output)
    );
    git(&project, &["reset", "--quiet", "--hard", "HEAD~1"]);
}

#[test]
fn projects_follow_the_kit() {
    let organisation = Organisation::new();
    organisation.add("logo.ico", b"old\0");
    organisation.commit("Add a logo");
    let (said, status) = organisation.emit("my-filter", &[]);
    assert_eq!(status, Some(0), "{said}");
    let project = organisation.project("my-filter");
    git(&project, &["init", "--quiet"]);
    let commit = || {
        git(&project, &["add", "--all"]);
        git(&project, &["commit", "--quiet", "-m", "Commit"]);
    };
    commit();
    let output = organisation.xtask(&["check", "my-filter"]);
    assert_eq!(output.status.code(), Some(0), "{}", emitting::said(&output));
    let lib = read(&project, "src/lib.rs");
    fs::write(project.join("src/lib.rs"), format!("{lib}// ours\n")).unwrap();
    commit();

    // The kit changes, and the project is behind.
    organisation.edit(
        "SPDX-License-Identifier: LicenseRef-Contoso\"\"\"",
        "Internal.\"\"\"",
    );
    organisation.add("logo.ico", b"new\0");
    // Braces of another language.
    organisation.add("docs/new.md", b"New.\n");
    organisation.add(
        ".github/workflows/company.yml",
        b"on: push\njobs: # ${{ secrets.X }} {{crate_name}} {% raw %}{{ .Values.x }}{% endraw %}\n",
    );
    organisation.edit("[removed]\n", "[removed]\nattach = [\"manual\"]\n");
    organisation.commit("Change the kit");
    let output = organisation.xtask(&["check", "my-filter", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let output = organisation.xtask(&["diff", "my-filter"]);
    let difference = emitting::said(&output);
    assert!(
        difference.contains("+// ours") && !difference.contains("Internal"),
        "{difference}"
    );
    let output = organisation.xtask(&["update", "my-filter"]);
    assert_eq!(output.status.code(), Some(0), "{}", emitting::said(&output));
    let lib = read(&project, "src/lib.rs");
    assert!(
        lib.contains("\n// Internal.\n") && lib.ends_with("// ours\n"),
        "{lib}"
    );
    assert_eq!(fs::read(project.join("logo.ico")).unwrap(), b"new\0");
    assert_eq!(read(&project, "docs/new.md"), "New.\n");
    assert_eq!(
        read(&project, ".github/workflows/company.yml"),
        "on: push\njobs: # ${{ secrets.X }} my_filter {{ .Values.x }}\n"
    );
    commit();
    let output = organisation.xtask(&["check", "my-filter"]);
    assert_eq!(output.status.code(), Some(0), "{}", emitting::said(&output));

    other_projects_do_not_matter(&organisation);
    // Without the kit, and without its state.
    let output = organisation.xtask(&["update", "my-filter", "--no-kit"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        emitting::said(&output)
            .contains("name its folder with --kit DIR or the variable TEMPLATE_KIT")
    );
    leaves_the_kit(&organisation);
    needs_its_state(&organisation);

    // The kit locks an answer that the record has otherwise, and removes one that it has.
    organisation.edit("[locked]\n", "[locked]\nattach = \"manual\"\n");
    organisation.edit("attach = [\"manual\"]\n", "pipeline = [\"github\"]\n");
    organisation.edit("[defaults]\n", "[defaults]\npipeline = \"azure\"\n");
    organisation.commit("Lock an answer");
    let before = tree(&project);
    for verb in ["update", "check"] {
        let output = organisation.xtask(&[verb, "my-filter"]);
        let said = emitting::said(&output);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("locks attach to \"manual\""), "{said}");
        assert!(said.contains("--set attach=manual"), "{said}");
    }
    assert_eq!(tree(&project), before);
    let output = organisation.xtask(&["update", "my-filter", "--set", "attach=manual"]);
    assert_eq!(output.status.code(), Some(2));
    let said = emitting::said(&output);
    assert!(
        said.contains("pipeline \"github\"") && said.contains("removes this choice"),
        "{said}"
    );
    let output = organisation.xtask(&[
        "update",
        "my-filter",
        "--set",
        "attach=manual",
        "--set",
        "pipeline=azure",
    ]);
    assert_eq!(output.status.code(), Some(0), "{}", emitting::said(&output));
    assert!(project.join("azure-pipelines.yml").exists());
}

#[test]
fn an_earlier_version_has_what_it_knows_of_the_kit() {
    if !has_version("0.2.0") {
        return;
    }
    let template = Template::of(&"0.2.0".parse().unwrap()).unwrap();
    let organisation = Organisation::with("[defaults]\neditor = \"vscode\"\nattach = \"manual\"\n");
    let template = template.with_kit(Some(&organisation.kit())).unwrap();
    let place = emitting::folder();
    let emitted = template.emit("my-filter", &BTreeMap::new(), place.path(), None);
    let project = emitted.unwrap().path;
    let record = read(&project, "template.toml");
    assert!(
        record.contains("attach = \"manual\"") && !record.contains("editor"),
        "{record}"
    );

    // A record that was lost is written as it was.
    git(&project, &["init", "--quiet"]);
    fs::remove_file(project.join("template.toml")).unwrap();
    git(&project, &["add", "--all"]);
    git(&project, &["commit", "--quiet", "-m", "Commit"]);
    let output = organisation.xtask(&["adopt", project.to_str().unwrap(), "--from", "0.2.0"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let adopted = read(&project, "template.toml");
    assert_eq!(adopted, record);
}

#[test]
fn a_fork_with_a_kit_merges_from_upstream() {
    let upstream = xtask::repository();
    let before = tried(&upstream, &["rev-parse", "--verify", "--quiet", "HEAD~10"]);
    if !before.status.success() {
        skipped(1, "this clone does not have ten earlier commits");
        return;
    }
    let folder = emitting::folder();
    let fork = folder.path().join("fork");
    git(
        folder.path(),
        &[
            "clone",
            "--quiet",
            "--shared",
            upstream.to_str().unwrap(),
            "fork",
        ],
    );
    git(&fork, &["checkout", "--quiet", "-B", "ours", "HEAD~10"]);
    let own = fork.join("kit");
    if !own.exists() {
        copy(&example(), &own);
        git(&fork, &["add", "--all"]);
        git(&fork, &["commit", "--quiet", "-m", "Add a kit"]);
    }
    let head = git(&upstream, &["rev-parse", "HEAD"]);
    git(&fork, &["merge", "--quiet", "-m", "Merge", head.trim()]);
    let changed = git(&fork, &["diff", "--name-only", head.trim()]);
    assert!(
        changed.lines().all(|it| it.starts_with("kit/")),
        "{changed}"
    );
}

/// The number of kits and records in a run: `KIT_RUNS`; the seed: `KIT_SEED`.
fn asked(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).map_or(otherwise, |text| text.parse().unwrap())
}

/// Changes a text at random places.
fn spoiled(text: &str, random: &mut fastrand::Rng) -> String {
    let pieces = [
        "\"",
        "'",
        "\"\"\"",
        "[",
        "]",
        "[[",
        "]]",
        "{",
        "}",
        "{{",
        "}}",
        "=",
        "\n",
        "\0",
        "\u{202e}",
        "\u{1b}[2J",
        "../../etc/passwd",
        "/etc/passwd",
        "C:\\x",
        "1e999",
        "true",
        "[]",
        "{}",
        "nan",
        "1979-05-27",
        "-1",
        "keep",
        "kit = ",
        "altitudes",
        "#",
        ",",
        ".",
        "𝕏",
        "{% raw %}",
        "$",
        "\\u0000",
    ];
    let mut text: Vec<char> = text.chars().collect();
    for _ in 0..random.usize(1..6) {
        let at = random.usize(..=text.len());
        match random.u8(..5) {
            0 => drop(text.drain(at..(at + random.usize(..20)).min(text.len()))),
            1 => {
                let from = random.usize(..=text.len());
                let some: Vec<char> =
                    text[from..(from + random.usize(..40)).min(text.len())].to_vec();
                drop(text.splice(at..at, some));
            }
            _ => {
                let piece = random.choice(pieces).unwrap();
                drop(text.splice(at..at, piece.chars()));
            }
        }
    }
    text.into_iter().collect()
}

#[test]
fn hostile_kits_and_records_are_refused_in_sentences() {
    let options = options::declared().unwrap();
    let kit = fs::read_to_string(example().join("kit.toml")).unwrap();
    let organisation = Organisation::new();
    let (said, status) = organisation.emit("my-filter", &[]);
    assert_eq!(status, Some(0), "{said}");
    let record = read(&organisation.project("my-filter"), "template.toml");
    let record = record.replace(
        "project-name",
        "keep = [\"deny.toml\", \"scripts/\"]\nproject-name",
    );
    let place = emitting::folder();
    let (runs, seed) = (asked("KIT_RUNS", 20_000), asked("KIT_SEED", 1));
    let mut accepted = 0;
    for run in 0..runs {
        let mut random = fastrand::Rng::with_seed(seed + run);
        let again = format!("KIT_SEED={} KIT_RUNS=1", seed + run);
        let is_kit = random.bool();
        let result = if is_kit {
            let text = spoiled(&kit, &mut random);
            fs::write(place.path().join("kit.toml"), text).unwrap();
            Kit::read(place.path(), &options).and_then(|(kit, mistakes)| {
                mistakes.none()?;
                kit.applied(&options).1.none()
            })
        } else {
            let file = place.path().join("template.toml");
            fs::write(&file, spoiled(&record, &mut random)).unwrap();
            xtask::commands::new::record::ValuesFile::read(&options, &file).map(drop)
        };
        match result {
            Ok(()) => accepted += 1,
            Err(error) => {
                let sentence = xtask::visible(&format!("{error:#}"));
                assert!(sentence.len() > 20, "{again}: {sentence}");
                let file = if is_kit { "kit.toml:" } else { "template.toml" };
                assert!(sentence.contains(file), "{again}: {sentence}");
            }
        }
    }
    assert_eq!(emitting::names(place.path()).len(), 2);
    println!("{runs} kits and records, {accepted} of them accepted");
    assert!(accepted < runs);
}
