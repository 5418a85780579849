//! `cargo xtask measure`: measures the cost of the template and its tools, compared with a peer if there is one.
//!
//! [`EXPERIMENTS`] lists the experiments. Each experiment has rows, and each row is one number. A new measurement is a
//! new row in an experiment, or a new experiment in its own module.

mod code;
mod combinations;
mod cost;
mod emission;
mod experiment;
mod first;
mod peer;
mod scenarios;
mod statistics;
mod testing;

use std::{
    fmt::Write as _,
    process::{Command, ExitCode},
};

use anyhow::{Context, ensure};
use serde::Serialize;

use self::{
    experiment::{Experiment, Needs, Progress, Row, cores},
    statistics::{Pair, Reading},
};
use crate::{checks::tools, commands::setup, interruption, repository};

/// Measure the cost of the template and its tools.
///
/// Each measurement is one number with its unit. If a peer does the same work, both are measured alternately in the
/// same run, and the ratio ours/peer is reported. The ratio is comparable between machines; the numbers are not. Each
/// experiment is repeated. The value and the peer's value are medians over the repetitions, and the ratio is the median
/// of the ratios of the repetitions.
///
/// The result goes to stdout, progress to stderr. Run nothing else on the machine meanwhile.
///
/// Exit status: 0 everything was measured, 2 something could not be measured.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The names of measurements, or of experiments, which select all of their measurements [default: all]
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// The number of repetitions of each experiment [default: see --list]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    runs: Option<u16>,
    /// Print the result as JSON, with each repetition
    #[arg(long)]
    json: bool,
    /// List the measurements, their units and how they are measured, and stop
    #[arg(long, conflicts_with_all = ["json", "runs"])]
    list: bool,
    /// Install nothing; say what is missing
    #[arg(long)]
    no_setup: bool,
}

const EXAMPLES: &str = "\
Examples:
  cargo xtask measure --list
      list what can be measured, and how
  cargo xtask measure
      measure everything, which takes minutes
  cargo xtask measure emission --runs 15
      one experiment, with more repetitions than by default
  cargo xtask measure scenarios-per-second --json | jq '.measurements[0].ratio'
      one number, for a script";

const EXPERIMENTS: [&Experiment; 6] = [
    &code::EXPERIMENT,
    &emission::EXPERIMENT,
    &scenarios::EXPERIMENT,
    &testing::EXPERIMENT,
    &combinations::EXPERIMENT,
    &first::EXPERIMENT,
];

/// An experiment, and the rows of it that are reported.
struct Chosen {
    experiment: &'static Experiment,
    rows: Vec<usize>,
}

/// Runs the verb.
///
/// # Errors
///
/// A name is unknown, something that is missing cannot be installed, or an experiment failed.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let chosen = chosen(&args.names)?;
    if args.list {
        print!("{}", listed(&chosen));
        return Ok(ExitCode::SUCCESS);
    }
    // Fails here, before anything is installed, if the system does not report processor time.
    cost::processor_time()?;
    let needed = |needs| {
        chosen
            .iter()
            .any(|it| [needs, Needs::Both].contains(&it.experiment.needs))
    };
    if needed(Needs::Build) {
        setup::ensure(&[setup::Group::Build], !args.no_setup)?;
    }
    if needed(Needs::Generator) {
        tools::ensure_cargo_generate()?;
    }
    interruption::survive()?;

    let mut measurements = Vec::new();
    for Chosen { experiment, rows } in &chosen {
        let runs = args.runs.unwrap_or(experiment.runs);
        let progress = Progress::of(experiment, runs);
        let samples = (experiment.run)(runs, &progress);
        // An experiment that Ctrl-C ended has not failed.
        interruption::check()?;
        let samples =
            samples.with_context(|| format!("the experiment {} failed", experiment.name))?;
        for &row in rows {
            measurements.push(Measurement::new(experiment, row, &samples)?);
        }
    }
    let result = Measured {
        commit: commit(),
        cores: cores(),
        measurements,
    };
    if args.json {
        println!("{}", serde_json::to_string_pretty(&result)?);
    } else {
        print!("{}", result.table());
    }
    Ok(ExitCode::SUCCESS)
}

/// The rows that the command line names, or all.
fn chosen(names: &[String]) -> anyhow::Result<Vec<Chosen>> {
    for name in names {
        let known = EXPERIMENTS
            .iter()
            .any(|it| it.name == name || it.rows.iter().any(|row| row.name == name));
        ensure!(
            known,
            "`{name}` is not a measurement: give the name of an experiment ({}), or of a measurement in the list of \
             `cargo xtask measure --list`",
            EXPERIMENTS.map(|it| it.name).join(", ")
        );
    }
    let wanted = |name: &str| names.iter().any(|it| it == name);
    Ok(EXPERIMENTS
        .iter()
        .map(|experiment| Chosen {
            experiment,
            rows: (0..experiment.rows.len())
                .filter(|&row| {
                    names.is_empty() || wanted(experiment.name) || wanted(experiment.rows[row].name)
                })
                .collect(),
        })
        .filter(|it| !it.rows.is_empty())
        .collect())
}

/// The output of `--list`.
fn listed(chosen: &[Chosen]) -> String {
    let mut text = String::new();
    for Chosen { experiment, rows } in chosen {
        let peer = experiment.peer.unwrap_or("none");
        let _ = writeln!(
            text,
            "{}, {} by default",
            experiment.name,
            repetitions(experiment.runs)
        );
        for (what, words) in [("how", experiment.how), ("peer", peer)] {
            text += &wrapped(&format!("  {what:<6}"), words);
        }
        for &row in rows {
            let Row { name, unit, what } = experiment.rows[row];
            text += &wrapped(&format!("  {name:<28}{unit:<13}"), what);
        }
        text.push('\n');
    }
    text
}

fn repetitions(runs: u16) -> String {
    if runs == 1 {
        "once".to_owned()
    } else {
        format!("{runs} times")
    }
}

/// Words wrapped at 100 columns. The first line begins with `head`, and the others are indented by its length.
fn wrapped(head: &str, words: &str) -> String {
    let (mut text, mut width) = (head.to_owned(), head.len());
    let mut is_first = true;
    for word in words.split_whitespace() {
        if !is_first && width + 1 + word.len() > 100 {
            let _ = write!(text, "\n{:1$}", "", head.len());
            width = head.len();
            is_first = true;
        }
        if !is_first {
            text.push(' ');
            width += 1;
        }
        text += word;
        width += word.len();
        is_first = false;
    }
    text.push('\n');
    text
}

/// The commit that is measured; `None` outside a git repository.
fn commit() -> Option<String> {
    let output = Command::new("git")
        .args(["describe", "--always", "--dirty", "--abbrev=12"])
        .current_dir(repository())
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The result of all experiments.
#[derive(Serialize)]
struct Measured {
    /// The commit that was measured, with `-dirty` if files are changed.
    commit: Option<String>,
    /// The number of processors.
    cores: usize,
    measurements: Vec<Measurement>,
}

/// One row that was measured.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Measurement {
    name: &'static str,
    unit: &'static str,
    what: &'static str,
    how: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    peer_is: Option<&'static str>,
    #[serde(flatten)]
    reading: Reading,
    runs: Vec<Pair>,
}

impl Measurement {
    fn new(
        experiment: &'static Experiment,
        row: usize,
        samples: &[Vec<Pair>],
    ) -> anyhow::Result<Self> {
        let Row { name, unit, what } = experiment.rows[row];
        let runs: Vec<Pair> = samples
            .iter()
            .map(|sample| sample.get(row).copied())
            .collect::<Option<_>>()
            .with_context(|| format!("a repetition gave no number for {name}"))?;
        Ok(Self {
            name,
            unit,
            what,
            how: experiment.how,
            peer_is: experiment.peer,
            reading: Reading::of(&runs).with_context(|| format!("{name} was not measured"))?,
            runs,
        })
    }
}

impl Measured {
    fn table(&self) -> String {
        let mut text = format!(
            "{:<28}{:>12} {:<12}{:>12}{:>9}{:>6}\n",
            "measurement", "value", "unit", "peer", "ratio", "runs"
        );
        for it in &self.measurements {
            let number = |number: Option<f64>| number.map_or("-".to_owned(), shown);
            let _ = writeln!(
                text,
                "{:<28}{:>12} {:<12}{:>12}{:>9}{:>6}",
                it.name,
                shown(it.reading.value),
                it.unit,
                number(it.reading.peer),
                number(it.reading.ratio),
                it.runs.len()
            );
        }
        let mut peers: Vec<_> = self
            .measurements
            .iter()
            .filter_map(|it| it.peer_is)
            .collect();
        peers.dedup();
        for peer in peers {
            let _ = writeln!(text, "peer: {peer}");
        }
        if let Some(commit) = &self.commit {
            let _ = writeln!(text, "commit {commit}, {} processors", self.cores);
        }
        text
    }
}

/// A number with three significant digits, or with all digits before the decimal point if there are more.
fn shown(number: f64) -> String {
    let decimals = match number.abs() {
        size if size < 0.0005 => 0,
        size if size < 10.0 => 2 + usize::from(size < 1.0),
        size if size < 100.0 => 1,
        _ => 0,
    };
    format!("{number:.decimals$}")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn names(chosen: &[Chosen]) -> Vec<&'static str> {
        chosen
            .iter()
            .flat_map(|it| it.rows.iter().map(|&row| it.experiment.rows[row].name))
            .collect()
    }

    fn asked(names: &[&str]) -> anyhow::Result<Vec<Chosen>> {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        chosen(&names)
    }

    #[test]
    fn each_row_is_in_the_table_once_and_complete() {
        let all = asked(&[]).unwrap();
        let mut seen = BTreeSet::new();
        for experiment in EXPERIMENTS {
            assert!(seen.insert(experiment.name), "{}", experiment.name);
            assert!(!experiment.how.is_empty(), "{}", experiment.name);
            assert!(experiment.runs >= 1 && !experiment.rows.is_empty());
            for row in experiment.rows {
                assert!(seen.insert(row.name), "{}", row.name);
                assert!(row.name.starts_with(experiment.name), "{}", row.name);
                assert!(!row.unit.is_empty() && !row.what.is_empty());
            }
        }
        let rows = EXPERIMENTS.iter().map(|it| it.rows.len()).sum::<usize>();
        assert_eq!(names(&all).len(), rows);
        let list = listed(&all);
        assert!(seen.iter().all(|name| list.contains(name)), "{list}");
    }

    #[test]
    fn the_list_is_wrapped_and_complete() {
        let list = listed(&asked(&[]).unwrap());
        assert!(list.lines().all(|line| line.len() <= 100), "{list}");
        let words = |text: &str| {
            text.split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        for it in EXPERIMENTS {
            let how = words(it.how);
            assert!(words(&list).windows(how.len()).any(|window| window == how));
        }
        assert_eq!(wrapped("a ", "b"), "a b\n");
    }

    #[test]
    fn a_name_chooses_a_row_or_an_experiment() {
        assert_eq!(
            names(&asked(&["scenarios-cpu", "first-verified-wall"]).unwrap()),
            ["scenarios-cpu", "first-verified-wall"]
        );
        let experiment = asked(&["emission", "emission-new-cpu"]).unwrap();
        assert_eq!(experiment.len(), 1);
        assert_eq!(names(&experiment).len(), emission::EXPERIMENT.rows.len());
    }

    #[test]
    fn an_unknown_name_is_refused_with_the_known_names() {
        let Err(refusal) = asked(&["emission", "speed"]) else {
            panic!("it is not refused");
        };
        assert_eq!(
            refusal.to_string(),
            "`speed` is not a measurement: give the name of an experiment (code, emission, scenarios, \
             test, combinations, first-verified), or of a measurement in the list of `cargo xtask measure --list`"
        );
    }

    fn measured() -> Measured {
        let pair = |value, peer| Pair { value, peer };
        let samples = [
            vec![pair(30.0, Some(10.0)), pair(1.5, Some(3.0))],
            vec![pair(10.0, Some(20.0)), pair(2.5, Some(5.0))],
            vec![pair(20.0, Some(10.0)), pair(0.5, Some(1.0))],
        ];
        Measured {
            commit: Some("0123456789ab-dirty".to_owned()),
            cores: 2,
            measurements: vec![
                Measurement::new(&scenarios::EXPERIMENT, 0, &samples).unwrap(),
                Measurement::new(&scenarios::EXPERIMENT, 1, &samples).unwrap(),
            ],
        }
    }

    #[test]
    fn the_table_shows_values_peers_and_ratios() {
        let table = measured().table();
        let lines: Vec<Vec<&str>> = table
            .lines()
            .map(|line| line.split_whitespace().collect())
            .collect();
        assert_eq!(
            lines[1][..6],
            ["scenarios-per-second", "20.0", "1/s", "10.0", "2.00", "3"]
        );
        assert_eq!(
            lines[2][..6],
            ["scenarios-cpu", "1.50", "ms", "3.00", "0.500", "3"]
        );
        assert!(table.contains("\npeer: "), "{table}");
        assert!(
            table.ends_with("commit 0123456789ab-dirty, 2 processors\n"),
            "{table}"
        );
    }

    #[test]
    fn json_has_each_run() {
        let json = serde_json::to_value(measured()).unwrap();
        let first = &json["measurements"][0];
        assert_eq!(first["name"], "scenarios-per-second");
        assert_eq!(first["value"], 20.0);
        assert_eq!(first["peer"], 10.0);
        assert_eq!(first["ratio"], 2.0);
        assert_eq!(
            first["runs"][1],
            serde_json::json!({"value": 10.0, "peer": 20.0})
        );
        assert!(first["how"].is_string() && first["peer-is"].is_string());
    }

    #[test]
    fn a_repetition_without_a_number_for_the_row_is_an_error() {
        let samples = [vec![Pair {
            value: 1.0,
            peer: None,
        }]];
        assert!(Measurement::new(&scenarios::EXPERIMENT, 1, &samples).is_err());
        assert!(Measurement::new(&scenarios::EXPERIMENT, 0, &[]).is_err());
    }

    #[test]
    fn numbers_have_three_significant_digits() {
        for (number, text) in [
            (0.0, "0"),
            (0.1234, "0.123"),
            (1.234, "1.23"),
            (12.34, "12.3"),
            (123.4, "123"),
            (12345.6, "12346"),
        ] {
            assert_eq!(shown(number), text);
        }
    }
}
