//! Assumed results of calls that the bench does not model.

use serde::{Deserialize, Serialize};

use crate::vocabulary::status;

/// The assumed result of a function that the bench does not model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assumption {
    /// The name of the function.
    pub name: String,
    /// The result, as written by the user.
    pub text: String,
    result: u64,
}

impl Assumption {
    /// Parses `NAME=RESULT`. `RESULT` is the name of a status or a number.
    ///
    /// # Errors
    ///
    /// Returns a message without a final period that describes the error.
    pub fn parse(text: &str) -> Result<Self, String> {
        let Some((name, result)) = text.split_once('=') else {
            return Err(format!(
                "the assumption {text:?} has no result; write NAME=RESULT, such as PsGetVersion=STATUS_SUCCESS"
            ));
        };
        Self::new(name, result)
    }

    /// Creates an assumption from a function name and a result.
    ///
    /// # Errors
    ///
    /// Returns a message without a final period that describes the error.
    pub fn new(name: &str, text: &str) -> Result<Self, String> {
        let is_name = |character: char| character.is_ascii_alphanumeric() || character == '_';
        if name.is_empty() || !name.chars().all(is_name) {
            return Err(format!(
                "{name:?} is not the name of a function; write the name as the driver imports it, such as PsGetVersion"
            ));
        }
        let Some(result) = result(text) else {
            return Err(format!(
                "the result {text:?} of {name} is not known; write the name of a status, such as STATUS_SUCCESS, or a number, decimal or hexadecimal with 0x"
            ));
        };
        Ok(Self {
            name: name.to_owned(),
            text: text.to_owned(),
            result,
        })
    }
}

fn result(text: &str) -> Option<u64> {
    if let Some(name) = text.strip_prefix("STATUS_") {
        return status::by_name(name).map(|status| u64::from(status.0));
    }
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

/// Assumed results by function.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Table", into = "Table")]
pub struct Assumptions(Vec<Assumption>);

/// The serialized form.
type Table = std::collections::BTreeMap<String, String>;

impl Assumptions {
    /// Adds an assumption.
    ///
    /// # Errors
    ///
    /// Returns a message without a final period if the function already has a result.
    pub fn add(&mut self, assumption: Assumption) -> Result<(), String> {
        if self.0.iter().any(|known| known.name == assumption.name) {
            return Err(format!(
                "{} is given two results; give it one",
                assumption.name
            ));
        }
        self.0.push(assumption);
        Ok(())
    }

    /// Adds other assumptions. They replace those for the same functions.
    pub fn replace(&mut self, others: &Assumptions) {
        let replaced = |known: &Assumption| others.0.iter().any(|other| other.name == known.name);
        self.0.retain(|known| !replaced(known));
        self.0.extend(others.0.iter().cloned());
    }

    /// Returns all assumptions.
    #[must_use]
    pub fn all(&self) -> &[Assumption] {
        &self.0
    }

    /// Returns whether there are no assumptions.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the assumed result of a function.
    #[must_use]
    pub fn result(&self, name: &str) -> Option<u64> {
        let mut all = self.0.iter();
        all.find(|assumption| assumption.name == name)
            .map(|assumption| assumption.result)
    }
}

impl TryFrom<Table> for Assumptions {
    type Error = String;

    fn try_from(table: Table) -> Result<Self, String> {
        let all = table
            .iter()
            .map(|(name, text)| Assumption::new(name, text))
            .collect::<Result<_, _>>()?;
        Ok(Self(all))
    }
}

impl From<Assumptions> for Table {
    fn from(assumptions: Assumptions) -> Self {
        let all = assumptions.0.into_iter();
        all.map(|assumption| (assumption.name, assumption.text))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_is_a_status_or_a_number() {
        for (text, result) in [
            ("F=STATUS_SUCCESS", 0),
            ("F=STATUS_ACCESS_DENIED", 0xC000_0022),
            ("F=7", 7),
            ("F=0xFFFF800000000000", 0xFFFF_8000_0000_0000),
        ] {
            let mut assumptions = Assumptions::default();
            assumptions.add(Assumption::parse(text).unwrap()).unwrap();
            assert_eq!(assumptions.result("F"), Some(result), "{text}");
            assert_eq!(assumptions.result("G"), None);
        }
    }

    #[test]
    fn other_text_is_refused_with_the_expected_form() {
        for (text, says) in [
            ("F", "has no result; write NAME=RESULT"),
            ("=0", "is not the name of a function"),
            ("F G=0", "is not the name of a function"),
            ("F=", "the result \"\" of F is not known"),
            ("F=STATUS_NO_SUCH_THING", "is not known"),
            ("F=-1", "is not known"),
        ] {
            let refusal = Assumption::parse(text).unwrap_err();
            assert!(refusal.contains(says), "{text}: {refusal}");
        }
        let mut assumptions = Assumptions::default();
        assumptions.add(Assumption::parse("F=0").unwrap()).unwrap();
        let refusal = assumptions.add(Assumption::parse("F=1").unwrap());
        assert!(refusal.unwrap_err().contains("given two results"));
    }

    #[test]
    fn assumptions_survive_a_round_trip_through_json() {
        let mut assumptions = Assumptions::default();
        assumptions
            .add(Assumption::parse("F=STATUS_PENDING").unwrap())
            .unwrap();
        let text = serde_json::to_string(&assumptions).unwrap();
        assert_eq!(text, r#"{"F":"STATUS_PENDING"}"#);
        let read: Assumptions = serde_json::from_str(&text).unwrap();
        assert_eq!(read.result("F"), Some(0x103));
    }
}
