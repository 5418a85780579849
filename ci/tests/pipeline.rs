//! What is emitted beside the driver: the pipelines, judged by their linters and run as far as they run here; the
//! scripts, parsed; and the version of Cargo.toml, followed into the package.

mod emitting;

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::LazyLock,
};

use emitting::{emit, folder, read, rendered, said};
use regex::Regex;
use serde_json::Value;
use tree_sitter::{Node, Parser};
use xtask::{
    checks::{
        matrix::combinations::{self, Axis},
        tools,
    },
    commands::{build, options, package},
    openwdk::target::{Arch, Profile},
};

const WORKFLOW: &str = ".github/workflows/ci.yml";
const DEPENDABOT: &str = ".github/dependabot.yml";
const AZURE: &str = "azure-pipelines.yml";

fn yaml(file: &Path) -> Value {
    let text =
        fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn must_pass(output: &Output) {
    assert!(output.status.success(), "{}", said(output));
}

// ---------------------------------------------------------------------------------------------------------------------
// Which files there are, and what their linters say

#[test]
fn each_pipeline_has_its_files() {
    for (pipeline, there) in [
        (
            "github",
            &[WORKFLOW, DEPENDABOT, "scripts/Install-BuildTools.ps1"][..],
        ),
        ("azure", &[AZURE, "scripts/Install-BuildTools.ps1"]),
        ("none", &[]),
    ] {
        let (_place, project) = emit(&[("pipeline", pipeline)]);
        for name in [
            WORKFLOW,
            DEPENDABOT,
            AZURE,
            "scripts/Install-BuildTools.ps1",
        ] {
            let wanted = there.contains(&name);
            assert_eq!(project.join(name).is_file(), wanted, "{pipeline}: {name}");
        }
        assert_eq!(project.join(".github").exists(), pipeline == "github");
    }
}

/// Lints the workflows of a folder that has a `.github`.
fn lint_workflows(root: &Path) -> [Output; 3] {
    let linters = tools::ensure_linters().unwrap();
    let workflows: Vec<PathBuf> = fs::read_dir(root.join(".github/workflows"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    [
        linters
            .actionlint()
            .arg(".github/workflows/*.yml")
            .current_dir(root)
            .output()
            .unwrap(),
        linters
            .zizmor()
            .args(["--persona", "pedantic"])
            .arg(root.join(".github"))
            .output()
            .unwrap(),
        linters
            .check_jsonschema()
            .args(["--builtin-schema", "vendor.github-workflows"])
            .args(workflows)
            .output()
            .unwrap(),
    ]
}

fn lint_dependabot(file: &Path) -> Output {
    tools::ensure_linters()
        .unwrap()
        .check_jsonschema()
        .args(["--builtin-schema", "vendor.dependabot"])
        .arg(file)
        .output()
        .unwrap()
}

fn lint_azure(file: &Path) -> Output {
    tools::ensure_linters()
        .unwrap()
        .check_jsonschema()
        // Its patterns are not written for the Unicode mode.
        .args(["--regex-variant", "nonunicode"])
        .args(["--builtin-schema", "vendor.azure-pipelines"])
        .arg(file)
        .output()
        .unwrap()
}

/// Whatever the other answers are: each pipeline that any combination of the matrix gives is judged once.
#[test]
fn the_linters_have_nothing_to_say() {
    let axes: Vec<_> = options::declared().unwrap().iter().map(Axis::of).collect();
    let mut pipelines = BTreeSet::new();
    for combination in combinations::chosen(&axes) {
        let mut files = rendered(&combination.given());
        files.retain(|name, _| [WORKFLOW, DEPENDABOT, AZURE].contains(&name.as_str()));
        pipelines.insert(files);
    }
    // None, and each with and without the bench.
    assert_eq!(pipelines.len(), 5);

    let repository = xtask::repository();
    lint_workflows(&repository).iter().for_each(must_pass);
    must_pass(&lint_dependabot(&repository.join(DEPENDABOT)));
    for files in pipelines {
        let place = folder();
        for (name, bytes) in &files {
            let path = place.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        if files.contains_key(WORKFLOW) {
            lint_workflows(place.path()).iter().for_each(must_pass);
            must_pass(&lint_dependabot(&place.path().join(DEPENDABOT)));
        }
        if files.contains_key(AZURE) {
            must_pass(&lint_azure(&place.path().join(AZURE)));
        }
    }
}

/// The linters find what they are there for.
#[test]
fn the_linters_find_mistakes() {
    let (_place, project) = emit(&[]);
    let change = |name: &str, from: &str, to: &str| {
        let text = read(&project, name);
        assert!(text.contains(from), "{name} has no {from}");
        fs::write(project.join(name), text.replacen(from, to, 1)).unwrap();
    };
    change(WORKFLOW, "${{ matrix.target }}", "${{ matrix.taget }}");
    change(
        WORKFLOW,
        "          persist-credentials: false",
        "          fetch-depth: 1",
    );
    change(WORKFLOW, "timeout-minutes: 30", "timeout-minute: 30");
    let [actionlint, zizmor, schema] = lint_workflows(&project);
    assert!(!actionlint.status.success());
    assert!(
        said(&actionlint).contains("\"taget\""),
        "{}",
        said(&actionlint)
    );
    assert!(!zizmor.status.success());
    assert!(said(&zizmor).contains("artipacked"), "{}", said(&zizmor));
    assert!(!schema.status.success());
    change(DEPENDABOT, "interval: weekly", "interval: hourly");
    assert!(!lint_dependabot(&project.join(DEPENDABOT)).status.success());

    let (_place, project) = emit(&[("pipeline", "azure")]);
    let file = project.join(AZURE);
    let text = read(&project, AZURE).replacen("displayName: Lint\n", "displyName: Lint\n", 1);
    fs::write(&file, text).unwrap();
    let schema = lint_azure(&file);
    assert!(!schema.status.success());
    assert!(said(&schema).contains("'displyName'"), "{}", said(&schema));
}

/// A tag can be moved to another commit; a hash cannot.
#[test]
fn actions_are_pinned_by_hash_and_everywhere_by_the_same() {
    let pinned = Regex::new(r"^([\w/-]+)@([0-9a-f]{40}) # (v\d+\.\d+\.\d+)$").unwrap();
    let mut pins = BTreeMap::new();
    for root in [xtask::repository(), xtask::repository().join("template")] {
        for entry in fs::read_dir(root.join(".github/workflows")).unwrap() {
            let path = entry.unwrap().path();
            for line in fs::read_to_string(&path).unwrap().lines() {
                let Some((_, action)) = line.split_once("uses: ") else {
                    continue;
                };
                let [name, hash, version] = pinned
                    .captures(action)
                    .unwrap_or_else(|| panic!("{}: {action}", path.display()))
                    .extract()
                    .1;
                let pin = (hash.to_owned(), version.to_owned());
                let first = pins.entry(name.to_owned()).or_insert(pin.clone());
                assert_eq!(*first, pin, "{name}");
            }
        }
    }
    assert_eq!(pins.len(), 3, "{pins:?}");
}

/// Of the environment it would replace the flags of `.cargo/config.toml`.
#[test]
fn nothing_sets_rustflags() {
    let (_place, github) = emit(&[]);
    let (_place, azure) = emit(&[("pipeline", "azure")]);
    for file in [
        github.join(WORKFLOW),
        azure.join(AZURE),
        xtask::repository().join(".github/workflows/windows.yml"),
    ] {
        for line in fs::read_to_string(&file).unwrap().lines() {
            let code = line.split('#').next().unwrap();
            assert!(!code.contains("RUSTFLAGS"), "{}: {line}", file.display());
        }
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// The commands

/// A command of a pipeline.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Step {
    command: String,
    folder: String,
}

/// The commands of a job, in their order. Both kinds of pipeline have a list of steps there; a step is a map with a
/// command in one of some keys.
fn steps(job: &Value) -> Vec<Step> {
    let text = |step: &Value, keys: &[&str]| {
        keys.iter()
            .find_map(|key| step.get(key))
            .map(|value| value.as_str().unwrap().trim().to_owned())
    };
    job["steps"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|step| {
            Some(Step {
                command: text(step, &["run", "script", "pwsh"])?,
                folder: text(step, &["working-directory", "workingDirectory"]).unwrap_or_default(),
            })
        })
        .collect()
}

/// The commands of both pipelines: those on Linux, and those on Windows.
fn commands(testbench: &str) -> [[Vec<Step>; 2]; 2] {
    let (_place, github) = emit(&[("testbench", testbench)]);
    let workflow = yaml(&github.join(WORKFLOW));
    let (_place, azure) = emit(&[("pipeline", "azure"), ("testbench", testbench)]);
    let azure = yaml(&azure.join(AZURE));
    [
        [
            steps(&workflow["jobs"]["host"]),
            steps(&workflow["jobs"]["driver"]),
        ],
        [steps(&azure["jobs"][0]), steps(&azure["jobs"][1])],
    ]
}

#[test]
fn both_pipelines_run_the_same_commands() {
    let of_bench = |step: &&Step| step.folder == "testbench";
    for (testbench, steps) in [("true", 4), ("false", 0)] {
        let [github, azure] = commands(testbench);
        assert_eq!(github, azure);
        assert_eq!(github.iter().flatten().filter(of_bench).count(), steps);
    }
}

/// What runs on Linux, exactly as it is written. The tool that it installs is there already, and cargo says so. Not run:
/// what changes this machine's toolchain, and what asks a server that only the pipeline reaches.
#[test]
fn what_runs_here_passes_as_written() {
    let (_place, project) = emit(&[]);
    let tools = tools::ensure_cargo_deny().unwrap();
    let mut path = vec![tools.parent().unwrap().to_owned()];
    path.extend(env::split_paths(&env::var_os("PATH").unwrap()));
    let [[host, driver], _] = commands("true");
    let mut left_out = BTreeSet::new();
    let workflow = yaml(&project.join(WORKFLOW));
    let variables = [&workflow["env"], &workflow["jobs"]["host"]["env"]]
        .into_iter()
        .flat_map(|variables| variables.as_object().unwrap())
        .map(|(name, value)| (name, value.as_str().unwrap()));
    let run = |step: &Step| {
        let output = Command::new("bash")
            .args(["-e", "-c", &step.command])
            .current_dir(project.join(&step.folder))
            .envs(variables.clone())
            .env("PATH", env::join_paths(&path).unwrap())
            .env("CARGO_INSTALL_ROOT", tools::root())
            // The crates of the bench are compiled once for all tests.
            .env(
                "CARGO_TARGET_DIR",
                xtask::repository().join("ci/target/testbench"),
            )
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}:\n{}",
            step.command,
            said(&output)
        );
    };
    for step in &host {
        if step.command.starts_with("rustup ") || step.command.ends_with(" advisories") {
            left_out.insert(step.command.as_str());
        } else {
            run(step);
        }
    }
    assert_eq!(
        left_out.into_iter().collect::<Vec<_>>(),
        [
            "cargo deny --locked check advisories",
            "rustup toolchain install --no-self-update",
        ]
    );

    // Of the Windows job: cargo's own commands on the driver, with the open WDK around them; then the bench on it.
    let mut ran = Vec::new();
    for step in &driver {
        if let Some(arguments) = step.command.strip_prefix("cargo clippy ") {
            for target in [Arch::Amd64.target(), Arch::Arm64.target()] {
                let output = build::cargo(&project)
                    .unwrap()
                    .args(["clippy"])
                    .args(arguments.replace("$env:DRIVER_TARGET", target).split(' '))
                    .output()
                    .unwrap();
                assert!(
                    output.status.success(),
                    "{target}: {}:\n{}",
                    step.command,
                    said(&output)
                );
            }
            ran.push("clippy");
        } else if step.folder == "testbench" {
            for profile in [Profile::Dev, Profile::Release] {
                build::build_quietly(&project, profile, Arch::Amd64).unwrap();
                run(step);
            }
            ran.push("bench");
        }
    }
    assert_eq!(ran, ["clippy", "bench"]);
}

/// What the workflow on Windows calls everything is everything that there is, also when an option was just added.
#[test]
fn everything_on_windows_is_everything() {
    let windows = yaml(&xtask::repository().join(".github/workflows/windows.yml"));
    let rows = &windows["jobs"]["project"]["strategy"]["matrix"]["include"];
    let everything = rows
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["name"] == "everything")
        .unwrap();
    let answered: BTreeSet<_> = everything["answers"]
        .as_str()
        .unwrap()
        .split(' ')
        .filter(|word| *word != "-d")
        .map(str::to_owned)
        .collect();
    let axes = options::declared().unwrap();
    let wanted: BTreeSet<_> = axes
        .iter()
        .map(Axis::of)
        .filter(|axis| axis.on != axis.values[0])
        .map(|axis| format!("{}={}", axis.name, axis.on))
        .collect();
    assert_eq!(answered, wanted);
}

/// The emitted pipelines and the tests here use one cargo-deny, and the README and the pipelines one cargo-wdk.
#[test]
fn one_version_of_each_tool_is_named() {
    let program = tools::ensure_cargo_deny().unwrap();
    let output = Command::new(program).arg("--version").output().unwrap();
    let deny = said(&output).trim().replace("cargo-deny ", "");
    let template = xtask::repository().join("template");
    for name in [WORKFLOW, AZURE] {
        let text = read(&template, name);
        assert!(
            text.contains(&format!("CARGO_DENY_VERSION: {deny}\n")),
            "{name}"
        );
        assert!(text.contains("CARGO_WDK_VERSION: 0.2.0\n"), "{name}");
    }
    let readme = read(&template, "README.md");
    assert!(readme.contains("cargo install cargo-wdk --version 0.2.0 --locked"));
    let script = read(&template, "scripts/Install-BuildTools.ps1");
    assert!(script.contains("$llvmVersion = '17.0.6'"));
    assert!(readme.contains("LLVM.LLVM --version 17.0.6"));
}

// ---------------------------------------------------------------------------------------------------------------------
// The licenses

#[test]
fn a_license_that_is_not_listed_is_found() {
    let (_place, project) = emit(&[("license", "proprietary")]);
    let check = || {
        Command::new(tools::ensure_cargo_deny().unwrap())
            .args(["--locked", "check", "licenses", "bans", "sources"])
            .current_dir(&project)
            .output()
            .unwrap()
    };
    must_pass(&check());
    let file = project.join("deny.toml");
    let text = fs::read_to_string(&file).unwrap().replace("\"ISC\", ", "");
    fs::write(&file, text).unwrap();
    let output = check();
    assert!(!output.status.success());
    assert!(
        said(&output).contains("license is not explicitly allowed"),
        "{}",
        said(&output)
    );
}

// ---------------------------------------------------------------------------------------------------------------------
// PowerShell

fn parse(text: &str) -> tree_sitter::Tree {
    let mut parser = Parser::new();
    parser
        .set_language(&tree_sitter_powershell::LANGUAGE.into())
        .unwrap();
    parser.parse(text, None).unwrap()
}

/// All nodes below one, itself included.
fn nodes<'a>(node: Node<'a>, found: &mut Vec<Node<'a>>) {
    found.push(node);
    for index in 0..node.child_count() {
        nodes(node.child(index).unwrap(), found);
    }
}

/// The lines that the grammar does not understand.
fn mistakes(text: &str) -> Vec<String> {
    let tree = parse(text);
    let mut found = Vec::new();
    nodes(tree.root_node(), &mut found);
    found
        .into_iter()
        .filter(|node| node.is_error() || node.is_missing())
        .map(|node| {
            let line = node.start_position().row;
            format!("{}: {}", line + 1, text.lines().nth(line).unwrap_or(""))
        })
        .collect()
}

/// The project's PowerShell, by name: of every policy and pipeline, for two files differ.
fn scripts() -> BTreeMap<String, String> {
    let mut scripts = BTreeMap::new();
    for (policy, pipeline) in [
        ("always", "github"),
        ("refuse-non-mandatory", "azure"),
        ("never", "github"),
    ] {
        for attach in ["automatic", "manual"] {
            let (_place, project) = emit(&[
                ("unload_policy", policy),
                ("attach", attach),
                ("pipeline", pipeline),
            ]);
            for entry in fs::read_dir(project.join("scripts")).unwrap() {
                let name = entry.unwrap().file_name().into_string().unwrap();
                let text = read(&project, &format!("scripts/{name}"));
                let key = match name.as_str() {
                    "Test-Driver.psd1" => format!("{policy} {attach} {name}"),
                    "Install-BuildTools.ps1" => format!("{pipeline} {name}"),
                    _ => name,
                };
                scripts.insert(key, text);
            }
        }
    }
    scripts
}

#[test]
fn the_powershell_is_understood() {
    let scripts = scripts();
    assert_eq!(scripts.len(), 10);
    for (name, text) in scripts {
        assert!(text.is_ascii(), "{name}");
        assert_eq!(mistakes(&text), Vec::<String>::new(), "{name}");
    }
    assert!(!mistakes("if ($true) { 'no end'\n").is_empty());
}

/// What Windows and PowerShell bring.
const BUILT_IN: &str = "Add-Content ConvertFrom-Json ConvertTo-Json Copy-Item Format-List Get-Acl \
    Get-AuthenticodeSignature Get-ChildItem Get-CimInstance Get-Command Get-Content Get-Date Get-ItemProperty Get-WinEvent \
    Import-Certificate Import-PowerShellDataFile Join-Path New-Item Out-File Pop-Location Push-Location Receive-Job \
    Remove-Item Remove-Job Rename-Item Resolve-Path Set-Content Set-Item Set-StrictMode Split-Path Start-Job \
    Start-Sleep Stop-Job Test-Path Wait-Job Where-Object Write-Host Write-Output cargo nuget winget";

/// Variables that PowerShell sets by itself.
const AUTOMATIC: &str =
    "_ DryRun ErrorActionPreference LASTEXITCODE PSCommandPath PSScriptRoot Resume false null true";

/// No PowerShell runs here. What most often goes wrong in one can be read, though: a call of a function that does not
/// exist, a variable that nobody sets, a function that nobody calls.
fn dangling(text: &str) -> Vec<String> {
    let known: BTreeSet<&str> = BUILT_IN.split_whitespace().collect();
    let word = Regex::new(r"(?i)\$(?:script:)?([a-z_]\w*)").unwrap();
    let tree = parse(text);
    let mut all = Vec::new();
    nodes(tree.root_node(), &mut all);
    let of = |node: Node| text[node.byte_range()].to_owned();
    let kind = |kind: &'static str| all.iter().filter(move |node| node.kind() == kind);
    let mut found = Vec::new();

    let functions: BTreeSet<String> = kind("function_name").map(|node| of(*node)).collect();
    // The grammar takes a range, 1..20, for a command.
    let called: BTreeSet<String> = kind("command_name")
        .map(|node| of(*node))
        .filter(|name| !name.starts_with(|first: char| first.is_ascii_digit()))
        .collect();
    for name in &called {
        if !known.contains(name.as_str()) && !functions.contains(name) {
            found.push(format!("{name} does not exist"));
        }
    }
    for name in functions.difference(&called) {
        found.push(format!("{name} is never called"));
    }

    // Variables: set somewhere in the text, by an assignment, as a parameter or by a loop.
    let mut set: BTreeSet<String> = AUTOMATIC.split(' ').map(str::to_lowercase).collect();
    for assignment in kind("left_assignment_expression") {
        let text = of(*assignment);
        set.extend(
            word.captures_iter(&text)
                .map(|found| found[1].to_lowercase()),
        );
    }
    for parameter in kind("script_parameter") {
        for index in 0..parameter.child_count() {
            let child = parameter.child(index).unwrap();
            if child.kind() == "variable" {
                set.insert(of(child).trim_start_matches('$').to_lowercase());
            }
        }
    }
    let loops = Regex::new(r"(?i)foreach \(\$(\w+) in ").unwrap();
    set.extend(
        loops
            .captures_iter(text)
            .map(|found| found[1].to_lowercase()),
    );
    for variable in kind("variable") {
        let plain = of(*variable)
            .trim_start_matches(['$', '{', '@'])
            .trim_end_matches('}')
            .to_lowercase();
        let plain = plain.strip_prefix("script:").unwrap_or(&plain);
        if !plain.starts_with("env:") && !set.contains(plain) {
            found.push(format!("${plain} is never set"));
        }
    }
    found
}

#[test]
fn the_powershell_calls_what_exists() {
    for (name, text) in scripts() {
        if Path::new(&name).extension().is_some_and(|it| it == "ps1") {
            assert_eq!(dangling(&text), Vec::<String>::new(), "{name}");
        }
    }
    assert_eq!(
        dangling("function Get-This { $here = $there }\nGet-That\n"),
        [
            "Get-That does not exist",
            "Get-This is never called",
            "$there is never set"
        ]
    );
}

/// The scripts have the parameters that the pipelines give them.
#[test]
fn the_scripts_take_what_the_pipelines_give() {
    let call = Regex::new(r"^\./(scripts/[\w-]+\.ps1)(.*)$").unwrap();
    let parameter = Regex::new(r" -(\w+)").unwrap();
    let [[_, driver], _] = commands("true");
    let windows = yaml(&xtask::repository().join(".github/workflows/windows.yml"));
    let mut calls = 0;
    for step in driver
        .iter()
        .chain(&steps(&windows["jobs"]["project"]))
        .flat_map(|step| step.command.lines())
    {
        let Some(found) = call.captures(step) else {
            continue;
        };
        calls += 1;
        let script = read(&xtask::repository().join("template"), &found[1]);
        for given in parameter.captures_iter(&found[2]) {
            let declared = Regex::new(&format!(r"\] \${}\b", &given[1])).unwrap();
            assert!(declared.is_match(&script), "{step}");
        }
    }
    assert_eq!(calls, 7);
}

/// What Test-Driver.ps1 expects is what the policy's table says.
#[test]
fn the_test_on_a_machine_expects_what_was_answered() {
    for (policy, service_stop, filter_unload, stop) in [
        ("always", "true", "$true; Codes = @()", "$true; Codes = @()"),
        (
            "always",
            "false",
            "$true; Codes = @()",
            "$false; Codes = @('1052')",
        ),
        (
            "refuse-non-mandatory",
            "true",
            "$false; Codes = @('0x801F0010')",
            "$true; Codes = @()",
        ),
        (
            "refuse-non-mandatory",
            "false",
            "$false; Codes = @('0x801F0010')",
            "$false; Codes = @('1052')",
        ),
        (
            "never",
            "true",
            "$false; Codes = @()",
            "$false; Codes = @('1052')",
        ),
    ] {
        let (_place, project) = emit(&[("unload_policy", policy), ("service_stop", service_stop)]);
        let text = read(&project, "scripts/Test-Driver.psd1");
        let line = |name: &str| {
            text.lines()
                .find(|line| line.trim().starts_with(name))
                .unwrap()
                .trim()
                .to_owned()
        };
        assert_eq!(line("Driver ="), "Driver = 'my_filter'");
        assert_eq!(
            line("FilterUnload"),
            format!("FilterUnload = @{{ Unloads = {filter_unload} }}"),
            "{policy}"
        );
        assert_eq!(
            line("ServiceStop"),
            format!("ServiceStop = @{{ Unloads = {stop} }}"),
            "{policy}"
        );
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// The version, and the package

/// A package of a project whose version is none of the template's.
static PACKAGE: LazyLock<PathBuf> = LazyLock::new(|| {
    let place = emitting::shared_folder("package");
    let project = xtask::commands::new::emit("my-filter", &[], &place).unwrap();
    for name in ["Cargo.toml", "Cargo.lock"] {
        let text = read(&project, name);
        let own = "name = \"my-filter\"\nversion = \"0.1.0\"";
        assert!(text.contains(own), "{name}");
        let text = text.replacen(own, "name = \"my-filter\"\nversion = \"3.21.4-rc.5\"", 1);
        fs::write(project.join(name), text).unwrap();
    }
    let sys = build::build(&project, Profile::Release).unwrap();
    package::make(&project, &sys, Profile::Release, Arch::Amd64).unwrap()
});

#[test]
fn the_version_of_cargo_toml_is_that_of_everything() {
    let package = &*PACKAGE;
    assert_eq!(
        package.file_name().unwrap(),
        "my-filter-3.21.4-rc.5-amd64-release"
    );
    let inf = read(package, "driver/my_filter.inf");
    let stamped = Regex::new(r"(?m)^DriverVer\s*= \d\d/\d\d/20\d\d,3\.21\.4\.0\r$").unwrap();
    assert!(stamped.is_match(&inf), "{inf}");
    assert!(!inf.contains("$ARCH$"));

    // VS_FIXEDFILEINFO: signature, version of the structure, then the file's version and the product's, each of them
    // with its upper half first.
    let sys = fs::read(package.join("driver/my_filter.sys")).unwrap();
    let info = sys
        .windows(8)
        .position(|bytes| bytes == b"\xBD\x04\xEF\xFE\x00\x00\x01\x00")
        .unwrap();
    let number = |at: usize| u32::from_le_bytes(sys[info + at..info + at + 4].try_into().unwrap());
    for product in [8, 16] {
        assert_eq!(number(product), 0x0003_0015);
        assert_eq!(number(product + 4), 4 << 16);
    }
    let text: Vec<u8> = "3.21.4-rc.5"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    assert!(sys.windows(text.len()).any(|bytes| bytes == text));
}

#[test]
fn the_package_is_signed_and_whole() {
    let package = &*PACKAGE;
    assert_eq!(
        emitting::names(package),
        ["Test-Driver.ps1", "Test-Driver.psd1", "driver"]
    );
    assert_eq!(
        emitting::names(&package.join("driver")),
        [
            "TestCertificate.cer",
            "my_filter.inf",
            "my_filter.pdb",
            "my_filter.sys"
        ]
    );
    // Verified by a program that did not make it; and that program can say no.
    let place = folder();
    let certificate = place.path().join("certificate.pem");
    must_pass(
        &Command::new("openssl")
            .args(["x509", "-inform", "DER", "-in"])
            .arg(package.join("driver/TestCertificate.cer"))
            .arg("-out")
            .arg(&certificate)
            .output()
            .unwrap(),
    );
    let verify = |sys: &Path| {
        Command::new("sbverify")
            .arg("--cert")
            .arg(&certificate)
            .arg(sys)
            .output()
            .unwrap()
    };
    let sys = package.join("driver/my_filter.sys");
    must_pass(&verify(&sys));
    let mut bytes = fs::read(&sys).unwrap();
    bytes[0x600] ^= 1;
    let changed = place.path().join("changed.sys");
    fs::write(&changed, bytes).unwrap();
    assert!(!verify(&changed).status.success());
}

// ---------------------------------------------------------------------------------------------------------------------
// The template's own version

#[test]
fn the_template_has_one_version() {
    let repository = xtask::repository();
    let hook = read(&repository, "hooks/version.rhai");
    let version = Regex::new(r#""(\d+\.\d+\.\d+)""#).unwrap();
    let version = &version.captures(&hook).unwrap()[1];
    let changes = read(&repository, "CHANGELOG.md");
    let newest = changes
        .lines()
        .find_map(|line| line.strip_prefix("## "))
        .unwrap();
    assert_eq!(newest, version);
    let (_place, project) = emit(&[]);
    let manifest: toml::Table = toml::from_str(&read(&project, "Cargo.toml")).unwrap();
    assert_eq!(
        manifest["package"]["metadata"]["template"]["version"].as_str(),
        Some(version)
    );
}
