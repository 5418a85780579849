//! The registry values that an INF writes.

use std::{collections::BTreeMap, fmt};

use anyhow::Context;

use super::reader::{Inf, Section};

/// Registry values, by their key below `HKLM\System\CurrentControlSet\Services` and by their name.
pub type Registry = BTreeMap<(String, String), Value>;

/// A registry value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// `REG_SZ`
    Text(String),
    /// `REG_EXPAND_SZ`
    Expanded(String),
    /// `REG_DWORD`
    Number(u32),
    /// `REG_MULTI_SZ`
    List(Vec<String>),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Expanded(text) => write!(f, "{text:?}, to be expanded"),
            Self::Number(number) => write!(f, "0x{number:x}"),
            Self::List(list) => write!(f, "{list:?}"),
        }
    }
}

/// Parses a number of an INF: decimal, or hexadecimal with the prefix `0x`.
#[must_use]
pub fn number(text: &str) -> Option<u32> {
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

/// The registry values that an install section writes, as documented in "INF `AddService` Directive" and "INF `AddReg`
/// Directive".
///
/// # Errors
///
/// A section or directive is missing, or a value is invalid.
pub fn registry(inf: &Inf, install: &str) -> anyhow::Result<Registry> {
    let section = |name: &str| {
        inf.section(name)
            .with_context(|| format!("there is no section [{name}]"))
    };
    let services = format!("{install}.Services");
    let added = section(&services)?
        .entry("AddService")
        .with_context(|| format!("[{services}] adds no service"))?;
    let (name, service) = (added.value(0), section(added.value(2))?);

    let mut registry = Registry::new();
    let mut put = |value: &str, data: Value| {
        registry.insert((name.to_owned(), value.to_owned()), data);
    };
    let text = |key: &str| {
        let value = service.value(key);
        let value = value.with_context(|| format!("[{}] has no {key}", service.name))?;
        anyhow::Ok(value.to_owned())
    };
    for (value, key) in [
        ("DisplayName", "DisplayName"),
        ("Description", "Description"),
        ("Group", "LoadOrderGroup"),
    ] {
        put(value, Value::Text(text(key)?));
    }
    for (value, key) in [
        ("Type", "ServiceType"),
        ("Start", "StartType"),
        ("ErrorControl", "ErrorControl"),
    ] {
        let text = text(key)?;
        put(
            value,
            Value::Number(number(&text).with_context(|| format!("{text} is not a number"))?),
        );
    }
    put("ImagePath", Value::Expanded(text("ServiceBinary")?));
    let depends_on = service.entry("Dependencies");
    let depends_on = depends_on.map_or(Vec::new(), |entry| entry.values.clone());
    put("DependOnService", Value::List(depends_on));

    let written = |of: &Section, root: &str| {
        let lists = of.entry("AddReg").map_or(&[][..], |entry| &entry.values);
        let mut values = Registry::new();
        for list in lists {
            for entry in &section(list)?.entries {
                let key = [root, entry.value(1)].join("\\");
                let (value, data) = (entry.value(2), entry.value(4));
                let data = match number(entry.value(3)) {
                    Some(0) => Value::Text(data.to_owned()),
                    Some(0x0002_0000) => Value::Expanded(data.to_owned()),
                    Some(0x0001_0001) => {
                        Value::Number(number(data).with_context(|| format!("{data} is no number"))?)
                    }
                    _ => anyhow::bail!("{value} has the unknown type {}", entry.value(3)),
                };
                values.insert(
                    (key.trim_end_matches('\\').to_owned(), value.to_owned()),
                    data,
                );
            }
        }
        anyhow::Ok(values)
    };
    registry.extend(written(service, name)?);
    if added.values.len() > 3 {
        let source = format!(r"EventLog\System\{name}");
        registry.extend(written(section(added.value(3))?, &source)?);
    }
    Ok(registry)
}
