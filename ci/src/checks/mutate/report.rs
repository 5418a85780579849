//! What a run of mutants gives, as text and as data.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{equivalents::Equivalent, judge::Verdict, operators::Mutant};

/// The largest share of the mutants that the list of equivalents may have, in percent.
pub const MOST_EQUIVALENT: f64 = 5.0;

/// A mutant with its verdict.
#[derive(Debug)]
pub struct Tried {
    /// The mutant.
    pub mutant: Mutant,
    /// The projects that have it.
    pub projects: Vec<String>,
    /// The verdict: that of the project where it is killed, or else the most that was seen.
    pub verdict: Verdict,
    /// Why it is listed as equivalent.
    pub equivalent: Option<String>,
}

/// The numbers of mutants that differ in code.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// Those with a finding.
    pub killed: usize,
    /// Those without, and not listed as equivalent.
    pub survived: usize,
    /// Those that are listed as equivalent.
    pub equivalent: usize,
}

/// The result of a run.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The mutants that were tried.
    pub tried: Vec<Tried>,
    /// How many mutants there are.
    pub of: usize,
    /// The seed of the sample.
    pub seed: Option<u64>,
    /// The entries of the list of equivalents that are killed.
    pub wrong_entries: Vec<String>,
}

impl Count {
    fn add(&mut self, tried: &Tried) {
        match (&tried.verdict, &tried.equivalent) {
            (Verdict::Killed(_), _) => self.killed += 1,
            (Verdict::Survived(_), None) => self.survived += 1,
            (Verdict::Survived(_), Some(_)) => self.equivalent += 1,
            (Verdict::DoesNotCompile | Verdict::SameCode, _) => {}
        }
    }

    fn all(self) -> usize {
        self.killed + self.survived + self.equivalent
    }

    /// The percentage of killed mutants, without those that are equivalent. 100 if there are none.
    #[must_use]
    pub fn score(self) -> f64 {
        percentage(self.killed, self.killed + self.survived).unwrap_or(100.0)
    }

    fn row(self, name: &str) -> String {
        format!(
            "{name:<48}{:>8}{:>8}{:>10}{:>12}{:>8.1} %",
            self.all(),
            self.killed,
            self.survived,
            self.equivalent,
            self.score()
        )
    }

    fn json(self, name: &str) -> Value {
        json!({
            "name": name,
            "mutants": self.all(),
            "killed": self.killed,
            "survived": self.survived,
            "equivalent": self.equivalent,
            "score": self.score(),
        })
    }
}

#[allow(
    clippy::cast_precision_loss,
    reason = "there are some thousand mutants"
)]
fn percentage(part: usize, of: usize) -> Option<f64> {
    (of > 0).then(|| part as f64 * 100.0 / of as f64)
}

impl Outcome {
    /// Adds a verdict, and compares it with the list of equivalents.
    pub fn add(&mut self, mut tried: Tried, entries: &[Equivalent]) {
        let entry = entries
            .iter()
            .find(|entry| entry.is(&tried.mutant, &tried.projects));
        if let (Some(entry), Verdict::Killed(rules)) = (entry, &tried.verdict) {
            let rules = rules.join(", ");
            self.wrong_entries
                .push(format!("{}: killed by {rules}", entry.name()));
        }
        tried.equivalent = entry.map(|entry| entry.reason.clone());
        self.tried.push(tried);
    }

    fn count(&self, keep: impl Fn(&Tried) -> bool) -> Count {
        let mut count = Count::default();
        for tried in self.tried.iter().filter(|tried| keep(tried)) {
            count.add(tried);
        }
        count
    }

    /// The numbers of all files.
    #[must_use]
    pub fn all(&self) -> Count {
        self.count(|_| true)
    }

    fn by_file(&self) -> BTreeMap<&str, Count> {
        let mut files: BTreeMap<&str, Count> = BTreeMap::new();
        for tried in &self.tried {
            files.entry(&tried.mutant.file).or_default().add(tried);
        }
        files.retain(|_, count| count.all() > 0);
        files
    }

    /// The numbers of each project. A mutant of a file that several projects have counts in each of them.
    #[must_use]
    pub fn by_project(&self) -> BTreeMap<&str, Count> {
        let mut projects: BTreeMap<&str, Count> = BTreeMap::new();
        for tried in &self.tried {
            for project in &tried.projects {
                projects.entry(project).or_default().add(tried);
            }
        }
        projects
    }

    fn equivalent_share(&self) -> f64 {
        let all = self.all();
        percentage(all.equivalent, all.all()).unwrap_or_default()
    }

    /// Whether each project has at least this score, no entry of the list is wrong, and the list is short enough. A
    /// part of the mutants does not show whether it is.
    #[must_use]
    pub fn passed(&self, minimum: f64) -> bool {
        let is_complete = self.tried.len() == self.of;
        self.wrong_entries.is_empty()
            && (!is_complete || self.equivalent_share() <= MOST_EQUIVALENT)
            && self
                .by_project()
                .values()
                .all(|count| count.score() >= minimum)
    }

    fn survivors(&self) -> impl Iterator<Item = (&Tried, Option<&String>)> {
        self.tried.iter().filter_map(|tried| match &tried.verdict {
            Verdict::Survived(mark) if tried.equivalent.is_none() => Some((tried, mark.as_ref())),
            _ => None,
        })
    }

    /// Prints the table and the survivors.
    pub fn print(&self) {
        println!(
            "{:<48}{:>8}{:>8}{:>10}{:>12}{:>10}",
            "file", "mutants", "killed", "survived", "equivalent", "score"
        );
        let rows = self.by_file().into_iter().chain(self.by_project());
        for (name, count) in rows.chain([("all", self.all())]) {
            println!("{}", count.row(name));
        }
        let is = |verdict: &Verdict| {
            let of_kind = self.tried.iter().filter(|tried| tried.verdict == *verdict);
            of_kind.count()
        };
        println!(
            "\n{} of {} mutants tried; {} do not compile, {} have the same code; {:.1} % are equivalent",
            self.tried.len(),
            self.of,
            is(&Verdict::DoesNotCompile),
            is(&Verdict::SameCode),
            self.equivalent_share()
        );
        if let Some(seed) = self.seed {
            println!("--seed {seed} repeats this sample");
        }
        println!();
        for (tried, mark) in self.survivors() {
            let it = &tried.mutant;
            let mark = mark.map(|mark| format!(" [{mark}]")).unwrap_or_default();
            println!(
                "{}:{}:{}: {} → {} ({}, {}){mark}",
                it.file, it.line, it.column, it.find, it.replace, it.operator, it.function
            );
        }
        for entry in &self.wrong_entries {
            println!("not equivalent: {entry}");
        }
    }

    /// The same as data, with every mutant.
    #[must_use]
    pub fn json(&self) -> Value {
        let mutants = self.tried.iter().map(|tried| {
            let it = &tried.mutant;
            let (verdict, rules, mark) = match &tried.verdict {
                Verdict::DoesNotCompile => ("does-not-compile", None, None),
                Verdict::SameCode => ("same-code", None, None),
                Verdict::Killed(rules) => ("killed", Some(rules), None),
                Verdict::Survived(mark) if tried.equivalent.is_none() => {
                    ("survived", None, mark.as_ref())
                }
                Verdict::Survived(mark) => ("equivalent", None, mark.as_ref()),
            };
            json!({
                "file": it.file,
                "line": it.line,
                "column": it.column,
                "function": it.function,
                "operator": it.operator,
                "find": it.find,
                "replace": it.replace,
                "occurrence": it.occurrence,
                "projects": tried.projects,
                "verdict": verdict,
                "rules": rules,
                "mark": mark,
                "reason": tried.equivalent,
            })
        });
        let rows = |counts: BTreeMap<&str, Count>| -> Vec<Value> {
            let counts = counts.into_iter();
            counts.map(|(name, count)| count.json(name)).collect()
        };
        json!({
            "tried": self.tried.len(),
            "of": self.of,
            "seed": self.seed,
            "projects": rows(self.by_project()),
            "files": rows(self.by_file()),
            "all": self.all().json("all"),
            "wrong-entries": self.wrong_entries,
            "mutants": mutants.collect::<Vec<_>>(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::mutate::operators;

    fn tried(project: &str, verdict: Verdict) -> Tried {
        let mutants = operators::mutants("src/a.rs", "const A: u32 = 1;").unwrap();
        Tried {
            mutant: mutants[0].clone(),
            projects: vec![project.to_owned()],
            verdict,
            equivalent: None,
        }
    }

    fn outcome(verdicts: &[(&str, Verdict)], entries: &[Equivalent]) -> Outcome {
        let mut outcome = Outcome {
            of: verdicts.len(),
            ..Outcome::default()
        };
        for (project, verdict) in verdicts {
            outcome.add(tried(project, verdict.clone()), entries);
        }
        outcome
    }

    #[test]
    fn each_project_must_have_the_score() {
        let killed = || Verdict::Killed(vec!["a-rule".to_owned()]);
        let mut outcome = outcome(
            &[
                ("a", killed()),
                ("a", Verdict::SameCode),
                ("a", Verdict::DoesNotCompile),
                ("b", killed()),
                ("b", Verdict::Survived(None)),
            ],
            &[],
        );
        assert!((outcome.by_project()["a"].score() - 100.0).abs() < 0.01);
        assert!((outcome.by_project()["b"].score() - 50.0).abs() < 0.01);
        assert!(outcome.passed(50.0) && !outcome.passed(51.0));
        assert_eq!(outcome.survivors().count(), 1);
        outcome.wrong_entries.push(String::new());
        assert!(!outcome.passed(0.0));
    }

    #[test]
    fn a_listed_mutant_does_not_count_and_must_not_be_killed() {
        let text = "file = 'src/a.rs'\nfunction = 'A'\nfind = '1'\nreplace = '2'\nreason = 'b'";
        let entries = [toml::from_str(text).unwrap()];
        let survived = outcome(&[("a", Verdict::Survived(None))], &entries);
        assert_eq!(survived.all().equivalent, 1);
        assert_eq!(survived.survivors().count(), 0);
        // All of them are equivalent, which is too much.
        assert!(!survived.passed(0.0));
        let killed = outcome(&[("a", Verdict::Killed(vec!["c".to_owned()]))], &entries);
        assert_eq!(
            killed.wrong_entries,
            ["src/a.rs, A: 1 → 2 (1): killed by c"]
        );
    }
}
