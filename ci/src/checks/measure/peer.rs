//! Writes a template of the size of aya-template, which is the peer of this template in the experiment `emission`.
//!
//! The numbers are those of aya-rs/aya-template at 977ed2e, of 2026-05-13: the emitted files, with their size in bytes
//! and their number of Liquid tags, the placeholders of its cargo-generate.toml, and the lines of its only hook. The
//! contents are generated.

use std::{fmt::Write as _, fs, path::Path};

/// The files that are emitted: their path, their size and the number of their tags.
pub const FILES: [(&str, usize, usize); 18] = [
    (".cargo/config.toml", 41, 0),
    (".gitignore", 204, 0),
    ("Brewfile", 145, 0),
    ("Cargo.toml", 1390, 6),
    ("LICENSE-APACHE", 10855, 0),
    ("LICENSE-GPL2", 18091, 0),
    ("LICENSE-MIT", 1062, 0),
    ("README.md", 1951, 4),
    ("rustfmt.toml", 113, 0),
    ("{{project-name}}-common/Cargo.toml", 239, 1),
    ("{{project-name}}-common/src/lib.rs", 279, 2),
    ("{{project-name}}-ebpf/Cargo.toml", 350, 4),
    ("{{project-name}}-ebpf/build.rs", 1003, 0),
    ("{{project-name}}-ebpf/src/lib.rs", 62, 0),
    ("{{project-name}}-ebpf/src/main.rs", 8428, 99),
    ("{{project-name}}/Cargo.toml", 1650, 8),
    ("{{project-name}}/build.rs", 918, 2),
    ("{{project-name}}/src/main.rs", 9140, 84),
];

/// The files that are copied with the template and not emitted: their path and size.
pub const IGNORED: [(&str, usize); 3] = [
    (".github/dependabot.yml", 401),
    (".github/workflows/ci.yml", 2689),
    ("test.sh", 3495),
];

/// The number of options.
pub const PLACEHOLDERS: usize = 12;

/// The number of lines of the hook, which runs before the rendering.
pub const HOOK_LINES: usize = 2;

/// The subfolder of the template. The command line names it, as it does for this template.
pub const FOLDER: &str = "template";

/// Writes the template.
///
/// # Errors
///
/// A file cannot be written.
pub fn write(place: &Path) -> std::io::Result<()> {
    let template = place.join(FOLDER);
    let write = |path: &str, text: &str| {
        let file = template.join(path);
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(file, text)
    };
    for (path, size, tags) in FILES {
        write(path, &contents(path, size, tags))?;
    }
    for (path, size) in IGNORED {
        write(path, &contents(path, size, 0))?;
    }
    write("cargo-generate.toml", &config())?;
    write("hook.rhai", &hook())
}

/// Text of `size` bytes with `tags` Liquid tags. It is valid Rust in `.rs` files, because rustfmt reads them.
fn contents(path: &str, size: usize, tags: usize) -> String {
    let rust = Path::new(path)
        .extension()
        .is_some_and(|extension| extension == "rs");
    let mut text = String::new();
    let mut left = tags;
    while left > 0 {
        let number = tags - left;
        let name = if rust {
            format!("const C{number}: u8 = 0; // {{{{project-name}}}}")
        } else {
            format!("# {number} {{{{project-name}}}}")
        };
        // A condition adds two tags.
        if left >= 3 {
            let _ = writeln!(text, "{{% if option_0 %}}{name}{{% endif %}}");
            left -= 3;
        } else {
            let _ = writeln!(text, "{name}");
            left -= 1;
        }
    }
    let line = if rust {
        "fn f() -> u8 { let x = 1; x }\n"
    } else {
        "# a line of text that no tag is in, as most are\n"
    };
    loop {
        // Each function needs its own name.
        let numbered = line.replacen("f()", &format!("f{}()", text.len()), 1);
        if text.len() + numbered.len() > size {
            break;
        }
        text += &numbered;
    }
    let missing = size.saturating_sub(text.len());
    text += &"\n".repeat(missing);
    text
}

fn config() -> String {
    let ignored = [".github", "test.sh"]
        .map(|name| format!("\"{name}\""))
        .join(", ");
    let mut text = format!("[template]\nignore = [{ignored}]\n\n[hooks]\npre = [\"hook.rhai\"]\n");
    for number in 0..PLACEHOLDERS {
        let _ = write!(
            text,
            "\n[placeholders.option_{number}]\ntype = \"string\"\nprompt = \"Option {number}?\"\ndefault = \"value\"\n"
        );
    }
    text
}

fn hook() -> String {
    let mut text = String::new();
    for number in 0..HOOK_LINES {
        let _ = writeln!(
            text,
            "variable::set(\"derived_{number}\", [\"a\", \"b\", \"c\", \"d\"]);"
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    #[test]
    fn the_template_has_the_numbers_of_the_table() {
        let place = tempfile::tempdir().unwrap();
        write(place.path()).unwrap();
        let template = place.path().join(FOLDER);
        let read = |path: &str| fs::read_to_string(template.join(path)).unwrap();
        for (path, size, tags) in FILES {
            let text = read(path);
            assert_eq!(text.len(), size, "{path}");
            let found = text.matches("{{").count() + text.matches("{%").count();
            assert_eq!(found, tags, "{path}");
        }
        for (path, size) in IGNORED {
            assert_eq!(read(path).len(), size, "{path}");
        }
        assert_eq!(read("hook.rhai").lines().count(), HOOK_LINES);
        let config: toml::Table = toml::from_str(&read("cargo-generate.toml")).unwrap();
        assert_eq!(
            config["placeholders"].as_table().unwrap().len(),
            PLACEHOLDERS
        );
    }

    #[test]
    fn the_rust_files_are_valid() {
        let tag = regex::Regex::new(r"\{\{.*?\}\}|\{%.*?%\}").unwrap();
        for (path, size, tags) in FILES {
            if Path::new(path).extension().is_some_and(|it| it == "rs") {
                let text = contents(path, size, tags);
                syn::parse_file(&tag.replace_all(&text, ""))
                    .unwrap_or_else(|error| panic!("{path}: {error}"));
            }
        }
    }
}
