//! Hostile answers: fewer than `cargo xtask matrix --hostile` tries, and a test that they find faults.

use std::{fs, process::Command, thread};

use xtask::{
    checks::hostile::{answers::Case, first_failure, try_cases},
    commands::options::Kind,
    openwdk::toolchain::Llvm,
};

/// Fixed, so that a failure can be reproduced.
const SEED: u64 = 20_000;

#[test]
fn hostile_answers_are_refused_or_emitted_correctly() {
    let outcome = try_cases(SEED, 2_000, 80).unwrap();
    assert!(outcome.failures.is_empty(), "{outcome}");
    assert_eq!(outcome.emitted, 25);
    // Enough answers are accepted, and enough are refused.
    assert!(outcome.accepted > 800, "{outcome}");
    let refused: usize = outcome.refused.values().sum();
    assert!(refused > 400 && outcome.refused.len() >= 15, "{outcome}");
    assert!(
        outcome.emitted_refused > 3 && outcome.emitted - outcome.emitted_refused > 3,
        "{outcome}"
    );
}

#[test]
fn a_seed_gives_the_same_answers_again() {
    let options = xtask::commands::options::declared().unwrap();
    let one = |seed| Case::of(seed, &options).to_string();
    assert_eq!(one(1), one(1));
    assert_ne!(one(1), one(2));
}

/// A file, the text to replace, the replacement, a part of the message that reports the fault, and the number of a case
/// shortly before the first one that finds the fault. The number only saves time.
type Fault = (&'static str, &'static str, &'static str, &'static str, u64);

/// Plausible faults of the template.
const FAULTS: [Fault; 24] = [
    (
        "hooks/escape.rhai",
        r#""\"": "\"\"", "%""#,
        r#""%""#,
        "INX",
        20,
    ),
    ("hooks/escape.rhai", r#", "%": "%%""#, "", "INX", 0),
    (
        "hooks/escape.rhai",
        r#"#{ "\"": "\\\"", "\\"#,
        r#"#{ "\\"#,
        "Cargo.toml cannot be read",
        20,
    ),
    (
        "hooks/escape.rhai",
        r#", "\\": "\\\\""#,
        "",
        "Cargo.toml",
        10,
    ),
    ("hooks/escape.rhai", "`*_[]", "`*[]", "README.md", 490),
    ("hooks/escape.rhai", "<>&", "<>", "README.md", 640),
    ("hooks/escape.rhai", "+-=:", "-=:", "README.md", 2040),
    ("hooks/escape.rhai", "\".)\"", "\".\"", "README.md", 60),
    (
        "hooks/provider.rhai",
        ".to_lower()",
        "",
        "the provider is Microsoft",
        115,
    ),
    ("hooks/stampinf.rhai", "text.to_upper()", "text", "INX", 915),
    (
        "hooks/names.rhai",
        "name.len > 32",
        "name.len > 33",
        "is not well formed",
        630,
    ),
    (
        "hooks/names.rhai",
        " self static",
        " static",
        "is a Rust keyword",
        1150,
    ),
    (
        "hooks/names.rhai",
        "aux con nul",
        "aux nul",
        "is a device",
        505,
    ),
    (
        "hooks/names.rhai",
        " bindgen\n",
        "\n",
        "the driver's name is that of another crate",
        1575,
    ),
    (
        "hooks/names.rhai",
        "        if position == 60 {",
        "        if false {",
        "it does not name",
        1695,
    ),
    (
        "hooks/names.rhai",
        " && reserved_as(kebab) == \"\"",
        "",
        "it proposes",
        525,
    ),
    (
        "hooks/operations.rhai",
        "seen.push(operation);",
        "",
        "is not a list of operations",
        1760,
    ),
    (
        "hooks/altitude.rhai",
        "integer < group.low",
        "integer <= group.low",
        "the stated reason is false",
        590,
    ),
    (
        "hooks/pre.rhai",
        "variable::set(\"description_inf\", escape::inf(description));",
        "",
        "nothing sets description_inf",
        0,
    ),
    (
        "template/LICENSE-MIT",
        "{{provider}}",
        "{{provider_toml}}",
        "LICENSE",
        30,
    ),
    (
        "template/Cargo.toml",
        "{{provider_toml}}",
        "{{provider}}",
        "Cargo.toml",
        30,
    ),
    (
        "template/testbench.toml",
        "unload-policy = \"",
        "unload-policy = '",
        "testbench.toml cannot be read",
        0,
    ),
    (
        "template/.github/dependabot.yml",
        "version: 2",
        "version: [2",
        "dependabot.yml cannot be read",
        0,
    ),
    (
        "template/scripts/Test-Driver.psd1",
        "'{{crate_name}}'",
        "'{{project-name}}'",
        "Test-Driver.psd1",
        0,
    ),
];

#[test]
fn a_fault_of_the_template_is_found_and_its_seed_finds_it_again() {
    let (one, other) = FAULTS.split_at(FAULTS.len() / 2);
    thread::scope(|scope| {
        for faults in [one, other] {
            scope.spawn(move || faults.iter().for_each(found));
        }
    });
}

fn found((file, from, to, said, near): &Fault) {
    let place = xtask::commands::new::staged().unwrap();
    let path = place.path().join(file);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{file} has no {from}");
    fs::write(&path, text.replace(from, to)).unwrap();
    let mut seed = SEED + near;
    let (case, reason) = loop {
        let found = first_failure(place.path(), seed, 4_000).unwrap();
        let (case, reason) = found.unwrap_or_else(|| panic!("{file} without {from} was not found"));
        // A fault can have another effect, too.
        if reason.contains(said) {
            break (case, reason);
        }
        assert!(
            case.seed < SEED + near + 4_000,
            "{file} without {from}: {reason}"
        );
        seed = case.seed + 1;
    };
    let again = first_failure(place.path(), case.seed, 1).unwrap();
    assert_eq!(again.unwrap().1, reason, "{file} without {from}");
    println!("{file} without {from}: case {}", case.seed - SEED);
}

/// Replaces `embed_resource` with a module that compiles nothing; the rest of the build script is the emitted one.
const MAIN: &str = r#"
mod embed_resource {
    pub const NONE: () = ();
    pub struct Done;
    impl Done {
        pub fn manifest_required(self) -> Result<(), std::fmt::Error> {
            Ok(())
        }
    }
    pub fn compile_for_cdylib(_: &std::path::Path, (): ()) -> Done {
        Done
    }
}

fn main() {
    print!("{}", version().unwrap());
}
"#;

/// Tests the path of the answers: Cargo's environment variables, the emitted build script, llvm-rc.
#[test]
fn the_version_resource_has_the_answers() {
    let options = xtask::commands::options::declared().unwrap();
    let description = options.iter().find(|it| it.name == "description").unwrap();
    let Kind::Text { shape, .. } = &description.kind else {
        panic!("{description:?}")
    };
    let texts: Vec<String> = (SEED..)
        .filter_map(|seed| Some(Case::of(seed, &options).answer("description")?.to_owned()))
        .filter(|text| shape.is_match(text))
        .take(150)
        .collect();

    let place = tempfile::tempdir().unwrap();
    let source = xtask::repository().join("template/build/resources.rs");
    let source = fs::read_to_string(source).unwrap();
    let (main, program) = (place.path().join("main.rs"), place.path().join("main"));
    fs::write(&main, source + MAIN).unwrap();
    let mut rustc = Command::new("rustc");
    rustc.args(["--edition", "2024", "-A", "warnings", "-o"]);
    assert!(rustc.arg(&program).arg(main).status().unwrap().success());

    let mut script = String::new();
    for (number, text) in (1..).zip(&texts) {
        let output = Command::new(&program)
            .env("CARGO_PKG_NAME", "my-filter")
            .env("CARGO_PKG_VERSION", "0.1.0")
            .env("CARGO_PKG_VERSION_MAJOR", "0")
            .env("CARGO_PKG_VERSION_MINOR", "1")
            .env("CARGO_PKG_VERSION_PATCH", "0")
            .env("CARGO_PKG_AUTHORS", text)
            .env("CARGO_PKG_DESCRIPTION", text)
            .output()
            .unwrap();
        let version = String::from_utf8(output.stdout).unwrap();
        script += &version.replacen("1 VERSIONINFO", &format!("{number} VERSIONINFO"), 1);
    }
    fs::write(place.path().join("a.rc"), script).unwrap();
    let llvm = Llvm::find().expect("LLVM, which cargo xtask setup installs");
    let output = Command::new(llvm.program("llvm-rc"))
        // It takes a path that begins with `/d` for an option.
        .args(["/fo", "a.res", "a.rc"])
        .current_dir(place.path())
        .env("PATH", &llvm.bin)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );

    let words: Vec<u16> = fs::read(place.path().join("a.res"))
        .unwrap()
        .chunks_exact(2)
        .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
        .collect();
    for key in [
        "CompanyName",
        "LegalCopyright",
        "FileDescription",
        "ProductName",
    ] {
        assert_eq!(values(&words, key), texts, "{key}");
    }
}

/// The values of a key. The key ends with a zero, padding with zeros can follow, and the value ends with a zero.
fn values(words: &[u16], key: &str) -> Vec<String> {
    let key: Vec<u16> = key.encode_utf16().chain([0]).collect();
    let starts = words.windows(key.len()).enumerate();
    starts
        .filter(|(_, window)| *window == key)
        .map(|(at, _)| {
            let value = words[at + key.len()..].iter().copied();
            let value: Vec<u16> = value
                .skip_while(|it| *it == 0)
                .take_while(|it| *it != 0)
                .collect();
            String::from_utf16(&value).unwrap()
        })
        .collect()
}
