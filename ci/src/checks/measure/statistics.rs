//! Medians, and ratios of pairs.

use serde::Serialize;

/// The result of one repetition: our number, and the peer's number if there is a peer.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Pair {
    pub value: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer: Option<f64>,
}

impl Pair {
    /// A number without a peer.
    pub fn alone(value: f64) -> Self {
        Self { value, peer: None }
    }

    /// A number beside that of the peer.
    pub fn beside(value: f64, peer: f64) -> Self {
        Self {
            value,
            peer: Some(peer),
        }
    }
}

/// The result of all repetitions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Reading {
    /// The median.
    pub value: f64,
    /// The median of the peer.
    pub peer: Option<f64>,
    /// The median of the ratios ours/peer of the repetitions. A repetition that is slow as a whole does not change it.
    pub ratio: Option<f64>,
}

impl Reading {
    /// Returns `None` if there are no repetitions. Repetitions without a peer count only for the value.
    pub fn of(pairs: &[Pair]) -> Option<Self> {
        let ratios = pairs.iter().filter_map(|pair| {
            let peer = pair.peer.filter(|peer| *peer > 0.0)?;
            Some(pair.value / peer)
        });
        Some(Self {
            value: median(pairs.iter().map(|pair| pair.value))?,
            peer: median(pairs.iter().filter_map(|pair| pair.peer)),
            ratio: median(ratios),
        })
    }
}

/// The middle number; for an even count, the mean of the two middle numbers.
pub fn median(numbers: impl Iterator<Item = f64>) -> Option<f64> {
    let mut sorted: Vec<f64> = numbers.collect();
    sorted.sort_by(f64::total_cmp);
    let upper = *sorted.get(sorted.len() / 2)?;
    if sorted.len() % 2 == 1 {
        return Some(upper);
    }
    let lower = *sorted.get(sorted.len() / 2 - 1)?;
    Some(f64::midpoint(lower, upper))
}

#[cfg(test)]
mod tests {
    use super::{Pair, Reading, median};

    fn median_of(numbers: &[f64]) -> Option<f64> {
        median(numbers.iter().copied())
    }

    #[test]
    fn a_median_is_the_middle() {
        assert_eq!(median_of(&[]), None);
        assert_eq!(median_of(&[7.0]), Some(7.0));
        assert_eq!(median_of(&[9.0, 1.0, 5.0]), Some(5.0));
        assert_eq!(median_of(&[9.0, 1.0, 5.0, 6.0]), Some(5.5));
        assert_eq!(median_of(&[1.0, 1000.0]), Some(500.5));
    }

    #[test]
    fn a_ratio_is_the_median_of_the_ratios_of_pairs() {
        // The ratio of the medians would be 3.
        let pairs = [
            Pair::beside(1.0, 2.0),
            Pair::beside(3.0, 1.0),
            Pair::beside(10.0, 1.0),
        ];
        assert_eq!(
            Reading::of(&pairs),
            Some(Reading {
                value: 3.0,
                peer: Some(1.0),
                ratio: Some(3.0)
            })
        );
        let slow = [
            Pair::beside(1.0, 2.0),
            Pair::beside(10.0, 20.0),
            Pair::beside(4.0, 2.0),
        ];
        assert_eq!(Reading::of(&slow).unwrap().ratio, Some(0.5));
    }

    #[test]
    fn without_a_peer_there_is_no_ratio() {
        let alone = Reading::of(&[Pair::alone(2.0), Pair::alone(4.0)]).unwrap();
        assert_eq!((alone.value, alone.peer, alone.ratio), (3.0, None, None));
        let nothing = Reading::of(&[Pair::beside(2.0, 0.0)]).unwrap();
        assert_eq!(nothing.ratio, None);
        assert_eq!(Reading::of(&[]), None);
    }
}
