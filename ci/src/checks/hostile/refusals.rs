//! Checks a refusal: the reason is true, and the message names the refused answer and is readable.

use anyhow::{Context, bail, ensure};
use heck::{ToKebabCase, ToSnakeCase};

use super::answers::Case;
use crate::{
    checks::render::Renderer,
    commands::{
        inf::groups::GROUPS,
        options::{Declared, Kind},
    },
};

/// The most characters of a message. The longest one lists the operations, and quotes 60 characters, all escaped.
const LONGEST: usize = 1_200;

/// The tokens that stampinf replaces in an INF.
pub const STAMPED: [&str; 5] = [
    "$ARCH$",
    "$KMDFVERSION$",
    "$KMDFCOINSTALLERVERSION$",
    "$UMDFVERSION$",
    "$UMDFCOINSTALLERVERSION$",
];

/// Whether a name is reserved for a device on Windows.
pub fn is_device(name: &str) -> bool {
    let numbered = |port| {
        name.strip_prefix(port)
            .is_some_and(|it| it.len() == 1 && it.as_bytes()[0].is_ascii_digit())
    };
    ["con", "prn", "aux", "nul"].contains(&name) || numbered("com") || numbered("lpt")
}

/// Checks a refusal, and returns the rule that the message states.
pub fn judge(case: &Case, sentence: &str, renderer: &Renderer) -> anyhow::Result<&'static str> {
    ensure!(
        sentence == crate::visible(sentence) && !sentence.contains(['\n', '\t']),
        "the message has control characters for a terminal"
    );
    ensure!(
        sentence.chars().count() <= LONGEST,
        "the message has more than {LONGEST} characters"
    );
    let first = sentence.split_once(" \"");
    let option = first.and_then(|(name, _)| renderer.options().iter().find(|it| it.name == name));
    if let Some(option) = option {
        return answer(case, option, &sentence[option.name.len() + 1..]);
    }
    if let Some((named, rest)) = sentence.split_once(" cannot be the project's name: ") {
        return name(case, named, rest, renderer);
    }
    if let Some((_, rest)) = sentence.split_once(" is no option: ") {
        let all = renderer.options().iter().all(|it| rest.contains(&it.name));
        ensure!(all, "it does not list the options");
        return unknown_option(case, renderer);
    }
    if sentence.contains(" gives no answer: ") {
        return unknown_option(case, renderer);
    }
    let (rule, right) = if sentence.starts_with("The altitude ") {
        let right = outside(case, sentence, renderer)?;
        ("altitude: outside the group's range", right)
    } else if sentence.starts_with("The list of operations is empty") {
        let empty = case
            .answer("operations")
            .is_some_and(|it| it.split(',').all(str::is_empty));
        ("operations: none", empty)
    } else if let Some(rest) = sentence.strip_prefix("The operation ") {
        let operation = rest.split(' ').next().unwrap_or_default();
        let times = case
            .answer("operations")
            .map(|it| it.split(',').filter(|it| *it == operation).count());
        ("operations: one twice", times > Some(1))
    } else if sentence.starts_with("update_workflow is a workflow of GitHub") {
        let none = ["", "none"].map(Some);
        let right = case.answer("pipeline") == Some("azure")
            && !none.contains(&case.answer("update_workflow").or(none[0]));
        ("update_workflow: without effect", right)
    } else if sentence.contains("stampinf") {
        let option = if sentence.contains(" cannot be the provider: ") {
            "provider"
        } else {
            "description"
        };
        let upper = case.answer(option).unwrap_or_default().to_ascii_uppercase();
        (
            "stampinf would change it",
            STAMPED.iter().any(|it| upper.contains(it)),
        )
    } else if sentence.contains(" cannot be the provider: ") {
        let provider = case.answer("provider").unwrap_or_default();
        let microsoft = provider
            .get(..9)
            .is_some_and(|it| it.eq_ignore_ascii_case("microsoft"));
        ("provider: Microsoft", microsoft)
    } else {
        bail!("no rule has this message")
    };
    ensure!(right, "the stated reason is false");
    Ok(rule)
}

fn unknown_option(case: &Case, renderer: &Renderer) -> anyhow::Result<&'static str> {
    let known = |name: &str| renderer.options().iter().any(|option| option.name == name);
    // A name ends at its first `=`.
    let wrong = case
        .answers
        .iter()
        .any(|(name, _)| name.contains('=') || !known(name.trim_end()));
    ensure!(wrong, "all options are known");
    Ok("an option that does not exist")
}

/// Whether the altitude is not one of the group's, and the sentence names the group that has it.
fn outside(case: &Case, sentence: &str, renderer: &Renderer) -> anyhow::Result<bool> {
    let answer = |name: &str| {
        let default = || {
            Some(
                &renderer
                    .options()
                    .iter()
                    .find(|it| it.name == name)?
                    .default,
            )
        };
        case.answer(name)
            .or_else(|| default().map(String::as_str))
            .context("the template has no such option")
    };
    let (altitude, chosen) = (answer("altitude")?, answer("load_order_group")?);
    let group = GROUPS
        .iter()
        .find(|group| group.option == chosen)
        .context("there is no such group")?;
    let place = GROUPS.iter().find(|group| group.has(altitude)).map_or_else(
        || "outside the ranges of all groups of the template".to_owned(),
        |owner| format!("in the range of {} ({})", owner.name, owner.option),
    );
    let right = format!(
        "The altitude {altitude} is {place}. For {}, write auto, or a number from {} to {}.",
        group.name,
        group.altitudes.start(),
        group.altitudes.end()
    );
    Ok(sentence == right && !group.has(altitude))
}

fn name(case: &Case, named: &str, rest: &str, renderer: &Renderer) -> anyhow::Result<&'static str> {
    let snake = case.name.to_snake_case();
    let written = if snake == case.name {
        snake
    } else {
        case.name.to_kebab_case()
    };
    let length = written.chars().count();
    let head: String = written.chars().take(60).collect();
    ensure!(
        if length > 60 {
            named == format!("\"{head}…\" ({length} characters)")
        } else {
            named == format!("\"{written}\"")
        },
        "it does not name {written:?}"
    );
    // The name that the message proposes must be accepted.
    let proposed = rest
        .rsplit(' ')
        .next()
        .and_then(|it| it.strip_suffix('.'))
        .context("it proposes no name")?;
    if let Err(failure) = renderer.render(proposed, &[]) {
        bail!("it proposes {proposed}, but {failure}");
    }
    let well_formed = well_formed(&written);
    let (rule, right) = if rest.starts_with("it takes lower-case letters") {
        ("name: its shape", !well_formed)
    } else if rest.starts_with("it is a Rust keyword") {
        // Checked without a parser, which accepts reserved words. Weak keywords must not be refused.
        let weak = [
            "union",
            "raw",
            "safe",
            "default",
            "auto",
            "macro-rules",
            "dyn-star",
        ];
        (
            "name: a Rust keyword",
            well_formed && !weak.contains(&written.as_str()),
        )
    } else if rest.starts_with("it is the name of a Windows device") {
        ("name: a Windows device", is_device(&written))
    } else if rest.starts_with("it is the name of a crate") {
        ("name: a crate", well_formed)
    } else if rest.starts_with("it is the name of") {
        ("name: another filter or service", well_formed)
    } else {
        bail!("no rule has this message")
    };
    ensure!(right, "the stated reason is false");
    Ok(rule)
}

/// Whether a project's name is well formed.
pub fn well_formed(name: &str) -> bool {
    name.len() <= 32
        && name.starts_with(|it: char| it.is_ascii_lowercase())
        && name
            .chars()
            .all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '-')
}

/// Checks a refusal by the declaration of an option. `rest` is the message after the option's name.
fn answer(case: &Case, declared: &Declared, rest: &str) -> anyhow::Result<&'static str> {
    let option = declared.name.as_str();
    // Each answer to an option is checked, even if a later one replaces it.
    let given = case
        .answers
        .iter()
        .filter(|(name, _)| name.trim_end() == option);
    let mut values = given.map(|(_, value)| value.trim_start());
    let quoted = |value: &str| {
        let length = value.chars().count();
        if length > 60 {
            let head: String = value.chars().take(60).collect();
            let head = format!("{head:?}");
            format!("{}…\" ({length} characters)", &head[..head.len() - 1])
        } else {
            format!("{value:?}")
        }
    };
    let named = |value: &str| {
        let reason = rest.strip_prefix(quoted(value).as_str());
        reason.is_some_and(|it| it.starts_with(": "))
    };
    let (rule, right) = match &declared.kind {
        Kind::Text { .. } if option == "altitude" => {
            let right = values.any(|it| named(it) && !is_altitude(it));
            ("altitude: its shape", right)
        }
        Kind::Text { .. } if option == "license_year" => {
            let right = values.any(|it| named(it) && !is_year(it));
            ("license_year: its shape", right)
        }
        Kind::Text { .. } if option == "update_workflow" => {
            let right = values.any(|it| named(it) && !is_address(it));
            ("update_workflow: its shape", right)
        }
        Kind::Text { .. } => {
            let right = values.any(|it| named(it) && !is_line(it));
            ("description, provider: printable ASCII", right)
        }
        Kind::Choice(choices) => {
            let right =
                values.any(|it| named(it) && choices.iter().all(|choice| choice.value != it));
            ("not one of the choices", right)
        }
        Kind::Flag => {
            let flag =
                |it: &str| it.eq_ignore_ascii_case("true") || it.eq_ignore_ascii_case("false");
            (
                "neither true nor false",
                values.any(|it| named(it) && !flag(it)),
            )
        }
        Kind::List(choices) => {
            let unknown =
                |it: &str| !it.is_empty() && choices.iter().all(|choice| choice.value != it);
            let right = values.any(|it| it.split(',').any(|it| named(it) && unknown(it)));
            ("not one of the choices, in a list", right)
        }
    };
    ensure!(right, "the stated reason is false");
    Ok(rule)
}

/// Whether a text is a line of printable ASCII without white space at its ends.
pub fn is_line(text: &str) -> bool {
    (1..=255).contains(&text.len())
        && text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
        && text.trim() == text
}

/// Whether a text is an address of a repository, or says that there is none.
fn is_address(text: &str) -> bool {
    let plain = |it: char| it.is_ascii_alphanumeric() || "._~/:@%+-".contains(it);
    ["", "none"].contains(&text)
        || text
            .strip_prefix("https://")
            .is_some_and(|rest| !rest.is_empty() && rest.chars().all(plain))
}

/// Whether a text is `auto`, or a year from 1900 to 2099.
fn is_year(text: &str) -> bool {
    let is_number = text.len() == 4 && text.bytes().all(|byte| byte.is_ascii_digit());
    let year = text.parse::<u16>().ok().filter(|_| is_number);
    text == "auto" || year.is_some_and(|year| (1900..2100).contains(&year))
}

/// Whether a text is `auto`, or a decimal number that the filter manager can read.
pub fn is_altitude(text: &str) -> bool {
    let digits = |text: &str, most: usize| {
        (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    let (integer, fraction) = text.split_once('.').unwrap_or((text, "0"));
    text == "auto" || (digits(integer, 6) && !integer.starts_with('0') && digits(fraction, 32))
}
