//! The combinations of answers that are tried. They are derived from the declared options, so that a new option needs
//! no change here.

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
    /// The answers, as pairs of option and value.
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
    /// All options have their defaults.
    Defaults,
    /// One option does not have its default.
    Alone,
    /// Every option is on.
    Everything,
    /// Every option is off.
    Nothing,
    /// It adds pairs of answers that the other combinations lack.
    Pairs,
    /// It is part of the product of some options.
    Product,
    /// The command line names it.
    Asked,
}

impl Reason {
    /// Whether it is one of the few combinations that together contain every answer.
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
    /// The answer that enables the most.
    pub on: String,
    /// The answer that enables the least.
    pub off: String,
}

impl Axis {
    /// The answers that are tried for an option.
    ///
    /// A list is tried with each of its items and with all of them. Free text is tried with its default only; the
    /// hostile answers test other text.
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
            // The default enables the most, and the last choice the least.
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
/// everything off, and as many more as are needed for every pair of answers to occur.
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

/// The combination with the defaults.
#[must_use]
pub fn defaults(axes: &[Axis]) -> Combination {
    Combination {
        answers: axes
            .iter()
            .map(|axis| (axis.name.clone(), axis.values[0].clone()))
            .collect(),
        reason: Reason::Defaults,
    }
}

/// The combination with everything on.
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

/// The product of the options in `of`, with the defaults of the others. Consecutive rows differ in the option with the
/// most answers, a list whose items add one file each. Other options change more of a build.
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

/// The rows as combinations, without duplicates.
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

/// An answer: the index of the option, and the index of its value.
type Answer = (usize, usize);

/// Rows that contain every pair of answers that `rows` lack. The algorithm is greedy: each row starts with a missing
/// pair, and takes for every other option the value that adds the most missing pairs.
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

/// Removes the pairs of a row from `missing`.
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
        // If the gains are equal, the first value, which is the default: a failure is then easier to understand.
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
    fn the_product_is_complete_and_keeps_other_options_at_their_defaults() {
        let of = BTreeSet::from(["policy".to_owned(), "stop".to_owned()]);
        let product = product(&axes(), &of);
        assert_eq!(product.len(), 6);
        assert!(product.iter().all(|it| it.answers[2].1 == "create"));
    }
}
