//! Which combinations of answers are tried. They follow from the options as they are declared: an
//! option that was just added is in there without another line.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use crate::commands::options::{Declared, Kind};

/// Answers to all options, in the order of their declaration.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Combination {
    /// The answers.
    pub answers: Vec<(String, String)>,
    /// Why it is tried.
    pub reason: Reason,
}

impl Combination {
    /// The answers, as `new` and the rendering take them.
    #[must_use]
    pub fn given(&self) -> Vec<(&str, &str)> {
        self.answers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect()
    }
}

/// Why a combination is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// It is what Enter answers.
    Defaults,
    /// One option is not at its default.
    Alone,
    /// Every option is on.
    Everything,
    /// Every option is off.
    Nothing,
    /// It has pairs of answers that no other has.
    Pairs,
    /// It is one of all.
    Product,
    /// Somebody asked for it.
    Asked,
}

impl Reason {
    /// Whether it is one of those few that between them have every answer.
    #[must_use]
    pub fn is_looked_at_closely(self) -> bool {
        !matches!(self, Self::Pairs | Self::Product)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Defaults => "defaults",
            Self::Alone => "one option alone",
            Self::Everything => "everything on",
            Self::Nothing => "everything off",
            Self::Pairs => "pairs",
            Self::Product => "product",
            Self::Asked => "asked for",
        })
    }
}

/// An option and the answers that are tried for it, the default first.
#[derive(Clone, Debug)]
pub struct Axis {
    /// The option.
    pub name: String,
    /// The answers.
    pub values: Vec<String>,
    /// The answer with which the option does the most.
    pub on: String,
    /// The answer with which it does the least.
    pub off: String,
}

impl Axis {
    /// The answers that are tried for an option.
    ///
    /// A list is tried with each of its items and with all of them. Free text has no variants here:
    /// what it may hold is tried by the tests with hostile answers.
    #[must_use]
    pub fn of(option: &Declared) -> Self {
        let names = |choices: &[crate::commands::options::Choice]| -> Vec<String> {
            choices.iter().map(|choice| choice.value.clone()).collect()
        };
        let (others, on, off) = match &option.kind {
            Kind::Text { .. } => (Vec::new(), option.default.clone(), option.default.clone()),
            Kind::Flag => {
                let both = vec!["true".to_owned(), "false".to_owned()];
                (both, "true".to_owned(), "false".to_owned())
            }
            // The richest choice is the default, and the plainest stands last.
            Kind::Choice(choices) => {
                let all = names(choices);
                let last = all.last().cloned().unwrap_or_default();
                (all, option.default.clone(), last)
            }
            Kind::List(choices) => {
                let mut all = names(choices);
                let every = all.join(",");
                let first = all.first().cloned().unwrap_or_default();
                all.push(every.clone());
                (all, every, first)
            }
        };
        let mut values = vec![option.default.clone()];
        values.extend(others.into_iter().filter(|value| *value != option.default));
        Self {
            name: option.name.clone(),
            values,
            on,
            off,
        }
    }
}

/// The combinations that are tried by default: the defaults, each option alone, everything on,
/// everything off, and as many more as it takes for every pair of answers to occur.
#[must_use]
pub fn chosen(axes: &[Axis]) -> Vec<Combination> {
    let pick = |value: &dyn Fn(&Axis) -> &String| -> Vec<String> {
        axes.iter().map(|axis| value(axis).clone()).collect()
    };
    let defaults = pick(&|axis| &axis.values[0]);
    let mut rows = vec![(defaults.clone(), Reason::Defaults)];
    for (position, axis) in axes.iter().enumerate() {
        for value in &axis.values[1..] {
            let mut row = defaults.clone();
            row[position].clone_from(value);
            rows.push((row, Reason::Alone));
        }
    }
    rows.push((pick(&|axis| &axis.on), Reason::Everything));
    rows.push((pick(&|axis| &axis.off), Reason::Nothing));
    for row in pairs(axes, rows.iter().map(|(row, _)| row)) {
        rows.push((row, Reason::Pairs));
    }
    distinct(axes, rows)
}

/// Everything on, whatever that is for each option.
#[must_use]
pub fn everything(axes: &[Axis]) -> Combination {
    Combination {
        answers: axes
            .iter()
            .map(|axis| (axis.name.clone(), axis.on.clone()))
            .collect(),
        reason: Reason::Everything,
    }
}

/// The product of some options, the others at their defaults. The option with the most answers changes from row to row:
/// it is a list, one file more or less, where others change what the build itself is made of.
#[must_use]
pub fn product(axes: &[Axis], of: &BTreeSet<String>) -> Vec<Combination> {
    let mut varied: Vec<_> = axes
        .iter()
        .enumerate()
        .filter(|(_, axis)| of.contains(&axis.name))
        .collect();
    varied.sort_by_key(|(_, axis)| axis.values.len());
    let mut rows = vec![
        axes.iter()
            .map(|axis| axis.values[0].clone())
            .collect::<Vec<_>>(),
    ];
    for (position, axis) in varied {
        rows = rows
            .into_iter()
            .flat_map(|row| {
                axis.values.iter().map(move |value| {
                    let mut row = row.clone();
                    row[position].clone_from(value);
                    row
                })
            })
            .collect();
    }
    distinct(
        axes,
        rows.into_iter().map(|row| (row, Reason::Product)).collect(),
    )
}

/// Rows without repetition, as combinations.
fn distinct(axes: &[Axis], rows: Vec<(Vec<String>, Reason)>) -> Vec<Combination> {
    let mut seen = BTreeSet::new();
    rows.into_iter()
        .filter(|(row, _)| seen.insert(row.clone()))
        .map(|(row, reason)| Combination {
            answers: axes.iter().map(|axis| axis.name.clone()).zip(row).collect(),
            reason,
        })
        .collect()
}

/// An answer: which option, and which of its values.
type Answer = (usize, usize);

/// Rows that have every pair of answers that `rows` do not have. Greedy: each row begins with a pair
/// that is still missing, and takes for every other option the value that adds the most.
fn pairs<'a>(axes: &[Axis], rows: impl Iterator<Item = &'a Vec<String>>) -> Vec<Vec<String>> {
    let mut missing = BTreeSet::new();
    for one in 0..axes.len() {
        for other in one + 1..axes.len() {
            for value in 0..axes[one].values.len() {
                missing.extend(
                    (0..axes[other].values.len()).map(|second| ((one, value), (other, second))),
                );
            }
        }
    }
    for row in rows {
        let row: Vec<usize> = axes
            .iter()
            .zip(row)
            .map(|(axis, value)| {
                axis.values
                    .iter()
                    .position(|it| it == value)
                    .unwrap_or(usize::MAX)
            })
            .collect();
        strike(&mut missing, &row);
    }
    let mut more = Vec::new();
    while let Some(&pair) = missing.first() {
        let row = fullest_row(axes, pair, &missing);
        strike(&mut missing, &row);
        more.push(
            axes.iter()
                .zip(row)
                .map(|(axis, value)| axis.values[value].clone())
                .collect(),
        );
    }
    more
}

/// Takes the pairs of a row out of what is missing.
fn strike(missing: &mut BTreeSet<(Answer, Answer)>, row: &[usize]) {
    for (one, &value) in row.iter().enumerate() {
        for (other, &second) in row.iter().enumerate().skip(one + 1) {
            missing.remove(&((one, value), (other, second)));
        }
    }
}

fn fullest_row(
    axes: &[Axis],
    pair: (Answer, Answer),
    missing: &BTreeSet<(Answer, Answer)>,
) -> Vec<usize> {
    let mut chosen = BTreeMap::from([pair.0, pair.1]);
    for (option, axis) in axes.iter().enumerate() {
        if chosen.contains_key(&option) {
            continue;
        }
        let gain = |value: usize| {
            chosen
                .iter()
                .filter(|&(&other, &second)| {
                    let (one, two) = ((option, value), (other, second));
                    missing.contains(&if option < other {
                        (one, two)
                    } else {
                        (two, one)
                    })
                })
                .count()
        };
        // Of equal gains the first value, the default: what fails is then easier to read.
        let best = (0..axis.values.len())
            .rev()
            .max_by_key(|&value| gain(value))
            .unwrap_or(0);
        chosen.insert(option, best);
    }
    chosen.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axes() -> Vec<Axis> {
        let axis = |name: &str, values: &[&str]| Axis {
            name: name.to_owned(),
            values: values.iter().map(ToString::to_string).collect(),
            on: values[values.len() - 1].to_owned(),
            off: values[0].to_owned(),
        };
        vec![
            axis("policy", &["always", "refuse", "never"]),
            axis("stop", &["true", "false"]),
            axis("operations", &["create", "read", "create,read"]),
            axis("text", &["only"]),
        ]
    }

    #[test]
    fn every_pair_of_answers_occurs() {
        let axes = axes();
        let chosen = chosen(&axes);
        for (position, one) in axes.iter().enumerate() {
            for other in &axes[position + 1..] {
                for value in &one.values {
                    for second in &other.values {
                        let pair = [
                            (one.name.clone(), value.clone()),
                            (other.name.clone(), second.clone()),
                        ];
                        let has = |it: &Combination| {
                            pair.iter().all(|answer| it.answers.contains(answer))
                        };
                        assert!(chosen.iter().any(has), "{pair:?}");
                    }
                }
            }
        }
        let product: usize = axes.iter().map(|axis| axis.values.len()).product();
        assert!(chosen.len() < product, "{} of {product}", chosen.len());
    }

    #[test]
    fn each_option_alone_is_there_and_nothing_twice() {
        let axes = axes();
        let chosen = chosen(&axes);
        let alone = chosen
            .iter()
            .filter(|it| it.reason == Reason::Alone)
            .count();
        assert_eq!(
            alone,
            axes.iter().map(|axis| axis.values.len() - 1).sum::<usize>()
        );
        let rows: BTreeSet<_> = chosen.iter().map(|it| &it.answers).collect();
        assert_eq!(rows.len(), chosen.len());
    }

    #[test]
    fn the_product_is_whole_and_leaves_the_others_alone() {
        let of = BTreeSet::from(["policy".to_owned(), "stop".to_owned()]);
        let product = product(&axes(), &of);
        assert_eq!(product.len(), 6);
        assert!(product.iter().all(|it| it.answers[2].1 == "create"));
    }
}
