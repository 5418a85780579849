//! The open WDK: are drivers built with it laid out and linked as with Microsoft's?

use std::{collections::BTreeMap, fmt::Write, fs, path::Path};

use serde::Deserialize;
use xtask::openwdk::OpenWdk;

#[derive(Deserialize)]
struct Documented {
    structure: Vec<Structure>,
    constants: BTreeMap<String, i64>,
}

#[derive(Deserialize)]
struct Structure {
    name: String,
    source: String,
    size: u64,
    fields: BTreeMap<String, u64>,
}

/// The errors of clang about a C file that includes the headers of a minifilter, one a line.
fn errors_in(body: &str) -> String {
    let wdk = OpenWdk::prepare().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("layouts.c");
    fs::write(&source, format!("#include <fltKernel.h>\n{body}")).unwrap();
    let output = wdk
        .clang()
        .args(["-fsyntax-only", "-ferror-limit=0"])
        .arg(&source)
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stderr)
        .lines()
        .filter(|line| line.contains("error:"))
        .fold(String::new(), |mut text, line| {
            writeln!(text, "{line}").unwrap();
            text
        })
}

#[test]
fn layouts_and_numbers_are_the_documented_ones() {
    let documented = fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/openwdk/layouts.toml"),
    )
    .unwrap();
    let documented: Documented = toml::from_str(&documented).unwrap();
    let mut body = String::new();
    for Structure {
        name,
        source,
        size,
        fields,
    } in documented.structure
    {
        assert!(!source.is_empty(), "{name} has no source");
        writeln!(
            body,
            "_Static_assert(sizeof({name}) == {size}, \"sizeof({name}) is not {size}\");"
        )
        .unwrap();
        for (field, offset) in fields {
            writeln!(
                body,
                "_Static_assert(__builtin_offsetof({name}, {field}) == {offset}, \"{name}.{field} is not at {offset}\");"
            )
            .unwrap();
        }
    }
    for (name, value) in documented.constants {
        writeln!(
            body,
            "_Static_assert({name} == {value}, \"{name} is not {value:#x}\");"
        )
        .unwrap();
    }
    assert_eq!(errors_in(&body), "");
}

#[test]
fn a_wrong_layout_would_be_seen() {
    let errors = errors_in("_Static_assert(sizeof(DEVICE_OBJECT) == 328, \"328\");\n");
    assert_eq!(errors.lines().count(), 1, "{errors}");
}
