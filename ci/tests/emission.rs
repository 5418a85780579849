//! What is emitted: the same by every way, nothing but the template, and valid for every answer.

mod emitting;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use xtask::commands::{
    inf::groups::GROUPS,
    options::{self, Choice, Declared, Kind},
};

use emitting::{
    HOSTILE, HOSTILE_TEXTS, PRINTABLE, assert_same, cargo_generate, cargo_generate_from, emit,
    folder, names, read, said, tree, xtask_new,
};

/// Answers to all options, none of which is a default.
fn otherwise() -> Vec<String> {
    let answer = |option: Declared| {
        let other = |choices: &[Choice]| {
            let mut others = choices.iter().filter(|it| it.value != option.default);
            others.next_back().unwrap().value.clone()
        };
        let answer = match &option.kind {
            Kind::Text { .. } => match option.name.as_str() {
                "description" => "Not the default".to_owned(),
                "provider" => HOSTILE.to_owned(),
                "license_year" => "1999".to_owned(),
                // In the range of the last group.
                "update_workflow" => "https://github.com/example/template".to_owned(),
                "altitude" => "61999.25".to_owned(),
                name => panic!("{name} has no other answer: add one here"),
            },
            Kind::Choice(choices) => other(choices),
            Kind::Flag => (option.default != "true").to_string(),
            Kind::List(choices) => {
                let values = choices.iter().rev().map(|choice| choice.value.as_str());
                values.collect::<Vec<_>>().join(",")
            }
        };
        format!("{}={answer}", option.name)
    };
    let declared = options::declared().unwrap();
    declared.into_iter().map(answer).collect()
}

fn git(folder: &Path, arguments: &[&str]) {
    let output = Command::new("git")
        .args([
            "-c",
            "user.name=tester",
            "-c",
            "user.email=tester@example.com",
            "-c",
            "init.defaultBranch=main",
        ])
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", said(&output));
}

/// A repository with one commit: the working tree as it is, without what git ignores.
fn committed() -> tempfile::TempDir {
    let clone = folder();
    let repository = xtask::repository();
    let listed = Command::new("git")
        .args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ])
        .current_dir(&repository)
        .output()
        .unwrap();
    for name in String::from_utf8(listed.stdout)
        .unwrap()
        .split_terminator('\0')
    {
        let (from, to) = (repository.join(name), clone.path().join(name));
        if from.is_file() {
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::copy(from, to).unwrap();
        }
    }
    git(clone.path(), &["init", "--quiet"]);
    git(clone.path(), &["add", "--all"]);
    git(
        clone.path(),
        &["commit", "--quiet", "--message", "The template"],
    );
    clone
}

#[test]
fn every_way_emits_the_same_bytes() {
    let committed = committed();
    let url = format!("file://{}", committed.path().display());
    let otherwise = otherwise();
    let otherwise: Vec<&str> = otherwise.iter().flat_map(|answer| ["-d", answer]).collect();

    for answers in [&[], otherwise.as_slice()] {
        let new = folder();
        let output = xtask_new(&[&["my-filter"], answers].concat(), new.path());
        assert!(output.status.success(), "{}", said(&output));
        let expected = tree(&new.path().join("my-filter"));

        // Unless it is told not to, cargo-generate runs rustfmt over what it emits: there must be nothing to format.
        for no_fmt in [&["--no-fmt"][..], &[]] {
            for from in [
                ["--path", committed.path().to_str().unwrap()],
                ["--git", &url],
            ] {
                let place = folder();
                let output = cargo_generate_from(
                    from,
                    "my-filter",
                    &[answers, no_fmt].concat(),
                    place.path(),
                );
                assert!(output.status.success(), "{}", said(&output));
                assert_same(
                    &expected,
                    &tree(&place.path().join("my-filter")),
                    &format!("{} {no_fmt:?}", from[0]),
                );
            }
        }
    }
}

/// The word `template` is the folder to emit. The repository has one such folder, so the word can be left out.
#[test]
fn the_folder_of_the_template_need_not_be_named() {
    let committed = committed();
    let url = format!("file://{}", committed.path().display());
    let place = folder();
    let configuration = place.path().join("cargo-generate.toml");
    fs::write(
        &configuration,
        format!(
            "[favorites.minifilter]\ngit = \"{url}\"\n[favorites.named]\ngit = \"{url}\"\nsubfolder = \"template\"\n"
        ),
    )
    .unwrap();
    let ways = [
        vec!["--git", &url, "template"],
        vec!["--git", &url],
        vec!["minifilter"],
        vec!["named"],
    ];
    let mut trees = Vec::new();
    for (number, way) in ways.iter().enumerate() {
        let destination = place.path().join(number.to_string());
        fs::create_dir(&destination).unwrap();
        let output = Command::new(xtask::checks::tools::ensure_cargo_generate().unwrap())
            .arg("generate")
            .args(way)
            .args(["--silent", "--name", "my-filter", "--destination"])
            .arg(&destination)
            .arg("--config")
            .arg(&configuration)
            .env("USER", "developer")
            .stdin(std::process::Stdio::null())
            .output()
            .unwrap();
        assert!(output.status.success(), "{way:?}: {}", said(&output));
        trees.push(tree(&destination.join("my-filter")));
    }
    for (way, tree) in ways.iter().zip(&trees) {
        assert_same(&trees[0], tree, &format!("{way:?}"));
    }
}

#[test]
fn a_values_file_and_the_environment_answer_like_arguments() {
    let place = folder();
    let file = place.path().join("values.toml");
    fs::write(
        &file,
        "[values]\nload_order_group = \"hsm\"\nservice_stop = false\noperations = [\"read\", \"write\"]\naltitude = \"180001\"\n",
    )
    .unwrap();
    let shown = file.to_str().unwrap();
    let mut trees = Vec::new();
    let source = xtask::commands::new::staged().unwrap();
    for released in [false, true] {
        let destination = place.path().join(released.to_string());
        fs::create_dir(&destination).unwrap();
        let mut command = if released {
            let mut command = Command::new(xtask::checks::tools::ensure_cargo_generate().unwrap());
            command
                .args(["generate", "template", "--name", "my-filter", "--path"])
                .arg(source.path());
            command
        } else {
            let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
            command.args(["new", "my-filter"]);
            command
        };
        let output = command
            .args([
                "--silent",
                "--values-file",
                shown,
                "-d",
                "altitude=180002",
                "--destination",
            ])
            .arg(&destination)
            .env("USER", "tester")
            .env("CARGO_GENERATE_VALUE_LOAD_ORDER_GROUP", "undelete")
            .env("CARGO_GENERATE_VALUE_START_TYPE", "system")
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", said(&output));
        let inx = read(&destination.join("my-filter"), "my_filter.inx");
        // The argument goes before the file, the file before the environment, the environment before the default.
        for line in [
            "Altitude          = \"180002\"",
            "LoadOrderGroup = \"FSFilter HSM\"",
            "StartType      = 1 ; system",
        ] {
            assert!(inx.contains(line), "{line}\n{inx}");
        }
        trees.push(tree(&destination.join("my-filter")));
    }
    assert_same(&trees[1], &trees[0], "xtask new");
}

#[test]
fn only_the_template_is_emitted() {
    let template: BTreeSet<String> = tree(&xtask::repository().join("template"))
        .into_keys()
        .filter(|name| !name.starts_with("testbench/target/"))
        .map(|name| name.replace("{{crate_name}}", "my_filter"))
        .collect();
    let (_place, project) = emit(&[]);
    let chosen = ["src/unload.rs", "src/error_log.rs"];
    for name in tree(&project).into_keys() {
        assert!(
            template.contains(&name) || chosen.contains(&name.as_str()),
            "{name} is not of the template"
        );
    }
    let testbench = |names: Vec<&String>| -> Vec<String> {
        names
            .into_iter()
            .filter(|name| name.starts_with("testbench/"))
            .cloned()
            .collect()
    };
    let emitted = tree(&project);
    // Of the tests, those of the chosen operations.
    let tests = ["create", "driver", "unit"].map(|name| format!("testbench/tests/{name}.rs"));
    let wanted = template
        .iter()
        .filter(|name| !name.starts_with("testbench/tests/") || tests.contains(name));
    assert_eq!(
        testbench(emitted.keys().collect()),
        testbench(wanted.collect())
    );
    for name in testbench(emitted.keys().collect()) {
        assert!(
            emitted[&name] == fs::read(xtask::repository().join("template").join(&name)).unwrap(),
            "{name} was rendered"
        );
    }
}

/// Sources of the template read as Rust: what depends on an option is a file, where that is possible.
#[test]
fn a_rust_file_has_at_most_eight_liquid_tags() {
    let folder = xtask::repository().join("template/src");
    let files = xtask::files_below(&folder).unwrap();
    assert!(files.len() > 50);
    for file in files {
        let text = fs::read_to_string(folder.join(&file)).unwrap();
        let tags = text.matches("{%").count();
        assert!(tags <= 8, "{}: {tags} tags", file.display());
    }
}

#[test]
fn whole_files_are_chosen() {
    let (_place, project) = emit(&[
        ("operations", "read,query-ea"),
        ("unload_policy", "never"),
        ("error_log", "debugger"),
    ]);
    let files = tree(&project);
    let operations: Vec<&String> = files
        .keys()
        .filter(|name| name.starts_with("src/operations/"))
        .collect();
    assert_eq!(
        operations,
        ["src/operations/query_ea.rs", "src/operations/read.rs"]
    );
    assert!(!files.contains_key("src/messages.rs"));
    for (from, to) in [
        ("src/unload/never.rs", "src/unload.rs"),
        ("src/error_log/debugger.rs", "src/error_log.rs"),
    ] {
        assert!(
            !files
                .keys()
                .any(|name| name.starts_with(&to.replace(".rs", "/")))
        );
        assert_eq!(first_line(&project, to), first_line_in_template(from));
    }
}

#[test]
fn a_control_device_has_a_say_only_where_an_unload_would_be_agreed_to() {
    for (policy, file) in [
        ("always", "always_unless_in_use"),
        ("refuse-non-mandatory", "refuse_non_mandatory"),
        ("never", "never"),
    ] {
        let (_place, project) = emit(&[("control_device", "true"), ("unload_policy", policy)]);
        assert_eq!(
            first_line(&project, "src/unload.rs"),
            first_line_in_template(&format!("src/unload/{file}.rs"))
        );
    }
}

fn first_line(folder: &Path, file: &str) -> String {
    read(folder, file).lines().next().unwrap().to_owned()
}

fn first_line_in_template(file: &str) -> String {
    first_line(&xtask::repository().join("template"), file)
}

#[test]
fn no_folder_is_left_empty() {
    fn walk(folder: &Path) {
        assert!(!names(folder).is_empty(), "{} is empty", folder.display());
        for name in names(folder) {
            let path = folder.join(&name);
            if path.is_dir() && name != "testbench" {
                walk(&path);
            }
        }
    }
    for error_log in ["event-log", "debugger"] {
        let (_place, project) = emit(&[("error_log", error_log)]);
        walk(&project);
    }
    for pipeline in ["azure", "none"] {
        let (_place, project) = emit(&[("pipeline", pipeline)]);
        walk(&project);
    }
}

#[test]
fn every_operation_has_a_file() {
    let options = xtask::commands::options::declared().unwrap();
    let operations = options
        .into_iter()
        .find(|option| option.name == "operations")
        .unwrap();
    let xtask::commands::options::Kind::List(choices) = operations.kind else {
        panic!("{operations:?}")
    };
    let files: BTreeSet<String> = choices
        .iter()
        .map(|choice| format!("{}.rs", choice.value.replace('-', "_")))
        .collect();
    let there: BTreeSet<String> = names(&xtask::repository().join("template/src/operations"))
        .into_iter()
        .collect();
    assert_eq!(there, files);
}

#[test]
fn the_license_decides_the_license_files() {
    for (license, files, key) in [
        (
            "MIT OR Apache-2.0",
            vec!["LICENSE-APACHE", "LICENSE-MIT"],
            "license",
        ),
        ("MIT", vec!["LICENSE-MIT"], "license"),
        ("Apache-2.0", vec!["LICENSE-APACHE"], "license"),
        ("proprietary", vec!["LICENSE-PROPRIETARY"], "license-file"),
    ] {
        let (_place, project) = emit(&[("license", license), ("provider", HOSTILE)]);
        let there: Vec<String> = names(&project)
            .into_iter()
            .filter(|name| name.starts_with("LICENSE"))
            .collect();
        assert_eq!(there, files);
        for file in &files {
            let text = read(&project, file);
            assert!(text.contains(&format!(" {HOSTILE}\n")), "{text}");
        }
        let manifest: toml::Table = toml::from_str(&read(&project, "Cargo.toml")).unwrap();
        let package = manifest["package"].as_table().unwrap();
        let stated = if license == "proprietary" {
            files[0]
        } else {
            license
        };
        assert_eq!(package[key].as_str(), Some(stated));
        assert_eq!(package.contains_key("license"), license != "proprietary");
    }
}

#[test]
fn free_text_arrives_unchanged() {
    assert_eq!(
        (b' '..=b'~')
            .filter(|byte| !PRINTABLE.as_bytes().contains(byte))
            .count(),
        0
    );
    for text in HOSTILE_TEXTS {
        let (_place, project) = emit(&[("provider", text), ("description", text)]);

        let manifest: toml::Table = toml::from_str(&read(&project, "Cargo.toml")).unwrap();
        assert_eq!(manifest["package"]["description"].as_str(), Some(text));
        assert_eq!(manifest["package"]["authors"][0].as_str(), Some(text));

        let readme = read(&project, "README.md");
        assert!(
            markdown_texts(&readme)
                .iter()
                .any(|paragraph| paragraph == text),
            "{text}\n{readme}"
        );
    }
}

/// The text of each paragraph, as a reader sees it. Whatever is not plain text would be missing in it.
fn markdown_texts(markdown: &str) -> Vec<String> {
    use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
    let mut texts = Vec::new();
    let mut text: Option<String> = None;
    for event in Parser::new_ext(markdown, Options::all() - Options::ENABLE_SMART_PUNCTUATION) {
        match event {
            Event::Start(Tag::Paragraph) => text = Some(String::new()),
            Event::Text(part) => {
                if let Some(text) = &mut text {
                    text.push_str(&part);
                }
            }
            Event::End(TagEnd::Paragraph) => texts.extend(text.take()),
            _ => {}
        }
    }
    texts
}

/// Whether a file is copied byte for byte.
fn copied(name: &str) -> bool {
    name.starts_with("testbench/") || Path::new(name).extension().is_some_and(|it| it == "ps1")
}

#[test]
fn nothing_is_left_to_be_rendered() {
    let text = "no braces";
    let otherwise = otherwise();
    let mut others: Vec<(&str, &str)> = otherwise
        .iter()
        .filter_map(|answer| answer.split_once('='))
        .collect();
    // It has braces.
    others.retain(|(option, _)| *option != "provider");
    for answers in [vec![("provider", text), ("description", text)], others] {
        let (_place, project) = emit(&answers);
        for (name, bytes) in tree(&project) {
            // GitHub's own expressions have the same braces; the linters know whether they are right.
            if !copied(&name) && !name.starts_with(".github/workflows/") {
                let text = String::from_utf8(bytes).unwrap_or_else(|_| panic!("{name} is no text"));
                for left in ["{{", "{%"] {
                    let at = text.lines().find(|line| line.contains(left));
                    assert_eq!(at, None, "{name}");
                }
            }
        }
    }
}

/// An undefined variable is rendered as nothing, in silence.
#[test]
fn templates_use_the_values_that_exist_and_all_of_them() {
    let found = |pattern: &str, text: &str| -> BTreeSet<String> {
        let pattern = regex::Regex::new(pattern).unwrap();
        pattern
            .captures_iter(text)
            .map(|found| found[1].to_owned())
            .collect()
    };
    let hook = fs::read_to_string(xtask::repository().join("hooks/pre.rhai")).unwrap();
    let derived = found(r#"variable::set\("([a-z_]+)""#, &hook);
    let mut known = derived.clone();
    known.extend(
        xtask::commands::options::declared()
            .unwrap()
            .into_iter()
            .map(|option| option.name),
    );
    known.extend(["project-name", "crate_name"].map(str::to_owned));

    let mut used = BTreeSet::new();
    let raw = regex::Regex::new(r"(?s)\{%-? raw -?%\}.*?\{%-? endraw -?%\}").unwrap();
    let strings = regex::Regex::new(r#""[^"]*"|'[^']*'|\|\s*[a-z_]+"#).unwrap();
    let tags = regex::Regex::new(r"\{[{%]-?(.*?)-?[%}]\}").unwrap();
    for (name, bytes) in tree(&xtask::repository().join("template")) {
        if copied(&name) {
            continue;
        }
        let text = format!("{name}\n{}", String::from_utf8(bytes).unwrap());
        let text = raw.replace_all(&text, "");
        let mut local = found(r"\{%-?\s*(?:assign|capture|for)\s+([a-z_]+)", &text);
        local.extend(
            "if elsif else endif unless endunless for in endfor assign capture endcapture and or contains true false"
                .split(' ')
                .map(str::to_owned),
        );
        for tag in tags.captures_iter(&text) {
            let plain = strings.replace_all(&tag[1], " ");
            for word in found(r"([a-z][a-z_-]*)", &plain) {
                if !local.contains(&word) {
                    assert!(
                        known.contains(&word),
                        "{name} uses {word}, which nothing sets"
                    );
                    used.insert(word);
                }
            }
        }
    }
    let unused: Vec<&String> = derived.difference(&used).collect();
    assert!(unused.is_empty(), "derived and not used: {unused:?}");
}

#[test]
fn the_bench_is_told_what_was_answered() {
    let (_place, project) = emit(&[
        ("operations", "write,query-ea,read"),
        ("service_stop", "false"),
        ("unload_policy", "never"),
    ]);
    let expectations: toml::Table = toml::from_str(&read(&project, "testbench.toml")).unwrap();
    let expected: toml::Table = toml::from_str(
        "driver = 'my_filter'\nunload-policy = 'never'\nservice-stop = false\nerror-log = 'event-log'\noperations = ['write', 'query-ea', 'read']\npre-operation-only = []\nbypass-io = 'veto'\nskip-paging-io = ['read', 'write']\nvolumes = ['ntfs', 'removable', 'network', 'dev-drive']\ndetach = true\n[load-failures]\nFltRegisterFilter = 1\nFltStartFiltering = 2",
    )
    .unwrap();
    assert_eq!(expectations, expected);
}

#[test]
fn what_comes_next_is_said() {
    let place = folder();
    let project = fs::canonicalize(place.path()).unwrap().join("my-filter");
    let output = xtask_new(&["my-filter", "-d", "unload_policy=never"], place.path());
    let said = said(&output);
    let lines: Vec<&str> = said.lines().collect();
    let altitude = lines[2]
        .strip_prefix("Its altitude, ")
        .and_then(|rest| rest.split_once(','))
        .map_or("", |(altitude, _)| altitude);
    assert!(altitude.starts_with("365999."), "{said}");
    let project = project.display();
    assert_eq!(
        lines,
        [
            format!("Created my-filter in {project}.").as_str(),
            "The driver is my_filter.sys, in FSFilter Activity Monitor.",
            &format!(
                "Its altitude, {altitude}, is a draft for test machines. Before you ship, request an altitude from \
                 Microsoft: README.md says how."
            ),
            "fltmc unload and sc stop fail. Only a restart unloads the driver.",
            "On Windows, cargo wdk build builds it. See README.md in that folder.",
            &format!("To build it here: cargo xtask build {project} --release"),
        ]
    );

    let place = folder();
    let output = xtask_new(&["my-filter", "-d", "altitude=370030.5"], place.path());
    let said = emitting::said(&output);
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines[2], "Its altitude is 370030.5.", "{said}");
    assert_eq!(lines.len(), 5, "{said}");
}

#[test]
fn only_a_restart_removes_a_driver_that_nothing_unloads() {
    for (policy, service_stop, restart_only) in [
        ("always", "true", false),
        ("always", "false", false),
        ("refuse-non-mandatory", "true", false),
        ("refuse-non-mandatory", "false", true),
        ("never", "true", true),
        ("never", "false", true),
    ] {
        let place = folder();
        let define = [
            format!("unload_policy={policy}"),
            format!("service_stop={service_stop}"),
        ];
        let output = xtask_new(
            &["my-filter", "-d", &define[0], "-d", &define[1]],
            place.path(),
        );
        assert!(output.status.success());
        assert_eq!(
            said(&output).contains("Only a restart unloads the driver."),
            restart_only,
            "{define:?}"
        );
    }
}

/// Somebody's Cargo workspace with one member, and whether Cargo still accepts it.
fn workspace(members: &str) -> tempfile::TempDir {
    let root = folder();
    fs::write(
        root.path().join("Cargo.toml"),
        format!("# Mine.\n[workspace]\nresolver = \"3\"\n{members}\n"),
    )
    .unwrap();
    let member = root.path().join("crates/member");
    fs::create_dir_all(member.join("src")).unwrap();
    fs::write(
        member.join("Cargo.toml"),
        "[package]\nname = \"member\"\nversion = \"0.1.0\"\nedition = \"2024\"\n",
    )
    .unwrap();
    fs::write(member.join("src/lib.rs"), "").unwrap();
    root
}

fn accepted(folder: &Path) -> bool {
    Command::new("cargo")
        .args([
            "metadata",
            "--no-deps",
            "--offline",
            "--format-version",
            "1",
        ])
        .current_dir(folder)
        .output()
        .unwrap()
        .status
        .success()
}

#[test]
fn a_workspace_around_the_project_stays_as_it_is() {
    for released in [false, true] {
        let root = workspace("members = [\"crates/member\"]");
        let manifest = fs::read_to_string(root.path().join("Cargo.toml")).unwrap();
        let output = if released {
            cargo_generate("my-filter", &["--no-workspace"], root.path())
        } else {
            xtask_new(&["my-filter"], root.path())
        };
        assert!(output.status.success(), "{}", said(&output));
        assert!(
            said(&output).contains(
                "my-filter is inside another Cargo project and is a workspace of its own."
            ),
            "{}",
            said(&output)
        );
        assert_eq!(
            fs::read_to_string(root.path().join("Cargo.toml")).unwrap(),
            manifest
        );
        assert!(accepted(root.path()));
        assert!(accepted(&root.path().join("my-filter")));
    }
}

#[test]
fn a_workspace_that_takes_every_folder_is_not_broken() {
    let root = workspace("members = [\"crates/*\"]");
    let manifest = fs::canonicalize(root.path()).unwrap().join("Cargo.toml");
    let output = xtask_new(&["my-filter"], &root.path().join("crates"));
    assert_eq!(
        said(&output),
        format!(
            "error: {} has the members crates/*, which would take in the new project, a workspace of its own: add \
             crates/my-filter to its exclude list first, or emit the project elsewhere\n",
            manifest.display()
        )
    );
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(names(&root.path().join("crates")), ["member"]);

    let root = workspace("members = [\"crates/*\"]\nexclude = [\"crates/my-filter\"]");
    for emitted in [
        xtask_new(&["my-filter"], &root.path().join("crates")),
        cargo_generate("other-filter", &["--no-workspace"], root.path()),
    ] {
        assert!(emitted.status.success(), "{}", said(&emitted));
    }
    assert!(accepted(root.path()));
    assert!(accepted(&root.path().join("crates/my-filter")));
    assert!(accepted(&root.path().join("other-filter")));
}

#[test]
fn the_options_are_listed_with_the_files_that_they_add() {
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command.arg("options").args(arguments).output().unwrap()
    };
    let output = run(&["--json"]);
    assert!(output.status.success(), "{}", said(&output));
    let listed: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let listed = listed.as_array().unwrap();
    let names: Vec<&str> = listed
        .iter()
        .map(|it| it["name"].as_str().unwrap())
        .collect();
    let declared = options::declared().unwrap();
    let expected: Vec<&str> = declared.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, expected);
    let value = |option: &str, value: &str| {
        let option = listed.iter().find(|it| it["name"] == option).unwrap();
        let mut values = option["values"].as_array().unwrap().iter();
        values.find(|it| it["value"] == value).unwrap().clone()
    };
    let azure = value("pipeline", "azure");
    assert_eq!(azure["adds"], serde_json::json!(["azure-pipelines.yml"]));
    assert_eq!(
        azure["removes"],
        serde_json::json!([".github/dependabot.yml", ".github/workflows/ci.yml"])
    );
    assert_eq!(
        value("operations", "read")["adds"],
        serde_json::json!([
            "src/bypass_io.rs",
            "src/flt/bypass_io.rs",
            "src/operations/read.rs",
            "testbench/tests/read.rs"
        ])
    );

    assert!(azure["altitudes"].is_null(), "{azure}");
    let quota = value("load_order_group", "quota-management");
    assert_eq!(quota["altitudes"], serde_json::json!([240_000, 249_999]));
    let text = said(&run(&["load_order_group"]));
    for group in &GROUPS {
        let (low, high) = (group.altitudes.start(), group.altitudes.end());
        let range = format!("        altitudes {low} to {high}, each with decimals");
        let label = format!("    {}: ", group.option);
        let mut lines = text.lines().skip_while(|line| !line.starts_with(&label));
        assert_eq!(lines.nth(1), Some(range.as_str()), "{text}");
    }

    let output = run(&["pipeline", "altitude"]);
    let text = said(&output);
    assert!(text.contains("adds azure-pipelines.yml"), "{text}");
    assert!(text.contains("write auto, or 1 to 6 digits"), "{text}");
    assert!(
        text.contains("ranges: cargo xtask options load_order_group"),
        "{text}"
    );
    assert!(!text.contains("control_device"), "{text}");

    let output = run(&["altitud"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        said(&output).starts_with("error: altitud is no option: did you mean altitude? "),
        "{}",
        said(&output)
    );
}

/// The words in backquotes of a line of Markdown.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

#[test]
fn the_table_of_options_in_the_readme_is_that_of_the_declarations() {
    let readme = read(&xtask::repository(), "README.md");
    let table: Vec<(Vec<&str>, Vec<&str>)> = readme
        .lines()
        .skip_while(|line| *line != "| option | values (default first) |")
        .skip(2)
        .take_while(|line| line.starts_with("| "))
        .map(|line| line.split_once(" | ").unwrap())
        .map(|(names, values)| (quoted(names), quoted(values)))
        .collect();
    let declared = options::declared().unwrap();

    let listed: Vec<&str> = table.iter().flat_map(|(names, _)| names).copied().collect();
    let mut expected = vec!["project-name"];
    expected.extend(declared.iter().map(|it| it.name.as_str()));
    assert_eq!(listed, expected);

    for option in &declared {
        let (_, values) = table
            .iter()
            .find(|(names, _)| names.contains(&option.name.as_str()))
            .unwrap();
        let all: Vec<&str> = match &option.kind {
            Kind::Text { .. } if option.default == "auto" => vec!["auto"],
            // A default in words of its own is not in the table.
            Kind::Text { .. } => continue,
            Kind::Flag => vec!["false", "true"],
            Kind::Choice(choices) | Kind::List(choices) => {
                choices.iter().map(|it| it.value.as_str()).collect()
            }
        };
        let defaults: Vec<&str> = option.default.split(',').collect();
        let others = all.iter().filter(|it| !defaults.contains(it));
        let expected: Vec<&str> = defaults.iter().chain(others).copied().collect();
        let listed: Vec<&str> = values
            .iter()
            .filter(|it| all.contains(it))
            .copied()
            .collect();
        assert_eq!(listed, expected, "{}", option.name);
    }
}
