//! The driver of an emitted project.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::SystemTime;

use crate::expect::Expectations;

/// Returns the driver of the project whose tests are in a folder, and its expectations.
///
/// If the driver is not built, the process ends with one message instead of one for each test.
#[must_use]
pub fn driver(tests: &str) -> (PathBuf, Expectations) {
    static FOUND: OnceLock<Result<(PathBuf, Expectations), String>> = OnceLock::new();
    match FOUND.get_or_init(|| find(Path::new(tests))) {
        Ok(found) => found.clone(),
        Err(why) => {
            // Test programs capture what the macros print, and lose it when the process ends.
            let _ = writeln!(std::io::stderr(), "error: {why}");
            std::process::exit(101)
        }
    }
}

fn find(tests: &Path) -> Result<(PathBuf, Expectations), String> {
    let project = tests.parent().unwrap_or(tests);
    let file = project.join("testbench.toml");
    if !file.is_file() {
        return Err(format!(
            "there is no {}: these tests belong into an emitted project, beside that file; the bench's own tests run with cargo test --lib",
            file.display()
        ));
    }
    let expectations = Expectations::read(&file).map_err(|refusal| refusal.to_string())?;
    if let Some(file) = std::env::var_os("DRIVER_SYS") {
        return Ok((file.into(), expectations));
    }
    let name = expectations
        .driver
        .clone()
        .unwrap_or_else(|| "*".to_owned());
    let mut found = Vec::new();
    look(&project.join("target"), &name, 4, &mut found);
    if let Some(folder) = std::env::var_os("CARGO_TARGET_DIR") {
        look(Path::new(&folder), &name, 4, &mut found);
    }
    let newest = found.into_iter().max_by_key(|(built, _)| *built);
    let Some((_, file)) = newest else {
        return Err(format!(
            "there is no {name}.sys for x64 below {}: build the driver first (cargo wdk build in {}), or name a file in the environment variable DRIVER_SYS",
            project.join("target").display(),
            project.display()
        ));
    };
    Ok((file, expectations))
}

fn look(folder: &Path, name: &str, depth: usize, found: &mut Vec<(SystemTime, PathBuf)>) {
    let Ok(entries) = folder.read_dir() else {
        return;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        let extension = path.extension();
        let is_driver = path.file_stem().is_some_and(|stem| stem == name)
            && extension.is_some_and(|extension| extension == "sys" || extension == "dll");
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

/// Returns whether the file is for x64.
///
/// Document: "PE Format".
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
