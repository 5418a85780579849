//! The test bench as a Windows program: built on Linux, run in Wine.
//!
//! rustup's windows-gnu target has std, LLVM's lld links, and mingw-w64's libraries are installed for the drivers. Of
//! GCC, only the runtime is needed, which unwinds after a panic; lld links with its DLL. A GCC for Windows would do the
//! same and is four times as large. For the gnullvm target, Debian has no unwinder; for msvc, only Microsoft has a C
//! runtime.

use std::{
    cell::LazyCell,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;
use testbench::Expectations;
use xtask::{
    checks::{cache::Inputs, driver},
    openwdk::{
        target::TARGET,
        toolchain::{GNU_TARGET, Llvm, Mingw},
    },
};

use super::wine::Wine;

/// Wine, with the libraries that programs of this target need.
pub struct Windows {
    /// Created when the first program runs.
    wine: LazyCell<Wine>,
    llvm: Llvm,
    libraries: PathBuf,
}

impl Windows {
    /// Prepares the libraries.
    pub fn new() -> Self {
        let windows = Self {
            wine: LazyCell::new(Wine::new),
            llvm: Llvm::find().expect("LLVM is not installed: run cargo xtask setup"),
            libraries: xtask::repository().join("ci/target/windows"),
        };
        fs::create_dir_all(&windows.libraries).unwrap();
        let dll = Mingw::find_runtime().expect("libgcc is not installed: run cargo xtask setup");
        windows.put("libgcc_s_seh-1.dll", &fs::read(&dll).unwrap());
        // The names that rustc links with: the unwinder, and helpers that Rust's compiler_builtins has, too.
        windows.put("libgcc_eh.a", &fs::read(&dll).unwrap());
        windows.put("libgcc.a", b"!<arch>\n");
        windows.put("bcryptprimitives.dll", &windows.bcryptprimitives());
        windows
    }

    /// Replaces a file atomically, because another test can be linking with it.
    fn put(&self, name: &str, bytes: &[u8]) {
        let file = self.libraries.join(name);
        if fs::read(&file).is_ok_and(|old| old == bytes) {
            return;
        }
        let new = tempfile::NamedTempFile::new_in(&self.libraries).unwrap();
        fs::write(&new, bytes).unwrap();
        new.persist(file).unwrap();
    }

    fn bcryptprimitives(&self) -> Vec<u8> {
        let folder = super::folder();
        let dll = folder.path().join("bcryptprimitives.dll");
        let built = Command::new("rustc")
            .args(["--edition=2024", "--crate-type=cdylib"])
            .args(["--target", TARGET, "-Copt-level=2", "-Cpanic=abort"])
            .args(["-Clink-arg=/NOENTRY", "-Clink-arg=/NODEFAULTLIB"])
            .arg(format!(
                "-Clinker={}",
                self.llvm.program("lld-link").display()
            ))
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/emitting/bcryptprimitives.rs"))
            .arg("-o")
            .arg(&dll)
            .status()
            .unwrap();
        assert!(built.success());
        fs::read(dll).unwrap()
    }

    /// A cargo command that links programs for [`GNU_TARGET`] with lld and runs them in Wine.
    pub fn cargo(&self) -> Command {
        let mingw = Mingw::find_lib().expect("mingw-w64 is not installed: run cargo xtask setup");
        let flags = [
            format!("-Clinker={}", self.llvm.program("ld.lld").display()),
            "-Clinker-flavor=ld.lld".to_owned(),
            // Use rustup's start-up objects.
            "-Clink-self-contained=yes".to_owned(),
            format!("-Cdlltool={}", self.llvm.program("llvm-dlltool").display()),
            format!("-L{}", mingw.display()),
            format!("-L{}", self.libraries.display()),
            // Wine reads the debug information whenever a worker starts.
            "-Cstrip=symbols".to_owned(),
        ];
        let mut command = self.wine.command(Path::new("cargo"));
        command
            .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"))
            .env(
                "CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUNNER",
                self.wine.program(),
            )
            .env("WINEPATH", Wine::path(&self.libraries));
        command
    }

    /// The reports of the bench in the template on drivers.
    pub fn verify(&self, drivers: &[&Path]) -> Vec<Value> {
        let wine = Wine::version();
        let inputs: Vec<Inputs> = drivers
            .iter()
            .map(|sys| {
                let expectations = Expectations::find(sys).unwrap().map(|(_, it)| it);
                driver::verdict(&wine, sys, expectations.as_ref()).unwrap()
            })
            .collect();
        let mut reports: Vec<Option<Value>> = inputs
            .iter()
            .map(|inputs| Some(serde_json::from_slice(&inputs.kept()?).unwrap()))
            .collect();
        let missing: Vec<usize> = (0..drivers.len())
            .filter(|&at| reports[at].is_none())
            .collect();
        if !missing.is_empty() {
            let drivers: Vec<&Path> = missing.iter().map(|&at| drivers[at]).collect();
            for (at, report) in missing.into_iter().zip(self.verify_now(&drivers)) {
                if report["milliseconds"].as_u64().unwrap()
                    < driver::SLOW.as_millis().try_into().unwrap()
                {
                    inputs[at]
                        .keep(&serde_json::to_vec(&report).unwrap())
                        .unwrap();
                }
                reports[at] = Some(report);
            }
        }
        reports.into_iter().map(Option::unwrap).collect()
    }

    fn verify_now(&self, drivers: &[&Path]) -> Vec<Value> {
        let target = xtask::repository().join("ci/target/testbench");
        let (status, said) = Wine::said(
            self.cargo()
                .args(["build", "--locked", "--target", GNU_TARGET])
                .args(["-p", "testbench", "--example", "verify"])
                .current_dir(xtask::repository().join("template/testbench"))
                .env("CARGO_TARGET_DIR", &target),
        );
        assert!(status.success(), "{said}");
        // Copied to a folder of its own: Wine reads the whole folder of a program at each start, and another test
        // program can rebuild the original while workers start here.
        let folder = super::folder();
        let program = folder.path().join("verify.exe");
        fs::copy(
            target.join(GNU_TARGET).join("debug/examples/verify.exe"),
            &program,
        )
        .unwrap();
        let (status, said) = Wine::said(
            self.wine
                .command(self.wine.program())
                .env("WINEPATH", Wine::path(&self.libraries))
                .arg(&program)
                .arg("--json")
                .args(drivers.iter().map(|driver| Wine::path(driver))),
        );
        let reports: Vec<Value> = said
            .lines()
            .map_while(|line| serde_json::from_str(line).ok())
            .collect();
        assert_eq!(reports.len(), drivers.len(), "{status}: {said}");
        let has = |outcome: &str| reports.iter().any(|report| report["outcome"] == outcome);
        let expected = match (has("findings"), has("not-judged")) {
            (true, _) => 1,
            (false, true) => 3,
            (false, false) => 0,
        };
        assert_eq!(status.code(), Some(expected), "{said}");
        reports
    }

    /// The differences between the reports under Wine and the given reports of `cargo xtask verify`.
    pub fn differences<'a>(
        &self,
        drivers: impl IntoIterator<Item = (&'a Path, &'a Value)>,
    ) -> Vec<String> {
        let (drivers, here): (Vec<&Path>, Vec<&Value>) = drivers.into_iter().unzip();
        let mut differences = Vec::new();
        for ((driver, here), there) in drivers.iter().zip(here).zip(self.verify(&drivers)) {
            for (key, value) in there.as_object().unwrap() {
                // The path of the file and the duration can differ.
                if !["driver", "milliseconds"].contains(&key.as_str()) && here[key] != *value {
                    differences.push(format!(
                        "{}: {key}: here {}, under Wine {value}",
                        driver.display(),
                        here[key]
                    ));
                }
            }
        }
        differences
    }

    /// Asserts that there are no [`differences`](Self::differences).
    pub fn assert_agrees<'a>(&self, drivers: impl IntoIterator<Item = (&'a Path, &'a Value)>) {
        let differences = self.differences(drivers);
        assert!(differences.is_empty(), "{}", differences.join("\n"));
    }
}
