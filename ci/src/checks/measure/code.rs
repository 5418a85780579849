//! Measures the size and the instructions of emitted drivers, beside drivers in C that do the same.

mod count;

use std::path::{Path, PathBuf};

use anyhow::Context;
use object::{LittleEndian, read::pe::PeFile64};
use testbench::scenario::Script;

use self::count::{Counts, count};
use super::{
    experiment::{Experiment, Needs, Progress, Row},
    statistics::Pair,
};
use crate::{
    changes::Changed,
    checks::driver,
    commands::new,
    openwdk::{
        c::{Optimize, compile_c_with},
        target::{Arch, Profile},
    },
    repository, scratch_folder,
};

pub static EXPERIMENT: Experiment = Experiment {
    name: "code",
    how: "counts the instructions that the release .sys executes in the bench's scenario 'load, operations, fltmc \
          unload', and its bytes: the project with the defaults, and the filter in ci/tests/example.toml",
    peer: Some(
        "drivers in C that do the same (ci/src/checks/measure/code/peer.c), compiled with clang -Os and link-time \
         optimization",
    ),
    runs: 1,
    needs: Needs::Build,
    rows: &[
        Row {
            name: "code-default-load-to-unload",
            unit: "instructions",
            what: "DriverEntry, one instance that is attached and detached, and the unload callback",
        },
        Row {
            name: "code-default-create",
            unit: "instructions",
            what: "the pre-operation callback of a create, which passes it on",
        },
        Row {
            name: "code-default-bytes",
            unit: "bytes",
            what: "the section .text of the project with the defaults",
        },
        Row {
            name: "code-example-create",
            unit: "instructions",
            what: "a create whose name is compared with a pattern",
        },
        Row {
            name: "code-example-read",
            unit: "instructions",
            what: "a read that is counted, before and after the operation",
        },
        Row {
            name: "code-example-query",
            unit: "instructions",
            what: "a query that is completed with data",
        },
        Row {
            name: "code-example-bytes",
            unit: "bytes",
            what: "the section .text of the example",
        },
    ],
    run,
};

/// The example in `ci/tests/example.toml`.
///
/// # Errors
///
/// The file cannot be read.
pub fn example() -> anyhow::Result<Changed> {
    let file = repository().join("ci/tests/example.toml");
    let text = std::fs::read_to_string(&file)
        .with_context(|| format!("cannot read {}", file.display()))?;
    toml::from_str(&text).context("ci/tests/example.toml is not understood")
}

fn run(runs: u16, progress: &Progress) -> anyhow::Result<Vec<Vec<Pair>>> {
    progress.say(0, "building the drivers");
    let folder = scratch_folder()?;
    let default = new::emit("my-filter", &[], folder.path())?;
    let example = example()?;
    let project = new::emit("example", &example.given(), folder.path())?;
    let _applied = example.apply(&project)?;
    let drivers = [
        driver::build(&default, Profile::Release, Arch::Amd64)?,
        peer(folder.path(), "default", &[])?,
        driver::build(&project, Profile::Release, Arch::Amd64)?,
        peer(folder.path(), "example", &["EXAMPLE"])?,
    ];
    let mut samples = Vec::new();
    for run in 0..runs {
        progress.say(run, "counting instructions");
        let counts = drivers
            .iter()
            .map(|sys| count(sys, Script::Life))
            .collect::<anyhow::Result<Vec<_>>>()?;
        let beside = |ours: usize, routines: &[&str]| {
            Pair::beside(
                sum(&counts[ours], routines),
                sum(&counts[ours + 1], routines),
            )
        };
        let code = |ours: usize| -> anyhow::Result<Pair> {
            Ok(Pair::beside(
                code_size(&drivers[ours])?,
                code_size(&drivers[ours + 1])?,
            ))
        };
        samples.push(vec![
            beside(
                0,
                &[
                    "DriverEntry",
                    "InstanceSetupCallback",
                    "InstanceTeardownCompleteCallback",
                    "FilterUnloadCallback",
                ],
            ),
            beside(0, &["pre 0x00"]),
            code(0)?,
            beside(2, &["pre 0x00"]),
            beside(2, &["pre 0x03", "post 0x03"]),
            beside(2, &["pre 0x05"]),
            code(2)?,
        ]);
    }
    Ok(samples)
}

/// Builds a driver in C.
fn peer(folder: &Path, name: &str, defines: &[&str]) -> anyhow::Result<PathBuf> {
    let source = repository().join("ci/src/checks/measure/code/peer.c");
    let sys = folder.join(format!("{name}-peer.sys"));
    compile_c_with(&[source], &[], defines, Optimize::Size, &sys)?;
    Ok(sys)
}

/// The instructions of one call of each of the routines.
fn sum(counts: &Counts, routines: &[&str]) -> f64 {
    routines
        .iter()
        .filter_map(|name| counts.get(*name))
        .map(|count| count.mean())
        .sum()
}

/// The size of the section `.text`, without the padding to a file page.
fn code_size(sys: &Path) -> anyhow::Result<f64> {
    let data = std::fs::read(sys)?;
    let pe = PeFile64::parse(data.as_slice())?;
    let text = pe
        .section_table()
        .iter()
        .find(|section| section.name.starts_with(b".text\0"))
        .context("the driver has no section .text")?;
    Ok(f64::from(text.virtual_size.get(LittleEndian)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_routine_of_a_driver_is_counted() {
        let folder = scratch_folder().unwrap();
        let sys = peer(folder.path(), "default", &[]).unwrap();
        let counts = count(&sys, Script::Life).unwrap();
        for once in ["DriverEntry", "FilterUnloadCallback"] {
            assert_eq!(counts[once].calls, 1, "{counts:?}");
            assert!((5..100).contains(&counts[once].instructions), "{counts:?}");
        }
        // mov eax, 1; ret
        let create = counts["pre 0x00"];
        assert!(create.calls > 5, "{counts:?}");
        assert_eq!(create.instructions, 2 * create.calls, "{counts:?}");
        assert!(code_size(&sys).unwrap() > 100.0);
    }
}
