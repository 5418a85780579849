//! Names of files, and expressions with wildcards.
//!
//! Documents: "Naming Files, Paths, and Namespaces", "`FsRtlIsNameInExpression` function (ntifs.h)".

use super::features::Features;
use super::tree::Answer;
use crate::vocabulary::status;

/// The components of a path on a volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    /// The directories and the file.
    pub components: Vec<String>,
    /// The name of the stream, or `None` if the path has none. The name of the data stream is empty.
    pub stream: Option<String>,
    /// The path ends with a backslash, so it names a directory.
    pub directory: bool,
}

/// The longest component, in UTF-16 units.
pub const LONGEST: usize = 255;

/// Returns whether two names are equal without regard to case.
pub fn is_same(one: &str, other: &str) -> bool {
    one == other || upper(one) == upper(other)
}

fn upper(text: &str) -> Vec<char> {
    text.chars().map(upper_char).collect()
}

/// Returns the uppercase letter, if it is one character as in the table of the file system.
fn upper_char(letter: char) -> char {
    let mut upper = letter.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(one), None) => one,
        _ => letter,
    }
}

/// Parses a path that is relative to a directory.
///
/// # Errors
///
/// `STATUS_OBJECT_NAME_INVALID` if a component is empty, too long, or has a character that names cannot have.
pub fn parse(path: &str, features: &Features) -> Answer<Path> {
    let invalid = || status::OBJECT_NAME_INVALID.into();
    let directory = path.len() > 1 && path.ends_with('\\');
    let path = path.strip_suffix('\\').unwrap_or(path);
    let path = path.strip_prefix('\\').unwrap_or(path);
    let mut components: Vec<String> = if path.is_empty() {
        Vec::new()
    } else {
        path.split('\\').map(str::to_owned).collect()
    };
    let mut stream = None;
    if let Some(last) = components.last_mut()
        && let Some((file, rest)) = last.clone().split_once(':')
    {
        if !features.streams || directory {
            return Err(invalid());
        }
        let (name, kind) = rest.split_once(':').unwrap_or((rest, "$DATA"));
        if !is_same(kind, "$DATA") || name.is_empty() && !rest.contains(':') {
            return Err(invalid());
        }
        stream = Some(name.to_owned());
        file.clone_into(last);
    }
    let is_valid = |name: &String| {
        !name.is_empty()
            && name.encode_utf16().count() <= LONGEST
            && !name
                .chars()
                .any(|letter| letter < ' ' || "\"*/:<>?|".contains(letter))
    };
    // A stream of the root directory has a path such as "\:stream".
    let root = stream.is_some() && components.len() == 1 && components[0].is_empty();
    if root {
        components.clear();
    }
    if components.iter().all(is_valid)
        && stream.iter().all(|name| name.is_empty() || is_valid(name))
    {
        return Ok(Path {
            components,
            stream,
            directory,
        });
    }
    Err(invalid())
}

/// Returns whether a name matches an expression with wildcards, without regard to case.
#[must_use]
pub fn matches(expression: &str, name: &str) -> bool {
    matches_at(&upper(expression), &upper(name))
}

/// Returns the expression that `FindFirstFile` sends for a pattern.
#[must_use]
pub fn win32_expression(pattern: &str) -> String {
    if pattern == "*.*" {
        return "*".to_owned();
    }
    let letters: Vec<char> = pattern.chars().collect();
    let convert = |(at, letter): (usize, &char)| match letter {
        '?' => '>',
        '.' if matches!(letters.get(at + 1), Some('?' | '*')) => '"',
        '*' if letters.get(at + 1) == Some(&'.') => '<',
        letter => *letter,
    };
    letters.iter().enumerate().map(convert).collect()
}

fn matches_at(expression: &[char], name: &[char]) -> bool {
    let Some((first, rest)) = expression.split_first() else {
        return name.is_empty();
    };
    let next = name.first();
    match first {
        '*' => (0..=name.len()).any(|at| matches_at(rest, &name[at..])),
        // DOS_STAR: any characters up to the last period.
        '<' => {
            let last = name.iter().rposition(|letter| *letter == '.');
            (0..=last.unwrap_or(name.len())).any(|at| matches_at(rest, &name[at..]))
        }
        // DOS_QM: one character, or none before a period and at the end.
        '>' => match next {
            None | Some('.') => matches_at(rest, name),
            Some(_) => matches_at(rest, &name[1..]),
        },
        // DOS_DOT: a period, or nothing at the end.
        '"' => match next {
            None => matches_at(rest, name),
            Some(letter) => *letter == '.' && matches_at(rest, &name[1..]),
        },
        '?' => next.is_some() && matches_at(rest, &name[1..]),
        letter => next == Some(letter) && matches_at(rest, &name[1..]),
    }
}
