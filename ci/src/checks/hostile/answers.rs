//! Generates hostile answers: modified valid answers, syntax of other languages, and random text.

use std::fmt;

use fastrand::Rng;

use crate::commands::options::{Choice, Declared, Kind};

/// A project's name and answers to some options, as on a command line.
#[derive(Clone, Debug)]
pub struct Case {
    /// The seed that determines the case.
    pub seed: u64,
    /// The project's name.
    pub name: String,
    /// The answers.
    pub answers: Vec<(String, String)>,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seed {}, name {:?}", self.seed, self.name)?;
        for (option, value) in &self.answers {
            write!(f, ", {option:?} = {value:?}")?;
        }
        Ok(())
    }
}

/// Syntax of file formats, languages, shells and terminals.
const BLOCKS: &[&str] = &[
    "\"",
    "\"\"",
    "\"\"\"",
    "'",
    "'''",
    "`",
    "```",
    "\\",
    "\\\\",
    "\\\"",
    "\\n",
    "\\u{0}",
    "/",
    "//",
    "/*",
    "*/",
    "#",
    "##",
    "#!",
    "#[",
    "r#\"",
    ";",
    ";;",
    ",",
    ":",
    "::",
    "=",
    "==",
    "===",
    "---",
    "...",
    "|",
    "||",
    "&",
    "&&",
    "&amp;",
    "&#0;",
    "<",
    ">",
    "<b>",
    "</b>",
    "<!--",
    "-->",
    "<script>",
    "*",
    "**",
    "_",
    "__",
    "~",
    "~~",
    "$",
    "$$",
    "$x$",
    "^",
    "^x^",
    "~x~",
    "==x==",
    "!",
    "![a](b)",
    "[a](b)",
    "[a]: b",
    "[^1]",
    "[x]",
    "[ ]",
    "[[a]]",
    "[",
    "]",
    "(",
    ")",
    "{",
    "}",
    "{#a}",
    "{{",
    "}}",
    "{{ x }}",
    "{{x}}",
    "{{-",
    "-}}",
    "{{ crate_name }}",
    "{{ description | upcase }}",
    "{%",
    "%}",
    "{%-",
    "-%}",
    "{% if x %}",
    "{% endif %}",
    "{% raw %}",
    "{% endraw %}",
    "{% comment %}",
    "{% include 'x' %}",
    "${name}",
    "${",
    "$(whoami)",
    "$env:PATH",
    "$true",
    "@{",
    "@(",
    "@\"",
    "%",
    "%%",
    "%%%",
    "%1",
    "%s",
    "%n",
    "%PATH%",
    "%SystemRoot%",
    "%13%",
    "%ServiceName%",
    "%Altitude%",
    "[Version]",
    "[Strings]",
    "HKR,",
    "- ",
    "+ ",
    "* ",
    "> ",
    "1. ",
    "1) ",
    "# ",
    ": ",
    "!!",
    "&a",
    "*a",
    "? ",
    "@user",
    "#1",
    ":smile:",
    "a@b.example",
    "https://example.com",
    "www.example.com",
    "ftp://a",
    "../",
    "..",
    ".",
    "..\\",
    "C:\\",
    "\\\\.\\",
    "/etc/passwd",
    "~/",
    "null",
    "true",
    "false",
    "yes",
    "no",
    "0",
    "1e5",
    "0x1F",
    "-1",
    "NaN",
    " ",
    "  ",
    "   ",
    "Microsoft",
    "microsoft ",
    "Runtime error: ",
    " (line 1, position 1)",
    " cargo-generate leaves the empty folder ",
    "Script: ",
    "throw",
    "fn main() {}",
    "variable::get(\"x\")",
    "print(1)",
    "abort()",
    "name = \"x\"",
];

/// Syntax that is special at the beginning of a text.
const HEADS: &[&str] = &[
    "- ",
    "+ ",
    "* ",
    "> ",
    "# ",
    "1. ",
    "1) ",
    "12) ",
    ": ",
    "=",
    "---",
    "***",
    "```",
    "~~~",
    "|",
    "<b>",
    "[a]: ",
    "Microsoft",
    "microsoft ",
    "MICROSOFT",
    "mIcRosoft's",
];

/// Characters that no answer may contain, including control characters that must not be printed to a terminal.
const FOREIGN: &[&str] = &[
    "\0",
    "\n",
    "\r",
    "\r\n",
    "\t",
    "\u{b}",
    "\u{c}",
    "\u{1b}[31m",
    "\u{1b}]0;x\u{7}",
    "\u{7f}",
    "\u{85}",
    "\u{9b}1m",
    "\u{a0}",
    "\u{ad}",
    "\u{61c}",
    "\u{200b}",
    "\u{200d}",
    "\u{200e}",
    "\u{200f}",
    "\u{2028}",
    "\u{2029}",
    "\u{202a}",
    "\u{202e}",
    "\u{2066}",
    "\u{2069}",
    "\u{feff}",
    "\u{fff9}",
    "\u{fffd}",
    "\u{e0041}",
    "\u{10ffff}",
    "é",
    "e\u{301}",
    "ß",
    "ǆ",
    "İ",
    "ſ",
    "ﬁ",
    "中文",
    "日本語",
    "שלום",
    "مرحبا",
    "हिन्दी",
    "ไทย",
    "𝒳",
    "👩‍👩‍👧",
    "１",
    "Ａ",
    "；",
    "％",
    "“",
    "”",
    "–",
];

/// Tokens that stampinf replaces in an INF, and similar text.
const STAMPED: &[&str] = &[
    "$ARCH$",
    "$arch$",
    "$Arch$",
    "$KMDFVERSION$",
    "$KMDFCOINSTALLERVERSION$",
    "$UMDFVERSION$",
    "$umdfcoinstallerversion$",
    "$ARCH",
    "ARCH$",
    "$$ARCH$$",
];

/// Reserved names, names in use, and parts of such names.
const NAMES: &[&str] = &[
    "fn",
    "self",
    "Self",
    "crate",
    "super",
    "type",
    "async",
    "gen",
    "union",
    "try",
    "abstract",
    "yield",
    "static",
    "macro_rules",
    "dyn",
    "raw",
    "safe",
    "default",
    "auto",
    "con",
    "prn",
    "aux",
    "nul",
    "com1",
    "com9",
    "lpt1",
    "lpt0",
    "conin$",
    "com¹",
    "ntfs",
    "fltmgr",
    "fastfat",
    "wcifs",
    "bindflt",
    "luafv",
    "wof",
    "mup",
    "npfs",
    "minispy",
    "passthrough",
    "nullfilter",
    "core",
    "std",
    "alloc",
    "test",
    "proc_macro",
    "wdk",
    "wdk-sys",
    "wdk_sys",
    "WdkSys",
    "wdk build",
    "bindgen",
    "testbench",
    "my-filter",
    "my_filter",
    "driver",
    "src",
    "build",
    "target",
    "client",
    "a",
    "x1",
    "zzz",
    "filter",
    "minifilter",
    "null",
    "true",
    "false",
];

/// Valid answers, which are modified.
const TEXTS: &[&str] = &[
    "A file-system minifilter driver",
    "Example Company",
    "A \"B\" & 100% Co; [x] {y}",
    "Contoso, Ltd.",
    "x",
];
/// Years and texts that are almost years.
const YEARS: &[&str] = &[
    "auto", "1900", "1999", "2026", "2099", "1899", "2100", "20266",
];

/// Addresses and texts that are almost addresses.
const ADDRESSES: &[&str] = &[
    "none",
    "https://github.com/example/template",
    "https://x@git.example.com:8443/a%20b.git",
    "http://example.com/a",
    "https://",
    "https://a b",
    "https://a\"b",
    "https://a/$(id)",
];

const ALTITUDES: &[&str] = &[
    "auto",
    "370030",
    "370030.5",
    "365999.123456789",
    "389999",
    "360000",
    "141999.25",
    "1",
    "999999",
];

impl Case {
    /// The case of a seed.
    #[must_use]
    pub fn of(seed: u64, options: &[Declared]) -> Self {
        let mut rng = Rng::with_seed(seed);
        let rng = &mut rng;
        let mut case = Self {
            seed,
            name: "my-filter".to_owned(),
            answers: Vec::new(),
        };
        // Most answers are valid; otherwise every case would be refused.
        for option in options {
            // An altitude is valid in one load-order group only.
            if rng.u8(..4) == 0 && option.name != "altitude" {
                case.answers
                    .push((option.name.clone(), valid(rng, &option.kind)));
            }
        }
        if rng.u8(..3) == 0 {
            case.name = name(rng);
        }
        let nasty = if rng.u8(..8) == 0 { 3 } else { 1 };
        for _ in 0..nasty {
            let lines = |it: &&Declared| is_free(it);
            let option = match rng.u8(..8) {
                0 => options.iter().find(|it| it.name == "altitude"),
                1 => rng.choice(options),
                _ => rng.choice(options.iter().filter(lines).collect::<Vec<_>>()),
            };
            if let Some(option) = option {
                let value = bent(rng, option);
                case.answers.push((option.name.clone(), value));
            }
        }
        if rng.u8(..100) == 0 {
            let option = if rng.bool() {
                nasty_text(rng)
            } else {
                "altitud".to_owned()
            };
            case.answers.push((option, "auto".to_owned()));
        }
        case
    }

    /// The answers, as pairs of option and value.
    #[must_use]
    pub fn answers(&self) -> Vec<(&str, &str)> {
        self.answers
            .iter()
            .map(|(option, value)| (option.as_str(), value.as_str()))
            .collect()
    }

    /// The last answer to an option, without leading white space.
    #[must_use]
    pub fn answer(&self, option: &str) -> Option<&str> {
        self.answers
            .iter()
            .rev()
            .find(|(name, _)| name.trim_end() == option)
            .map(|(_, value)| value.trim_start())
    }
}

fn pick<'a>(rng: &mut Rng, from: &[&'a str]) -> &'a str {
    from[rng.usize(..from.len())]
}

fn valid(rng: &mut Rng, kind: &Kind) -> String {
    let one = |rng: &mut Rng, choices: &[Choice]| choices[rng.usize(..choices.len())].value.clone();
    match kind {
        Kind::Text { shape, .. } => {
            let fitting: Vec<&str> = TEXTS
                .iter()
                .chain(ALTITUDES)
                .chain(YEARS)
                .chain(ADDRESSES)
                .copied()
                .filter(|text| shape.is_match(text))
                .collect();
            pick(rng, &fitting).to_owned()
        }
        Kind::Choice(choices) => one(rng, choices),
        Kind::Flag => rng.bool().to_string(),
        Kind::List(choices) => {
            let mut some = choices.clone();
            rng.shuffle(&mut some);
            some.truncate(1 + rng.usize(..some.len()));
            let some: Vec<_> = some.into_iter().map(|choice| choice.value).collect();
            some.join(",")
        }
    }
}

/// Whether an option takes any line of text.
fn is_free(option: &Declared) -> bool {
    matches!(&option.kind, Kind::Text { shape, .. } if shape.is_match("any line"))
}

/// A hostile answer to an option.
fn bent(rng: &mut Rng, option: &Declared) -> String {
    match &option.kind {
        Kind::Text { .. } if option.name == "altitude" => match rng.u8(..8) {
            0 => nasty_text(rng),
            1 => format!("{}.{}", rng.u32(..1_000_000), rng.u128(..)),
            2 => rng.u32(355_000..395_000).to_string(),
            3 => format!("{}.5", [359_999, 360_000, 389_999, 390_000][rng.usize(..4)]),
            _ => mutated(rng, ALTITUDES),
        },
        Kind::Text { .. } if option.name == "update_workflow" && rng.bool() => {
            mutated(rng, ADDRESSES)
        }
        Kind::Text { .. } if !is_free(option) && rng.bool() => mutated(rng, YEARS),
        Kind::Text { .. } => nasty_text(rng),
        kind => {
            let good = valid(rng, kind);
            match rng.u8(..12) {
                0 => String::new(),
                1 => good.to_uppercase(),
                2 => format!(" {good}"),
                3 => format!("{good} "),
                4 => format!("{good},{good}"),
                5 => format!(",{good},,"),
                6 => good.replace(',', ", "),
                7 => format!("{good}{}", pick(rng, FOREIGN)),
                8 => [
                    "yes",
                    "1",
                    "True",
                    "FALSE",
                    "null",
                    ",",
                    ",,",
                    "create,create",
                ][rng.usize(..8)]
                .to_owned(),
                9 => nasty_text(rng),
                _ => mutated(rng, &[&good]),
            }
        }
    }
}

fn nasty_text(rng: &mut Rng) -> String {
    match rng.u8(..20) {
        0..6 => blocks(rng, BLOCKS),
        6..9 => {
            let mixed = [
                blocks(rng, BLOCKS),
                mutated(rng, TEXTS),
                blocks(rng, BLOCKS),
            ];
            mixed.concat()
        }
        9..12 => {
            let length = rng.usize(1..=40);
            printable(rng, length)
        }
        12 => {
            // Around the limit of 255 characters.
            let length = rng.usize(252..=258);
            printable(rng, length)
        }
        13..16 => format!("{}{}", pick(rng, HEADS), mutated(rng, TEXTS)),
        16 => format!(
            "{}{}{}",
            mutated(rng, TEXTS),
            pick(rng, STAMPED),
            blocks(rng, BLOCKS)
        ),
        17 => format!(
            "{}{}{}",
            blocks(rng, BLOCKS),
            blocks(rng, FOREIGN),
            mutated(rng, TEXTS)
        ),
        18 => unicode(rng),
        _ => huge(rng),
    }
}

fn blocks(rng: &mut Rng, from: &[&str]) -> String {
    (0..rng.usize(1..=6)).map(|_| pick(rng, from)).collect()
}

fn printable(rng: &mut Rng, length: usize) -> String {
    (0..length).map(|_| rng.char(' '..='~')).collect()
}

fn unicode(rng: &mut Rng) -> String {
    (0..rng.usize(1..=30)).map(|_| rng.char(..)).collect()
}

fn huge(rng: &mut Rng) -> String {
    let part = match rng.u8(..3) {
        0 => pick(rng, BLOCKS).to_owned(),
        1 => pick(rng, FOREIGN).to_owned(),
        _ => rng.lowercase().to_string(),
    };
    part.repeat(10_000 / part.chars().count().max(1))
}

/// A valid answer with a few characters changed.
fn mutated(rng: &mut Rng, of: &[&str]) -> String {
    let mut characters: Vec<char> = pick(rng, of).chars().collect();
    for _ in 0..rng.usize(0..=3) {
        let at = rng.usize(..=characters.len());
        let new: Vec<char> = match rng.u8(..16) {
            0 => pick(rng, FOREIGN).chars().collect(),
            1..6 => pick(rng, BLOCKS).chars().collect(),
            _ => vec![rng.char(' '..='~')],
        };
        let end = (at + rng.usize(..3)).min(characters.len());
        characters.splice(at..end, new);
    }
    characters.into_iter().collect()
}

fn name(rng: &mut Rng) -> String {
    let known = pick(rng, NAMES);
    match rng.u8(..14) {
        0..4 => known.to_owned(),
        4 => known.to_uppercase(),
        5 => known
            .chars()
            .map(|it| {
                if rng.bool() {
                    it.to_ascii_uppercase()
                } else {
                    it
                }
            })
            .collect(),
        6 => known.replace(['-', '_'], pick(rng, &["-", "_", " ", ".", "--", "/", ""])),
        7 => format!(
            "{}{known}{}",
            pick(rng, &["", "-", "_", ".", " ", "/"]),
            pick(rng, &["", "-", "_", ".", " ", ".sys"])
        ),
        8 => format!("{known}-{}", pick(rng, NAMES)),
        9 => mutated(rng, NAMES),
        10 => (0..rng.usize(30..=34)).map(|_| rng.lowercase()).collect(),
        11 => (0..rng.usize(1..=12))
            .map(|_| rng.char('a'..='z'))
            .collect(),
        12 => nasty_text(rng),
        _ => unicode(rng),
    }
}
