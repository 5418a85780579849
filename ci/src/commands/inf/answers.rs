//! Compares an INF with the answers. What an INF must contain is derived from the answers alone.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, bail};

use super::{
    finding::{Finding, Level, Rule},
    groups::{GROUPS, Group},
    installed::{self, Registry, Value},
    reader::Inf,
};

static VERSION: Rule = Rule {
    name: "answers-version",
    level: Level::Must,
    seen: &[],
    documented: &[],
    asks: "[Version] matches the answers.",
    document: "INF Version Section",
};
static ALTITUDE: Rule = Rule {
    name: "answers-altitude",
    level: Level::Must,
    seen: &[],
    documented: &[],
    asks: "The altitude is the answered one, or a draft if the answer is auto.",
    document: "Load Order Groups and Altitudes for Minifilter Drivers",
};
static REGISTRY: Rule = Rule {
    name: "answers-registry",
    level: Level::Must,
    seen: &[],
    documented: &[],
    asks: "The registry values match the answers.",
    document: "Creating an INF File for a Minifilter Driver",
};

/// The rules for differences between an INF and the answers.
pub static RULES: [&Rule; 3] = [&VERSION, &ALTITUDE, &REGISTRY];

/// The key where the filter manager reads the instances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Below `Parameters`, from Windows 11 version 24H2.
    Parameters,
    /// Beside `Parameters`, in earlier versions.
    Downlevel,
}

impl Layout {
    /// Both layouts.
    pub const ALL: [Self; 2] = [Self::Parameters, Self::Downlevel];

    /// The install section of an emitted INX with this layout.
    #[must_use]
    pub fn section(self) -> &'static str {
        match self {
            Self::Parameters => "DefaultInstall.NT$ARCH$.10.0...25952",
            Self::Downlevel => "DefaultInstall.NT$ARCH$",
        }
    }
}

/// Answers to all options, and the project's name as `project-name`.
pub type Answers<'a> = BTreeMap<&'a str, &'a str>;

fn answer<'a>(answers: &Answers<'a>, option: &str) -> anyhow::Result<&'a str> {
    let answer = answers.get(option).copied();
    answer.with_context(|| format!("there is no answer to {option}, which the INF depends on"))
}

fn flag(answers: &Answers, option: &str) -> anyhow::Result<bool> {
    match answer(answers, option)? {
        "true" => Ok(true),
        "false" => Ok(false),
        other => bail!("{option} is {other}: it must be true or false"),
    }
}

fn chosen<T: Copy>(answers: &Answers, option: &str, choices: &[(&str, T)]) -> anyhow::Result<T> {
    let answer = answer(answers, option)?;
    let found = choices.iter().find(|(choice, _)| *choice == answer);
    found
        .map(|(_, meaning)| *meaning)
        .with_context(|| format!("{option} is {answer}, which is not one of its values"))
}

/// The name of the service, the `.sys`, the instance and the event source.
///
/// # Errors
///
/// `project-name` is missing.
pub fn driver_name(answers: &Answers) -> anyhow::Result<String> {
    Ok(answer(answers, "project-name")?.replace('-', "_"))
}

fn group(answers: &Answers) -> anyhow::Result<&'static Group> {
    let option = answer(answers, "load_order_group")?;
    GROUPS
        .iter()
        .find(|group| group.option == option)
        .with_context(|| format!("{option} is not a load-order group"))
}

/// The bits of `SupportedFeatures`.
///
/// An offloaded copy is a pair of file-system controls. A driver that filters reads or writes, but not file-system
/// controls, does not see the copied data, and must not declare support ("Offloaded Data Transfers"). `BypassIO` is always
/// declared: a driver that does not support it vetoes it ("`BypassIO` for filter drivers").
pub fn supported_features<'a>(operations: impl Iterator<Item = &'a str>) -> u32 {
    const OFFLOAD_READ: u32 = 1;
    const OFFLOAD_WRITE: u32 = 2;
    const QUERY_OPEN: u32 = 4;
    const BYPASS_IO: u32 = 8;
    let operations: BTreeSet<&str> = operations.collect();
    let unseen =
        |operation| operations.contains(operation) && !operations.contains("file-system-control");
    let mut features = BYPASS_IO;
    if operations.contains("query-open") {
        features |= QUERY_OPEN;
    }
    if !unseen("read") {
        features |= OFFLOAD_READ;
    }
    if !unseen("write") {
        features |= OFFLOAD_WRITE;
    }
    features
}

/// The registry values that an installation must write. `altitude` is the expected altitude, which the answer `auto`
/// does not determine.
///
/// # Errors
///
/// An answer is missing or invalid.
pub fn registry(answers: &Answers, layout: Layout, altitude: &str) -> anyhow::Result<Registry> {
    let name = driver_name(answers)?;
    let mut registry = Registry::new();
    let mut put = |key: &str, value: &str, data: Value| {
        let key = if key.is_empty() {
            name.clone()
        } else {
            format!(r"{name}\{key}")
        };
        registry.insert((key, value.to_owned()), data);
    };
    let text = |text: &str| Value::Text(text.to_owned());

    let start = [("boot", 0), ("system", 1), ("auto", 2), ("demand", 3)];
    put("", "DisplayName", text(&name));
    put("", "Description", text(answer(answers, "description")?));
    put(
        "",
        "ImagePath",
        Value::Expanded(format!(r"%13%\{name}.sys")),
    );
    put("", "Type", Value::Number(2));
    put(
        "",
        "Start",
        Value::Number(chosen(answers, "start_type", &start)?),
    );
    put("", "ErrorControl", Value::Number(1));
    put("", "Group", text(group(answers)?.name));
    put(
        "",
        "DependOnService",
        Value::List(vec!["FltMgr".to_owned()]),
    );

    let (features, instances) = match layout {
        Layout::Parameters => ("Parameters", r"Parameters\Instances"),
        Layout::Downlevel => ("", "Instances"),
    };
    let supported = supported_features(answer(answers, "operations")?.split(','));
    put(features, "SupportedFeatures", Value::Number(supported));
    put(instances, "DefaultInstance", text(&name));
    let instance = format!(r"{instances}\{name}");
    let attach = [("automatic", 0), ("manual", 1)];
    put(&instance, "Altitude", text(altitude));
    put(
        &instance,
        "Flags",
        Value::Number(chosen(answers, "attach", &attach)?),
    );

    if flag(answers, "parameters")? {
        put("Parameters", "AttachToNetwork", Value::Number(1));
        put("Parameters", "MaximumInstances", Value::Number(1024));
    }
    if chosen(
        answers,
        "error_log",
        &[("event-log", true), ("debugger", false)],
    )? {
        let source = format!(r"EventLog\System\{name}");
        let files = format!(r"%SystemRoot%\System32\IoLogMsg.dll;%13%\{name}.sys");
        let mut put = |value: &str, data| {
            registry.insert((source.clone(), value.to_owned()), data);
        };
        put("EventMessageFile", Value::Expanded(files));
        put("TypesSupported", Value::Number(7));
    }
    Ok(registry)
}

/// Why an altitude does not match the answers; `None` if it matches.
fn wrong_altitude(answers: &Answers, altitude: &str) -> anyhow::Result<Option<String>> {
    let asked = answer(answers, "altitude")?;
    if asked != "auto" {
        let text = format!("the altitude is {altitude}, and {asked} was answered");
        return Ok((altitude != asked).then_some(text));
    }
    // A long fraction is probably unique, and is not a fraction that Microsoft assigns.
    let fraction = altitude
        .split_once('.')
        .map_or("", |(_, fraction)| fraction);
    let is_draft = (9..=32).contains(&fraction.len()) && !fraction.ends_with('0');
    let group = group(answers)?;
    let text = format!(
        "the altitude {altitude} is not a draft: a draft is in the range of {} and has a fraction of 9 to 32 digits",
        group.name
    );
    Ok((!is_draft || !group.has(altitude)).then_some(text))
}

/// The differences between an INF that follows the rules and the answers.
///
/// # Errors
///
/// An answer is missing or invalid, or the INF lacks a section or directive.
pub fn findings(inf: &Inf, answers: &Answers) -> anyhow::Result<Vec<Finding>> {
    let mut findings = vec![];
    let mut say = |rule: &'static Rule, text: String| {
        findings.push(Finding {
            rule,
            line: None,
            code: None,
            text,
        });
    };

    let (name, group) = (driver_name(answers)?, group(answers)?);
    for (directive, right) in [
        ("Class", group.class),
        ("ClassGuid", &group.class_guid()),
        ("Provider", answer(answers, "provider")?),
        ("CatalogFile", &format!("{name}.cat")),
    ] {
        let found = inf.section("Version").and_then(|it| it.value(directive));
        if found != Some(right) {
            let found = found.unwrap_or("missing");
            say(
                &VERSION,
                format!("[Version] {directive} is {found}, and not {right}"),
            );
        }
    }
    for layout in Layout::ALL {
        let section = layout.section();
        let found = installed::registry(inf, section)?;
        let written = found.iter().find(|((_, value), _)| value == "Altitude");
        let Some((_, Value::Text(altitude))) = written else {
            bail!("[{section}] installs no altitude");
        };
        if let Some(text) = wrong_altitude(answers, altitude)? {
            say(&ALTITUDE, format!("[{section}] {text}"));
        }
        let expected = registry(answers, layout, altitude)?;
        for text in differences(&expected, &found) {
            say(&REGISTRY, format!("[{section}] {text}"));
        }
    }
    Ok(findings)
}

/// The differences between two sets of registry values, a sentence for each.
#[must_use]
pub fn differences(expected: &Registry, found: &Registry) -> Vec<String> {
    let places: BTreeSet<_> = expected.keys().chain(found.keys()).collect();
    let mut differences = vec![];
    for place in places {
        let (key, value) = place;
        differences.push(match (expected.get(place), found.get(place)) {
            (Some(right), None) => format!(r"{key}\{value} is missing, and must be {right}"),
            (None, Some(wrong)) => format!(r"{key}\{value} is {wrong}, and must not exist"),
            (Some(right), Some(wrong)) if right != wrong => {
                format!(r"{key}\{value} is {wrong}, and must be {right}")
            }
            _ => continue,
        });
    }
    differences
}
