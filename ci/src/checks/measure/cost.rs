//! Wall-clock time and processor time.

use std::{
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, bail};

use crate::interruption;

/// The time that something takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Wall-clock time.
    pub wall: Duration,
    /// Processor time of this process, and of all processes that it started and that ended.
    pub cpu: Duration,
}

impl Cost {
    /// Measures the cost of `work`.
    ///
    /// # Errors
    ///
    /// Those of `work`, or the system does not report processor time.
    pub fn of<T>(work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<(Self, T)> {
        let (start, before) = (Instant::now(), processor_time()?);
        let result = work()?;
        let cost = Self {
            wall: start.elapsed(),
            cpu: processor_time()?.saturating_sub(before),
        };
        Ok((cost, result))
    }

    /// Measures the cost of a program.
    ///
    /// # Errors
    ///
    /// The program cannot be started, or fails, with its output; or Ctrl-C was pressed.
    pub fn of_program(command: &mut Command) -> anyhow::Result<(Self, Output)> {
        command.stdin(Stdio::null());
        let name = command.get_program().display().to_string();
        let (cost, output) = Self::of(|| {
            command
                .output()
                .with_context(|| format!("{name} cannot be started"))
        })?;
        interruption::check()?;
        if !output.status.success() {
            bail!(
                "{name} failed ({}):\n{}{}",
                output.status,
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            );
        }
        Ok((cost, output))
    }
}

impl std::ops::Add for Cost {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            wall: self.wall + other.wall,
            cpu: self.cpu + other.cpu,
        }
    }
}

/// A duration in milliseconds.
pub fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// The processor time of this process, and of all processes that it started and that ended.
///
/// # Errors
///
/// The system does not report it.
#[cfg(unix)]
pub fn processor_time() -> anyhow::Result<Duration> {
    use nix::sys::{
        resource::{UsageWho, getrusage},
        time::TimeValLike as _,
    };

    let mut sum = Duration::ZERO;
    for who in [UsageWho::RUSAGE_SELF, UsageWho::RUSAGE_CHILDREN] {
        let usage = getrusage(who).context("the system does not report processor time")?;
        for time in [usage.user_time(), usage.system_time()] {
            sum += Duration::from_micros(u64::try_from(time.num_microseconds())?);
        }
    }
    Ok(sum)
}

/// Always fails, because Windows has no `getrusage`.
#[cfg(not(unix))]
pub fn processor_time() -> anyhow::Result<Duration> {
    bail!(
        "cargo xtask measure reads processor time with getrusage, which Windows does not have: run it on Linux"
    )
}

#[cfg(all(test, unix))]
mod tests {
    use std::{process::Command, time::Duration};

    use super::{Cost, milliseconds};

    #[test]
    fn the_time_of_a_child_counts() {
        let (cost, output) = Cost::of_program(Command::new("sh").args([
            "-c",
            "i=0; while [ $i -lt 20000 ]; do i=$((i + 1)); done; echo done",
        ]))
        .unwrap();
        assert_eq!(output.stdout, b"done\n");
        assert!(cost.cpu > Duration::ZERO && cost.wall > Duration::ZERO);
    }

    #[test]
    fn a_program_that_fails_is_an_error_with_its_output() {
        let error = Cost::of_program(Command::new("sh").args(["-c", "echo why >&2; exit 3"]))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("exit status: 3") && error.contains("why"),
            "{error}"
        );
        let missing = Cost::of_program(&mut Command::new("no-such-program-here")).unwrap_err();
        assert_eq!(
            missing.to_string(),
            "no-such-program-here cannot be started"
        );
    }

    #[test]
    fn milliseconds_are_thousandths() {
        assert!((milliseconds(Duration::from_micros(1500)) - 1.5).abs() < 1e-9);
    }
}
