//! Registry values for a driver: `NAME=type:value` on the command line, `NAME = "type:value"` in the table `[registry]`
//! of `testbench.toml`.
//!
//! Documents: "`KEY_VALUE_BASIC_INFORMATION` structure (wdm.h)" for the types, "Registry Element Size Limits" for
//! names.

use std::fmt;

use serde::de::{Error as _, MapAccess, Visitor};
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// `REG_SZ`.
pub const STRING: u32 = 1;
/// `REG_EXPAND_SZ`.
pub const EXPAND_STRING: u32 = 2;
/// `REG_BINARY`.
pub const BINARY: u32 = 3;
/// `REG_DWORD`.
pub const DWORD: u32 = 4;
/// `REG_MULTI_SZ`.
pub const MULTI_STRING: u32 = 7;
/// `REG_QWORD`.
pub const QWORD: u32 = 11;

/// The types and their names in a setting.
const TYPES: [(&str, u32); 6] = [
    ("dword", DWORD),
    ("qword", QWORD),
    ("string", STRING),
    ("expand-string", EXPAND_STRING),
    ("multi-string", MULTI_STRING),
    ("binary", BINARY),
];

/// The maximum length of a value name, in UTF-16 units.
const LONGEST_NAME: usize = 16_383;
/// The maximum length of a key name.
const LONGEST_KEY: usize = 255;

/// Returns a `REG_DWORD` as written by the user.
#[must_use]
pub fn dword(number: u32) -> String {
    format!("dword:{number}")
}

/// A value in the registry.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Setting {
    /// The name as written by the user: the name of the value, preceded by those of the keys that contain it.
    pub name: String,
    /// The type and the value as written by the user.
    pub text: String,
    kind: u32,
    data: Vec<u8>,
}

impl Setting {
    /// Parses `NAME=type:value`.
    ///
    /// # Errors
    ///
    /// Returns one sentence that names the input and the expected format.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((name, value)) => Self::new(name, value),
            None => Err(format!(
                "{text:?} has no \"=\"; write NAME=TYPE:VALUE, such as Mode=dword:1"
            )),
        }
    }

    /// Parses a name and `type:value`.
    ///
    /// # Errors
    ///
    /// Returns one sentence that names the input and the expected format.
    pub fn new(name: &str, text: &str) -> Result<Self, String> {
        check_name(name)?;
        let names = || TYPES.map(|(name, _)| name).join(", ");
        let Some((kind_name, value)) = text.split_once(':') else {
            return Err(format!(
                "the value {text:?} of {name} has no type; write TYPE:VALUE, such as dword:1, with one of the types {}",
                names()
            ));
        };
        let Some((_, kind)) = TYPES.into_iter().find(|(known, _)| *known == kind_name) else {
            return Err(format!(
                "the type {kind_name:?} of {name} does not exist; the types are {}",
                names()
            ));
        };
        let data =
            data(kind, value).map_err(|why| format!("the value {value:?} of {name} {why}"))?;
        Ok(Setting {
            name: name.to_owned(),
            text: text.to_owned(),
            kind,
            data,
        })
    }

    /// Returns the path of the key, relative to the service key, and the name of the value.
    #[must_use]
    pub fn place(&self) -> (String, &str) {
        let (below, path) = match self.name.strip_prefix('\\') {
            Some(path) => ("", path),
            None => ("Parameters", self.name.as_str()),
        };
        let (keys, value) = path.rsplit_once('\\').unwrap_or(("", path));
        let key = [below, keys].into_iter().filter(|part| !part.is_empty());
        (key.collect::<Vec<_>>().join("\\"), value)
    }

    /// Returns the type, as a registry type number.
    #[must_use]
    pub fn kind(&self) -> u32 {
        self.kind
    }

    /// Returns the data, in the format of the registry.
    #[must_use]
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// Returns whether it is the same value of the same key, without regard to case.
    #[must_use]
    pub fn is_same(&self, other: &Setting) -> bool {
        self.name.to_lowercase() == other.name.to_lowercase()
    }
}

/// Returns the setting name for a value of a key whose path is relative to the service key.
#[must_use]
pub fn name_of(key: &str, value: &str) -> String {
    let first = key.split('\\').next().unwrap_or_default();
    if !first.eq_ignore_ascii_case("Parameters") {
        let key = if key.is_empty() {
            String::new()
        } else {
            format!("{key}\\")
        };
        return format!("\\{key}{value}");
    }
    match key.split_once('\\') {
        Some((_, below)) => format!("{below}\\{value}"),
        None => value.to_owned(),
    }
}

fn check_name(name: &str) -> Result<(), String> {
    let path = name.strip_prefix('\\').unwrap_or(name);
    let parts: Vec<&str> = path.split('\\').collect();
    let lengths = |part: &str| part.encode_utf16().count();
    let (value, keys) = parts.split_last().unwrap_or((&"", &[]));
    if parts.iter().any(|part| part.is_empty()) || name.contains('\0') {
        return Err(format!(
            "the name {name:?} is not one of a value; write NAME for a value of the service's Parameters key, KEY\\NAME for one of a key in it, or \\NAME for one of the service's own key"
        ));
    }
    if lengths(value) > LONGEST_NAME || keys.iter().any(|key| lengths(key) > LONGEST_KEY) {
        return Err(format!(
            "the name {:?}... is too long; a value's name has at most {LONGEST_NAME} characters and a key's {LONGEST_KEY}",
            name.chars().take(40).collect::<String>()
        ));
    }
    Ok(())
}

/// Converts a value to bytes. The error is the end of a sentence.
fn data(kind: u32, value: &str) -> Result<Vec<u8>, String> {
    if value.contains('\0') {
        return Err("has a NUL in it, which ends a string; leave it out".to_owned());
    }
    match kind {
        DWORD => {
            number(value, u64::from(u32::MAX)).map(|number| (number as u32).to_le_bytes().to_vec())
        }
        QWORD => number(value, u64::MAX).map(|number| number.to_le_bytes().to_vec()),
        BINARY => binary(value),
        MULTI_STRING => multi_string(value),
        _ => Ok(terminated(value)),
    }
}

fn terminated(text: &str) -> Vec<u8> {
    text.encode_utf16()
        .chain([0])
        .flat_map(u16::to_le_bytes)
        .collect()
}

fn number(text: &str, most: u64) -> Result<u64, String> {
    let parsed = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) if digits.starts_with(|digit: char| digit.is_ascii_hexdigit()) => {
            u64::from_str_radix(digits, 16).ok()
        }
        None if text.starts_with(|digit: char| digit.is_ascii_digit()) => text.parse().ok(),
        _ => None,
    };
    parsed.filter(|number| *number <= most).ok_or_else(|| {
        format!("is not a number from 0 to {most}; write it in decimal, or in hexadecimal with 0x")
    })
}

fn binary(text: &str) -> Result<Vec<u8>, String> {
    let wrong = "is not made of bytes; write two hexadecimal digits for each, such as 01 FF, with blanks or without";
    let mut data = Vec::new();
    for word in text.split_ascii_whitespace() {
        if !word.len().is_multiple_of(2) || !word.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(wrong.to_owned());
        }
        let pairs = (0..word.len()).step_by(2).map(|at| &word[at..at + 2]);
        data.extend(pairs.filter_map(|pair| u8::from_str_radix(pair, 16).ok()));
    }
    Ok(data)
}

/// Converts strings that are separated by `|`, a character that file names cannot contain.
fn multi_string(text: &str) -> Result<Vec<u8>, String> {
    let mut data = Vec::new();
    if !text.is_empty() {
        for part in text.split('|') {
            if part.is_empty() {
                return Err(
                    "has an empty string in it, which would end the list; write strings with one | between two of them"
                        .to_owned(),
                );
            }
            data.extend(terminated(part));
        }
    }
    data.extend([0, 0]);
    Ok(data)
}

/// Settings with unique names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Settings(Vec<Setting>);

impl Settings {
    /// Returns all settings.
    #[must_use]
    pub fn all(&self) -> &[Setting] {
        &self.0
    }

    /// Returns whether there are no settings.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a setting.
    ///
    /// # Errors
    ///
    /// Returns one sentence if the value is already set.
    pub fn add(&mut self, setting: Setting) -> Result<(), String> {
        if let Some(known) = self.0.iter().find(|known| known.is_same(&setting)) {
            return Err(format!(
                "the value {} is given twice, as {:?} and as {:?}; the registry does not tell names apart by their case, so leave one out",
                setting.name, known.text, setting.text
            ));
        }
        self.0.push(setting);
        Ok(())
    }

    /// Returns settings from names and `type:value`.
    ///
    /// # Errors
    ///
    /// Returns one sentence for an invalid name or value, and for a name that is given twice.
    pub fn of<'a>(values: impl Iterator<Item = (&'a str, String)>) -> Result<Self, String> {
        let mut settings = Self::default();
        for (name, text) in values {
            settings.add(Setting::new(name, &text)?)?;
        }
        Ok(settings)
    }

    /// Adds other settings. They replace those with the same name.
    pub fn replace(&mut self, others: &Settings) {
        self.0
            .retain(|known| !others.0.iter().any(|other| other.is_same(known)));
        self.0.extend(others.0.iter().cloned());
    }
}

impl Serialize for Settings {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for setting in &self.0 {
            map.serialize_entry(&setting.name, &setting.text)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Settings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Table)
    }
}

/// The visitor for a table of settings.
struct Table;

impl<'de> Visitor<'de> for Table {
    type Value = Settings;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a table of values, such as Mode = \"dword:1\"")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Settings, A::Error> {
        let mut settings = Settings::default();
        while let Some(name) = map.next_key::<String>()? {
            let Text(text) = map.next_value()?;
            Setting::new(&name, &text)
                .and_then(|setting| settings.add(setting))
                .map_err(A::Error::custom)?;
        }
        Ok(settings)
    }
}

/// The text of a setting.
struct Text(String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor)
    }
}

struct TextVisitor;

impl Visitor<'_> for TextVisitor {
    type Value = Text;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a string such as \"dword:1\"")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Text, E> {
        Ok(Text(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wide(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    #[test]
    fn every_type_is_converted_to_registry_data() {
        for (text, kind, data) in [
            ("dword:1", DWORD, vec![1, 0, 0, 0]),
            ("dword:0xFFFFFFFF", DWORD, vec![0xFF; 4]),
            ("qword:4294967296", QWORD, vec![0, 0, 0, 0, 1, 0, 0, 0]),
            ("string:", STRING, wide("\0")),
            ("string:a:b=c", STRING, wide("a:b=c\0")),
            (
                "expand-string:%SystemRoot%\\x",
                EXPAND_STRING,
                wide("%SystemRoot%\\x\0"),
            ),
            ("multi-string:", MULTI_STRING, wide("\0")),
            ("multi-string:a,b|c", MULTI_STRING, wide("a,b\0c\0\0")),
            ("binary:", BINARY, vec![]),
            ("binary:01ff", BINARY, vec![1, 0xFF]),
            ("binary: 01 FF00 ", BINARY, vec![1, 0xFF, 0]),
        ] {
            let setting = Setting::parse(&format!("Mode={text}")).unwrap();
            assert_eq!((setting.kind, setting.data), (kind, data), "{text}");
        }
    }

    #[test]
    fn invalid_settings_are_refused_with_a_sentence() {
        for (text, refusal) in [
            (
                "Mode",
                "\"Mode\" has no \"=\"; write NAME=TYPE:VALUE, such as Mode=dword:1",
            ),
            (
                "Mode=1",
                "the value \"1\" of Mode has no type; write TYPE:VALUE, such as dword:1, with one of the types dword, qword, string, expand-string, multi-string, binary",
            ),
            (
                "Mode=DWORD:1",
                "the type \"DWORD\" of Mode does not exist; the types are dword, qword, string, expand-string, multi-string, binary",
            ),
            (
                "=dword:1",
                "the name \"\" is not one of a value; write NAME for a value of the service's Parameters key, KEY\\NAME for one of a key in it, or \\NAME for one of the service's own key",
            ),
            (
                "Mode=dword:4294967296",
                "the value \"4294967296\" of Mode is not a number from 0 to 4294967295; write it in decimal, or in hexadecimal with 0x",
            ),
            (
                "Mode=dword:-1",
                "the value \"-1\" of Mode is not a number from 0 to 4294967295; write it in decimal, or in hexadecimal with 0x",
            ),
            (
                "Mode=qword:",
                "the value \"\" of Mode is not a number from 0 to 18446744073709551615; write it in decimal, or in hexadecimal with 0x",
            ),
            (
                "Mode=binary:012",
                "the value \"012\" of Mode is not made of bytes; write two hexadecimal digits for each, such as 01 FF, with blanks or without",
            ),
            (
                "Mode=binary:\u{661}\u{662}",
                "the value \"\u{661}\u{662}\" of Mode is not made of bytes; write two hexadecimal digits for each, such as 01 FF, with blanks or without",
            ),
            (
                "Mode=multi-string:a||b",
                "the value \"a||b\" of Mode has an empty string in it, which would end the list; write strings with one | between two of them",
            ),
            (
                "Mode=string:a\0b",
                "the value \"a\\0b\" of Mode has a NUL in it, which ends a string; leave it out",
            ),
        ] {
            assert_eq!(Setting::parse(text).unwrap_err(), refusal);
        }
        for name in ["\\", "a\\", "a\\\\b", "\\\\a", "a\0"] {
            let refusal = Setting::new(name, "dword:1").unwrap_err();
            assert!(
                refusal.contains("is not one of a value"),
                "{name:?}: {refusal}"
            );
        }
        let long = "x".repeat(LONGEST_NAME + 1);
        let refusal = Setting::new(&long, "dword:1").unwrap_err();
        assert!(
            refusal.contains("is too long") && refusal.len() < 300,
            "{refusal}"
        );
        for number in ["0x", "0x+1", "+1", "1_000", " 1", "0b1"] {
            assert!(
                Setting::new("a", &format!("dword:{number}")).is_err(),
                "{number}"
            );
        }
    }

    #[test]
    fn a_name_specifies_the_key_of_the_value() {
        for (name, key, value) in [
            ("Mode", "Parameters", "Mode"),
            ("Sub\\Deep\\Mode", "Parameters\\Sub\\Deep", "Mode"),
            ("\\Mode", "", "Mode"),
            ("\\Sub\\Mode", "Sub", "Mode"),
        ] {
            let setting = Setting::new(name, "dword:1").unwrap();
            assert_eq!(setting.place(), (key.to_owned(), value));
            assert_eq!(name_of(key, value), name);
        }
    }

    #[test]
    fn a_value_is_set_once_and_replaced_by_a_later_source() {
        let setting = |text| Setting::parse(text).unwrap();
        let mut settings = Settings::default();
        settings.add(setting("Mode=dword:1")).unwrap();
        assert_eq!(
            settings.add(setting("MODE=dword:2")).unwrap_err(),
            "the value MODE is given twice, as \"dword:1\" and as \"dword:2\"; the registry does not tell names apart by their case, so leave one out"
        );
        let mut others = Settings::default();
        others.add(setting("mode=dword:3")).unwrap();
        others.add(setting("Other=string:x")).unwrap();
        settings.replace(&others);
        let texts: Vec<_> = settings.all().iter().map(|setting| &setting.text).collect();
        assert_eq!(texts, ["dword:3", "string:x"]);
    }
}
