//! The built driver on the bench: what `cargo test` beside an emitted project says of it.
//!
//! It takes the newest `.sys` for x64 (or `.dll`, before it is renamed) below the project's `target`
//! folder, or the one that `CARGO_TARGET_DIR` names; or else the file that `DRIVER_SYS` names.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::SystemTime;

use testbench::{Bench, Expectations, Report};

fn project() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("testbench/ lies in a project")
}

fn expectations() -> Expectations {
    let file = project().join("testbench.toml");
    assert!(
        file.is_file(),
        "there is no {}: these tests belong into an emitted project, beside that file; \
         the bench's own tests run with cargo test --lib",
        file.display()
    );
    Expectations::read(&file).unwrap_or_else(|refusal| panic!("{refusal}"))
}

/// The driver: the one that was built last.
fn driver(name: &str) -> PathBuf {
    if let Some(file) = std::env::var_os("DRIVER_SYS") {
        return file.into();
    }
    let mut found = Vec::new();
    look(&project().join("target"), name, 4, &mut found);
    if let Some(folder) = std::env::var_os("CARGO_TARGET_DIR") {
        look(Path::new(&folder), name, 4, &mut found);
    }
    let newest = found.into_iter().max_by_key(|(built, _)| *built);
    let Some((_, file)) = newest else {
        panic!(
            "there is no {name}.sys below {}: build the driver first (cargo wdk build in {}), \
             or name a file in the environment variable DRIVER_SYS",
            project().join("target").display(),
            project().display()
        );
    };
    file
}

fn look(folder: &Path, name: &str, depth: usize, found: &mut Vec<(SystemTime, PathBuf)>) {
    let Ok(entries) = folder.read_dir() else {
        return;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        let is_driver = path.file_stem().is_some_and(|stem| stem == name)
            && path
                .extension()
                .is_some_and(|extension| extension == "sys" || extension == "dll");
        match entry.metadata() {
            Ok(data) if data.is_file() && is_driver && is_for_x64(&path) => {
                found.push((data.modified().unwrap_or(SystemTime::UNIX_EPOCH), path));
            }
            // A folder, or a link to one: a target folder may be shared.
            _ if depth > 0 && path.is_dir() => look(&path, name, depth - 1, found),
            _ => {}
        }
    }
}

/// Whether it can be run here: "PE Format" says where the processor stands.
fn is_for_x64(file: &Path) -> bool {
    const PLACE_OF_HEADER: usize = 0x3C;
    const X64: [u8; 2] = 0x8664_u16.to_le_bytes();
    let Ok(bytes) = std::fs::read(file) else {
        return false;
    };
    let header = bytes
        .get(PLACE_OF_HEADER..)
        .and_then(|rest| rest.first_chunk())
        .map_or(0, |place| u32::from_le_bytes(*place) as usize);
    bytes.get(header + 4..header + 6) == Some(&X64)
}

fn report() -> &'static Report {
    static REPORT: OnceLock<Report> = OnceLock::new();
    REPORT.get_or_init(|| {
        let expectations = expectations();
        let name = expectations.driver.clone();
        let file = driver(&name.unwrap_or_else(|| "*".to_owned()));
        println!("{}", file.display());
        let bench = Bench::open(&file).unwrap_or_else(|refusal| panic!("{refusal}"));
        let worker = env!("CARGO_BIN_EXE_testbench-worker");
        let run = bench.worker(worker).expect(expectations).run();
        run.unwrap_or_else(|refusal| panic!("{refusal}"))
    })
}

#[test]
fn the_driver_keeps_every_rule() {
    let report = report();
    assert!(report.findings.is_empty(), "\n{report}\n");
}

#[test]
fn everything_was_judged() {
    let report = report();
    assert!(report.complete, "\n{report}\n");
}

#[test]
fn its_unload_policy_is_the_expected_one() {
    let expected = expectations();
    let observed = &report().observed;
    // It was not seen if the driver was not judged as far as that, which another test reports.
    if observed.unload_policy.is_some() || report().complete {
        assert_eq!(observed.unload_policy, expected.unload_policy);
    }
    if let (Some(true), Some(service_stop)) = (
        expected
            .unload_policy
            .map(|policy| policy != testbench::Policy::Never),
        expected.service_stop,
    ) {
        assert_eq!(observed.service_stop, Some(service_stop));
    }
}

#[test]
fn its_calls_were_made_to_fail() {
    let report = report();
    assert!(report.faults_injected > 0, "{report}");
}
