//! Splits a list of work into equal parts, for several machines.

use std::{fmt, str::FromStr};

/// One of several equal parts.
#[derive(Clone, Copy, Debug)]
pub struct Shard {
    number: usize,
    of: usize,
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text
            .split_once('/')
            .map(|(number, of)| (number.parse(), of.parse()));
        match parts {
            Some((Ok(number), Ok(of))) if (1..=of).contains(&number) => Ok(Self { number, of }),
            _ => Err(format!(
                "{text} is not a valid part: write K/N with K from 1 to N, such as 2/4"
            )),
        }
    }
}

impl Shard {
    /// The items of this part.
    #[must_use]
    pub fn keep<T>(self, all: Vec<T>) -> Vec<T> {
        let mine = |&(position, _): &(usize, T)| position % self.of == self.number - 1;
        all.into_iter()
            .enumerate()
            .filter(mine)
            .map(|(_, item)| item)
            .collect()
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_have_every_item_once() {
        let part = |text: &str| text.parse::<Shard>().unwrap();
        let mut all: Vec<i32> = (1..=3)
            .flat_map(|number| part(&format!("{number}/3")).keep((0..10).collect()))
            .collect();
        all.sort_unstable();
        assert_eq!(all, (0..10).collect::<Vec<_>>());
        assert_eq!(part("2/4").to_string(), "2/4");
    }

    #[test]
    fn an_invalid_part_is_refused() {
        for text in ["0/4", "5/4", "1", "a/b", "1/0", ""] {
            assert_eq!(
                text.parse::<Shard>().unwrap_err(),
                format!("{text} is not a valid part: write K/N with K from 1 to N, such as 2/4")
            );
        }
    }
}
