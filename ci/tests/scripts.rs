//! The emitted PowerShell scripts, on a simulated Windows: `scripts/*.Tests.ps1`, in one process of PowerShell.

mod emitting;

use std::fs;

use emitting::{said, skipped};
use xtask::checks::tools;

#[test]
fn each_case_passes_and_each_statement_is_reached() {
    let folder = xtask::repository().join("ci/tests/scripts");
    let Some(powershell) = tools::powershell() else {
        let tests = fs::read_dir(&folder).unwrap().map(|entry| {
            let text = fs::read_to_string(entry.unwrap().path()).unwrap_or_default();
            text.matches("\n    It '").count()
        });
        let why = "there is no pwsh in PATH for the tests of the PowerShell scripts, most of which have several cases";
        skipped(tests.sum(), why);
        return;
    };
    let output = tools::script_tests(&powershell).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    // A run without cases or statements has tested nothing.
    let text = String::from_utf8_lossy(&output.stdout);
    let count = |start: &str| -> usize {
        let line = text.lines().find(|line| line.starts_with(start)).unwrap();
        let number = line[start.len()..].split(' ').next().unwrap();
        number.parse().unwrap()
    };
    assert!(count("cases: ") > 500, "{text}");
    assert!(count("statements: ") > 500, "{text}");
}
