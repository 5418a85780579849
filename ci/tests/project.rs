//! Emitted projects: format, lints, and the drivers that they build.

mod emitting;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

use emitting::{windows::Windows, wine::Wine};
use object::read::pe::{Import, PeFile64};
use serde::Deserialize;
use testbench::Expectations;
use xtask::{
    checks::driver,
    commands::{
        new,
        options::{self, Kind},
    },
    openwdk::{
        c::compile_c,
        lock_file,
        target::{Arch, Profile},
        toolchain::GNU_TARGET,
    },
};

/// Every unload policy with and without `sc stop`, combined with the other answers that choose code.
const PROJECTS: &[&[(&str, &str)]] = &[
    &[],
    &[
        ("service_stop", "false"),
        ("error_log", "debugger"),
        ("operations", "shutdown"),
        ("control_device", "true"),
        ("parameters", "true"),
    ],
    &[
        ("unload_policy", "refuse-non-mandatory"),
        ("license", "proprietary"),
        ("control_device", "true"),
    ],
    &[
        ("unload_policy", "refuse-non-mandatory"),
        ("service_stop", "false"),
        ("attach", "manual"),
        ("operations", "cleanup,network-query-open"),
        ("parameters", "true"),
        ("testbench", "false"),
    ],
    &[
        ("unload_policy", "never"),
        ("operations", ALL_OPERATIONS),
        ("control_device", "true"),
        ("reinitialize", "true"),
        ("parameters", "true"),
    ],
    &[
        ("unload_policy", "never"),
        ("service_stop", "false"),
        ("reinitialize", "true"),
    ],
    &[
        ("control_device", "true"),
        ("reinitialize", "true"),
        ("parameters", "true"),
    ],
];

/// Stands for all operations.
const ALL_OPERATIONS: &str = "*";

/// The projects, emitted and built once for all tests here.
static BUILT: LazyLock<Built> = LazyLock::new(|| {
    let folder = emitting::shared_folder("project");
    let projects = PROJECTS.iter().enumerate().map(|(number, answers)| {
        let parent = folder.join(number.to_string());
        fs::create_dir(&parent).unwrap();
        let project = emit(answers, &parent);
        // No code depends on the profile: release is built for all projects, debug once for each policy or more.
        let profiles: &[Profile] = if number % 2 == 0 {
            &[Profile::Release, Profile::Dev]
        } else {
            &[Profile::Release]
        };
        let drivers = profiles.iter().map(|&profile| {
            (
                profile,
                driver::build(&project, profile, Arch::Amd64).unwrap(),
            )
        });
        let drivers = drivers.collect();
        (project, drivers)
    });
    Built {
        projects: projects.collect(),
    }
});

/// Emitted projects, each with its drivers.
struct Built {
    projects: Vec<(PathBuf, Vec<(Profile, PathBuf)>)>,
}

impl Built {
    fn drivers(&self) -> impl Iterator<Item = &(Profile, PathBuf)> {
        self.projects.iter().flat_map(|(_, drivers)| drivers)
    }
}

fn emit(answers: &[(&str, &str)], folder: &Path) -> PathBuf {
    let declared = options::declared().unwrap();
    let operations = declared
        .iter()
        .find(|option| option.name == "operations")
        .unwrap();
    let Kind::List(choices) = &operations.kind else {
        panic!("operations is a list")
    };
    let all: Vec<_> = choices.iter().map(|choice| choice.value.as_str()).collect();
    let all = all.join(",");
    let answers: Vec<_> = answers
        .iter()
        .map(|&(name, value)| (name, if value == ALL_OPERATIONS { &all } else { value }))
        .collect();
    new::emit("my-filter", &answers, folder).unwrap()
}

#[test]
fn is_formatted_and_passes_clippy_with_warnings_denied() {
    for (project, _) in &BUILT.projects {
        driver::lint(project).unwrap_or_else(|error| panic!("{}: {error:#}", project.display()));
    }
}

/// The content of `ci/imports.toml`: the imports, by the source that documents them.
#[derive(Deserialize)]
struct Imports {
    /// Functions declared in windows-sys, which is generated from Microsoft's metadata.
    windows_sys: BTreeSet<String>,
    /// Functions with a documentation page, each with the title of the page.
    page: toml::Table,
}

/// The functions that the drivers may import.
fn documented_imports() -> BTreeSet<String> {
    let text = fs::read_to_string(xtask::repository().join("ci/imports.toml")).unwrap();
    let imports: Imports = toml::from_str(&text).unwrap();
    imports
        .windows_sys
        .into_iter()
        .chain(imports.page.keys().cloned())
        .collect()
}

/// The functions that `sys` imports.
fn imports(sys: &Path) -> BTreeSet<String> {
    let bytes = fs::read(sys).unwrap();
    let file = PeFile64::parse(&*bytes).unwrap();
    let table = file
        .import_table()
        .unwrap()
        .expect("a driver imports something");
    let mut names = BTreeSet::new();
    let mut descriptors = table.descriptors().unwrap();
    while let Some(descriptor) = descriptors.next().unwrap() {
        let mut thunks = table
            .thunks(descriptor.original_first_thunk.get(object::LittleEndian))
            .unwrap();
        while let Some(thunk) = thunks.next::<object::pe::ImageNtHeaders64>().unwrap() {
            match table.import::<object::pe::ImageNtHeaders64>(thunk).unwrap() {
                Import::Name(_, name) => names.insert(String::from_utf8(name.to_vec()).unwrap()),
                Import::Ordinal(number) => panic!("{} imports number {number}", sys.display()),
            };
        }
    }
    names
}

#[test]
fn imports_documented_functions_only() {
    let documented = documented_imports();
    for (_, sys) in BUILT.drivers() {
        let imports = imports(sys);
        let unknown: Vec<_> = imports.difference(&documented).collect();
        assert!(
            unknown.is_empty(),
            "{} imports {unknown:?}, which ci/imports.toml does not confirm",
            sys.display()
        );
    }
}

#[test]
fn has_no_panic_path() {
    for (profile, sys) in BUILT.drivers() {
        // Only the panic handler calls it. If nothing can panic, the linker removes both.
        let can_panic = imports(sys).contains("KeBugCheckEx");
        assert!(
            *profile == Profile::Dev || !can_panic,
            "{} can panic",
            sys.display()
        );
    }
}

#[test]
fn has_no_findings_in_both_profiles() {
    for (project, drivers) in &BUILT.projects {
        // A project without a test bench is judged by the default expectations.
        let expectations = project.join("testbench.toml");
        let expectations = if expectations.is_file() {
            Expectations::read(&expectations).unwrap()
        } else {
            Expectations::default()
        };
        for (profile, sys) in drivers {
            let report = driver::judge(sys, Some(expectations.clone())).unwrap();
            driver::must_be_clean(&report).unwrap();
            // Two calls during loading fail with several statuses, most of them again while logging fails.
            let faults = report["faults-injected"].as_u64().unwrap();
            assert!(faults >= 6, "{faults} faults");
            println!("{profile:?}: {faults} faults injected, no findings");
        }
    }
}

/// Runs `cargo test` in the project's test bench.
#[test]
fn its_own_tests_pass_and_can_fail() {
    let (project, _) = &BUILT.projects[0];
    // The newest driver is for ARM64, which the bench cannot run.
    let arm64 = driver::build(project, Profile::Release, Arch::Arm64).unwrap();
    let package = project.join("target/package/arm64/driver");
    fs::create_dir_all(&package).unwrap();
    fs::copy(arm64, package.join("my_filter.sys")).unwrap();

    let test = |driver: Option<&Path>| {
        let mut cargo = Command::new("cargo");
        cargo
            .args(["test", "--locked"])
            .current_dir(project.join("testbench"))
            .env(
                "CARGO_TARGET_DIR",
                xtask::repository().join("ci/target/emitted-testbench"),
            );
        if let Some(driver) = driver {
            cargo.env("DRIVER_SYS", driver);
        }
        cargo.output().unwrap()
    };
    let output = test(None);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    // The driver of another project, which refuses an unload that this driver is expected to accept.
    let (_, others) = &BUILT.projects[2];
    let output = test(Some(&others[0].1));
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        !output.status.success() && said.contains("unload-policy"),
        "{said}"
    );
}

/// `cargo test` in the project's test bench, for a driver that calls what the bench does not model.
#[test]
fn its_own_tests_say_how_to_go_on_after_a_call_that_is_not_modelled() {
    let (project, _) = &BUILT.projects[0];
    let folder = emitting::folder();
    let source = folder.path().join("unmodelled.c");
    let text = "#define CALLS_UNMODELLED_IN_A_CALLBACK\n#include \"machine.c\"\n";
    fs::write(&source, text).unwrap();
    let drivers = xtask::repository().join("ci/tests/drivers");
    let sys = folder.path().join("unmodelled.sys");
    compile_c(&[source], &[drivers], &sys).unwrap();
    let output = Command::new("cargo")
        .args(["test", "--locked", "everything_was_judged"])
        .current_dir(project.join("testbench"))
        .env(
            "CARGO_TARGET_DIR",
            xtask::repository().join("ci/target/emitted-testbench"),
        )
        .env("DRIVER_SYS", sys)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(!output.status.success(), "{said}");
    for line in [
        "not judged: ntoskrnl.exe!KeGetRecommendedSharedDataAlignment, called in the pre-operation callback of IRP_MJ_CREATE",
        "[assume]\nKeGetRecommendedSharedDataAlignment = \"STATUS_SUCCESS\"\n",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
}

/// The same under Wine: `cargo test` with the bench's own unit tests, and the example `verify`, all cross-compiled.
#[test]
fn has_the_same_verdict_under_wine() {
    let windows = Windows::new();
    let (project, drivers) = &BUILT.projects[0];
    let test = |driver: &Path| {
        let mut cargo = windows.cargo();
        let target = xtask::repository().join("ci/target/emitted-testbench");
        cargo
            .args(["test", "--locked", "--workspace", "--target", GNU_TARGET])
            .current_dir(project.join("testbench"))
            .env("CARGO_TARGET_DIR", target)
            .env("DRIVER_SYS", Wine::path(driver));
        Wine::said(&mut cargo)
    };
    let (status, said) = test(&drivers[0].1);
    assert!(status.success(), "{said}");
    let (_, others) = &BUILT.projects[2];
    let (status, said) = test(&others[0].1);
    assert!(
        !status.success() && said.contains("unload-policy"),
        "{said}"
    );

    let mut judged = Vec::new();
    for (project, drivers) in &BUILT.projects {
        for (profile, sys) in drivers {
            // Projects can share cargo's target folder. The driver is copied into its project, because the bench
            // searches the folders above the driver for the expectations.
            let folder = project.join(profile.name());
            fs::create_dir_all(&folder).unwrap();
            let own = folder.join(sys.file_name().unwrap());
            fs::copy(sys, &own).unwrap();
            let report = driver::judge_as_expected(&own).unwrap();
            judged.push((own, report));
        }
    }
    windows.assert_agrees(judged.iter().map(|(sys, report)| (sys.as_path(), report)));
}

/// Compares the list of imports with the sources of windows-sys.
#[test]
fn windows_sys_declares_the_imports_that_are_listed_for_it() {
    let metadata = Command::new("cargo")
        .args([
            "metadata",
            "--format-version=1",
            "--locked",
            "--filter-platform",
            "x86_64-unknown-linux-gnu",
        ])
        .current_dir(xtask::repository().join("ci"))
        .output()
        .unwrap();
    let metadata: serde_json::Value = serde_json::from_slice(&metadata.stdout).unwrap();
    let manifest = metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .find(|package| {
            package["name"] == "windows-sys" && package["version"].as_str().unwrap() >= "0.61"
        })
        .expect("windows-sys is a dependency")["manifest_path"]
        .as_str()
        .unwrap();
    let mut declared = BTreeSet::new();
    let mut folders = vec![
        Path::new(manifest)
            .parent()
            .unwrap()
            .join("src/Windows/Wdk"),
    ];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            for line in fs::read_to_string(path).unwrap().lines() {
                if let Some((_, rest)) = line.split_once(" fn ")
                    && line.starts_with("windows_link::link!")
                {
                    declared.insert(rest.split('(').next().unwrap().to_owned());
                }
            }
        }
    }
    let text = fs::read_to_string(xtask::repository().join("ci/imports.toml")).unwrap();
    let imports: Imports = toml::from_str(&text).unwrap();
    let missing: Vec<_> = imports.windows_sys.difference(&declared).collect();
    assert!(
        missing.is_empty(),
        "windows-sys does not declare {missing:?}"
    );
}

#[test]
fn cargo_does_not_change_the_lock_file_for_any_name() {
    let folder = emitting::folder();
    for name in ["a", "my-filter", "windows-filter", "zz"] {
        let project = new::emit(name, &[], folder.path()).unwrap();
        let lock = project.join("Cargo.lock");
        let emitted = fs::read_to_string(&lock).unwrap();
        let output = Command::new("cargo")
            .args(["metadata", "--format-version=1", "--offline"])
            .current_dir(&project)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert_eq!(emitted, fs::read_to_string(&lock).unwrap(), "{name}");
    }
}

/// Cargo would read the lock file differently if the project had the name of a locked crate.
#[test]
fn the_name_of_a_locked_crate_is_refused() {
    let folder = emitting::folder();
    let project = new::emit("my-filter", &[], folder.path()).unwrap();
    for (name, _) in lock_file::packages(&project.join("Cargo.lock")).unwrap() {
        if name != "my-filter" {
            assert!(
                new::emit(&name, &[], folder.path()).is_err(),
                "{name} was accepted"
            );
        }
    }
}
