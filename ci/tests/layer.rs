//! Tests of the layer in `src/flt/`: an answer that is not legal for an operation does not compile, and the example in
//! `example.toml` needs no `unsafe`.

mod emitting;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::Path,
};

use serde_json::Value;
use testbench::vocabulary::{buffers, major::by_option};
use xtask::{
    changes::Changed,
    checks::driver,
    commands::{build, new, options},
    openwdk::target::{Arch, Profile, TARGET},
};

/// What an author can write for an operation `O`: a function's name, its body with a placeholder for the operation, the
/// operations for which it is legal, and the error code for the others.
struct Form {
    name: &'static str,
    function: &'static str,
    legal: Legal,
    error: &'static str,
}

enum Legal {
    Only(&'static [&'static str]),
    AllBut(&'static [&'static str]),
}

impl Legal {
    fn allows(&self, operation: &str) -> bool {
        match self {
            Self::Only(list) => list.contains(&operation),
            Self::AllBut(list) => !list.contains(&operation),
        }
    }
}

/// Operations that must not be failed.
const NEVER_FAILED: [&str; 5] = [
    "cleanup",
    "close",
    "shutdown",
    "query-open",
    "acquire-for-section-synchronization",
];

/// Operations that a filter does not complete with success.
const NEVER_COMPLETED: [&str; 6] = [
    "create",
    "cleanup",
    "close",
    "shutdown",
    "query-open",
    "acquire-for-section-synchronization",
];

/// The documents are "Returning Status from Preoperation Callback Routines" and the pages of the answers, "Writing
/// Postoperation Callback Routines", "Operations That Can Be IRP-Based or Fast I/O" and the page of
/// `FltGetFileNameInformation`.
const FORMS: [Form; 18] = [
    Form {
        name: "pass",
        function: "() -> Answer<O, ()> { Answer::pass() }",
        legal: Legal::AllBut(&[]),
        error: "",
    },
    Form {
        name: "pass_with",
        function: "() -> Answer<O, u32> { Answer::pass_with(1) }",
        legal: Legal::AllBut(&["shutdown"]),
        error: "E0277",
    },
    Form {
        name: "synchronize",
        function: "(token: Synchronous<'_, O>) -> Answer<O, ()> { Answer::synchronize(token, ()) }",
        legal: Legal::AllBut(&[
            "create",
            "shutdown",
            "network-query-open",
            "query-open",
            "acquire-for-section-synchronization",
        ]),
        error: "E0277",
    },
    Form {
        name: "fail",
        function: "(status: ErrorStatus) -> Answer<O, ()> { Answer::fail(status) }",
        legal: Legal::AllBut(&NEVER_FAILED),
        error: "E0277",
    },
    Form {
        name: "complete",
        function: "() -> Answer<O, ()> { Answer::complete(FinalStatus::SUCCESS, 0) }",
        legal: Legal::AllBut(&NEVER_COMPLETED),
        error: "E0277",
    },
    Form {
        name: "disallow_fast_io",
        function: "(data: &PreOperation<'_, O>) { let _token = data.fast_io(); }",
        legal: Legal::Only(&[
            "read",
            "write",
            "query-information",
            "device-control",
            "lock-control",
            "network-query-open",
        ]),
        error: "E0599",
    },
    Form {
        name: "disallow",
        function: "() -> Answer<O, ()> { Answer::<O, ()>::disallow() }",
        legal: Legal::Only(&["query-open"]),
        error: "E0599",
    },
    Form {
        name: "fail_section",
        function: "(data: &PreOperation<'_, O>) { let _token = data.creates_section(); }",
        legal: Legal::Only(&["acquire-for-section-synchronization"]),
        error: "E0599",
    },
    Form {
        name: "buffer",
        function: "(data: &mut PreOperation<'_, O>) { let _buffer = data.buffer(); }",
        legal: Legal::AllBut(&[
            "create",
            "cleanup",
            "close",
            "flush-buffers",
            "lock-control",
            "set-security",
            "shutdown",
            "network-query-open",
            "query-open",
            "acquire-for-section-synchronization",
        ]),
        error: "E0599",
    },
    Form {
        name: "write_to_the_buffer",
        function: "(data: &mut PreOperation<'_, O>) { let _ = data.buffer().map(|buffer| buffer.write(0, &[1])); }",
        legal: Legal::Only(&[
            "read",
            "query-information",
            "directory-control",
            "file-system-control",
            "device-control",
            "query-security",
            "query-volume-information",
            "query-ea",
        ]),
        error: "E0599",
    },
    Form {
        name: "when_safe",
        function: "<S: WhenSafe<O>>() {}",
        legal: Legal::AllBut(&[
            "read",
            "write",
            "flush-buffers",
            "shutdown",
            "network-query-open",
            "query-open",
            "acquire-for-section-synchronization",
        ]),
        error: "E0277",
    },
    Form {
        name: "file_name",
        function: "(data: &mut PreOperation<'_, O>) { let _name = data.file_name(NameFormat::Opened); }",
        legal: Legal::AllBut(&["close", "shutdown", "query-open"]),
        error: "E0599",
    },
    Form {
        name: "file_name_after",
        function: "(data: &mut PostOperation<'_, O>) { let _name = data.file_name(NameFormat::Opened); }",
        legal: Legal::Only(&["create", "network-query-open"]),
        error: "E0599",
    },
    Form {
        name: "name_after",
        function: "(data: &mut PostOperation<'_, O, AtApc>, name: FileName) { let _name = data.name_after(name); }",
        legal: Legal::Only(&["create", "set-information"]),
        error: "E0599",
    },
    Form {
        name: "set_result",
        function: "(data: &mut PostOperation<'_, O>) { data.set_result(FinalStatus::SUCCESS, 0); }",
        legal: Legal::AllBut(&NEVER_COMPLETED),
        error: "E0599",
    },
    Form {
        name: "cancel_open",
        function: "(data: PostOperation<'_, O>, status: ErrorStatus) { let _answer = data.cancel_open(status); }",
        legal: Legal::Only(&["create"]),
        error: "E0599",
    },
    Form {
        name: "disallow_after",
        function: "(data: PostOperation<'_, O>) { let _answer = data.disallow(); }",
        legal: Legal::Only(&["query-open"]),
        error: "E0599",
    },
    Form {
        name: "carried_file_name",
        function: "() where FileName: Carried<<O as Operation>::PostLevel> {}",
        legal: Legal::Only(&[
            "create",
            "network-query-open",
            "query-open",
            "acquire-for-section-synchronization",
        ]),
        error: "E0277",
    },
];

/// Values that do not compile for another reason: a function, and a part of the message. The last ones are found when
/// code is generated.
const VALUES: [(&str, &str, &str); 7] = [
    (
        "token_of_another_operation",
        "(token: Synchronous<'_, Write>) -> Answer<Read, ()> { Answer::synchronize(token, ()) }",
        "E0308",
    ),
    (
        "pending",
        "() -> Answer<Read, ()> { Answer::pending() }",
        "E0599",
    ),
    (
        "answer_of_another_operation",
        "() -> Answer<Read, ()> { Answer::<Write, ()>::pass() }",
        "E0308",
    ),
    (
        "raw_status",
        "() -> Answer<Read, ()> { Answer::fail(wdk_sys::STATUS_SUCCESS) }",
        "E0308",
    ),
    (
        "answer_twice",
        "(data: PostOperation<'_, Read>) -> PostAnswer<Read> { let _first = data.finished(); data.finished() }",
        "E0382",
    ),
    (
        "raw_pointer",
        "() where *mut u8: Carried<AtApc> {}",
        "E0277",
    ),
    (
        "reference_to_paged_memory",
        "() where NonPaged<FileName>: Carried<AtDispatch> {}",
        "E0277",
    ),
];

/// Constants that are refused when code is generated: an expression, and the message.
const CONSTANTS: [(&str, &str); 4] = [
    (
        "ErrorStatus::of::<{ wdk_sys::STATUS_SUCCESS }>()",
        "the status is not an error with which an operation may fail",
    ),
    (
        "ErrorStatus::of::<{ 0xC01C_0004_u32.cast_signed() }>()",
        "the status is not an error with which an operation may fail",
    ),
    (
        "FinalStatus::of::<{ wdk_sys::STATUS_PENDING }>()",
        "an operation may not be completed with this status",
    ),
    (
        "crate::flt::trace::has_no_conversion(\"100%\")",
        "write no % here",
    ),
];

/// The operations, as `cargo-generate.toml` declares them.
fn operations() -> Vec<String> {
    let declared = options::declared().unwrap();
    let operations = declared.iter().find(|it| it.name == "operations").unwrap();
    let options::Kind::List(choices) = &operations.kind else {
        panic!("operations is no list");
    };
    choices.iter().map(|choice| choice.value.clone()).collect()
}

/// The name of an operation's type.
fn type_of(operation: &str) -> String {
    operation
        .split('-')
        .map(|word| word[..1].to_uppercase() + &word[1..])
        .collect()
}

/// Compiles a project with a module of these functions. Returns the errors: the function and the code of each.
fn check(project: &Path, functions: &[(String, String)]) -> Vec<(String, String)> {
    let mut source = String::from(
        "#![allow(warnings)]\n\
         use crate::flt::*;\n",
    );
    let mut lines = BTreeMap::new();
    for (name, rest) in functions {
        lines.insert(source.lines().count() + 1, name.clone());
        writeln!(source, "fn {name}{rest}").unwrap();
    }
    fs::write(project.join("src/answers.rs"), source).unwrap();
    let output = build::cargo(project, "check")
        .unwrap()
        .args(["--locked", "--target", TARGET, "--message-format", "json"])
        .env("CARGO_INCREMENTAL", "0")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut errors = Vec::new();
    for line in text.lines() {
        let message: Value = serde_json::from_str(line).unwrap();
        let message = &message["message"];
        if message["level"] != "error" {
            continue;
        }
        let Some(code) = message["code"]["code"].as_str() else {
            continue;
        };
        let primary = message["spans"].as_array().unwrap().iter();
        let primary = primary.clone().find(|span| span["is_primary"] == true);
        let span = primary.unwrap_or_else(|| panic!("no place: {message}"));
        assert_eq!(span["file_name"], "src/answers.rs", "{message}");
        let at = usize::try_from(span["line_start"].as_u64().unwrap()).unwrap();
        let name = lines.get(&at).unwrap_or_else(|| panic!("{message}"));
        errors.push((name.clone(), code.to_owned()));
    }
    assert_eq!(output.status.success(), errors.is_empty(), "{text}");
    errors
}

#[test]
fn an_answer_that_is_not_legal_for_an_operation_does_not_compile() {
    let operations = operations();
    for form in &FORMS {
        let (Legal::Only(list) | Legal::AllBut(list)) = &form.legal;
        for operation in *list {
            assert!(operations.iter().any(|it| it == operation), "{operation}");
        }
    }
    let folder = emitting::folder();
    let all = operations.join(",");
    let project = new::emit("my-filter", &[("operations", &all)], folder.path()).unwrap();
    let lib = project.join("src/lib.rs");
    let text = fs::read_to_string(&lib).unwrap();
    fs::write(
        &lib,
        text.replace("mod bypass_io;", "mod answers;\nmod bypass_io;"),
    )
    .unwrap();

    let (mut legal, mut illegal) = (Vec::new(), Vec::new());
    let mut expected = BTreeSet::new();
    for form in &FORMS {
        for operation in &operations {
            let name = format!("{}_{}", form.name, operation.replace('-', "_"));
            let generic = form.function;
            let rest = replace_operation(generic, &type_of(operation));
            if form.legal.allows(operation) {
                legal.push((name, rest));
            } else {
                expected.insert((name.clone(), form.error.to_owned()));
                illegal.push((name, rest));
            }
        }
    }
    for (name, rest, code) in VALUES {
        expected.insert((name.to_owned(), code.to_owned()));
        illegal.push((name.to_owned(), rest.to_owned()));
    }
    assert_eq!(
        check(&project, &legal),
        [],
        "a legal answer does not compile"
    );
    let found: BTreeSet<_> = check(&project, &illegal).into_iter().collect();
    let missing: Vec<_> = expected.difference(&found).collect();
    let other: Vec<_> = found.difference(&expected).collect();
    assert!(
        missing.is_empty() && other.is_empty(),
        "compiles, or has another error: {missing:?}\nerrors that are not expected: {other:?}"
    );
    println!("{} legal, {} illegal", legal.len(), illegal.len());
}

/// Replaces the word `O` by the name of a type.
fn replace_operation(function: &str, operation: &str) -> String {
    let mut text = String::new();
    let mut word = String::new();
    for character in function.chars().chain([' ']) {
        if character.is_alphanumeric() || character == '_' {
            word.push(character);
            continue;
        }
        text.push_str(if word == "O" { operation } else { &word });
        word.clear();
        text.push(character);
    }
    text
}

#[test]
fn a_constant_that_is_refused_does_not_compile() {
    let folder = emitting::folder();
    let project = new::emit("my-filter", &[], folder.path()).unwrap();
    let lib = project.join("src/lib.rs");
    let original = fs::read_to_string(&lib).unwrap();
    for (expression, message) in CONSTANTS {
        let statement = if message == "write no % here" {
            "crate::flt::trace::debug_print!(Error, \"100%\");".to_owned()
        } else {
            format!("let _refused = crate::flt::{expression};")
        };
        let text = original.replace(
            "    match driver::load(&mut driver_object) {",
            &format!("    {statement}\n    match driver::load(&mut driver_object) {{"),
        );
        assert_ne!(text, original);
        fs::write(&lib, text).unwrap();
        let error = build::build_quietly(&project, Profile::Dev, Arch::Amd64).unwrap_err();
        let error = format!("{error:#}");
        assert!(error.contains(message), "{expression}:\n{error}");
        assert!(error.contains("src/lib.rs"), "{expression}:\n{error}");
    }
}

/// A pre-operation callback that asks for the buffer of an operation gets it in the bench.
#[test]
fn the_bench_has_the_buffer_of_each_operation() {
    let file = xtask::repository().join("template/src/flt/operation.rs");
    let text = fs::read_to_string(file).unwrap();
    let (_, table) = text.rsplit_once("operations! {").unwrap();
    let mut rows = 0;
    for row in table.split("/// `IRP_MJ_").skip(1) {
        let (name, row) = row.split_once('`').unwrap();
        let written = [("=> Writable", true), ("=> ReadOnly", false)]
            .iter()
            .find(|(access, _)| row.contains(access))
            .map(|(_, written)| *written);
        let Some(written) = written else { continue };
        let major = by_option(&name.to_lowercase().replace('_', "-")).unwrap();
        let members = buffers::of(major).unwrap_or_else(|| panic!("{name} has no row in BUFFERS"));
        assert_eq!(members.written, written, "{name}");
        rows += 1;
    }
    assert_eq!(rows, 12);
}

/// The number of a step is the `UniqueErrorValue` of an entry in the event log.
#[test]
fn each_step_has_a_number_of_its_own() {
    let layer = xtask::repository().join("template/src/flt");
    let mut numbers = BTreeMap::new();
    for entry in fs::read_dir(layer).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        for rest in text.split("&Step::new(").skip(1) {
            let number: u32 = rest.split(',').next().unwrap().trim().parse().unwrap();
            assert!((1..100).contains(&number), "{number} in {}", path.display());
            if let Some(other) = numbers.insert(number, path.clone()) {
                panic!("{number} in {} and {}", path.display(), other.display());
            }
        }
    }
    assert!(numbers.len() >= 8, "{numbers:?}");
}

/// The example.
fn example() -> Changed {
    let text = fs::read_to_string(xtask::repository().join("ci/tests/example.toml")).unwrap();
    toml::from_str(&text).unwrap()
}

#[test]
fn the_example_needs_no_unsafe_and_has_no_finding() {
    let example = example();
    for edit in &example.edit {
        assert!(!edit.replace.contains("unsafe"), "{}", edit.replace);
        assert!(!edit.file.contains("flt/"), "{}", edit.file);
    }
    let folder = emitting::folder();
    let project = new::emit("example", &example.given(), folder.path()).unwrap();
    let applied = example.apply(&project).unwrap();
    for edit in &example.edit {
        let text = fs::read_to_string(project.join(&edit.file)).unwrap();
        assert!(!text.contains("unsafe"), "{}", edit.file);
    }
    driver::lint(&project).unwrap();
    for profile in [Profile::Dev, Profile::Release] {
        let sys = driver::build(&project, profile, Arch::Amd64).unwrap();
        driver::must_be_clean(&driver::judge_as_expected(&sys).unwrap()).unwrap();
        let image = fs::read(&sys).unwrap();
        for text in ["DbgPrintEx", "denied process "] {
            let found = image.windows(text.len()).any(|it| it == text.as_bytes());
            // `trace!` compiles to nothing in a release build.
            assert_eq!(
                found,
                profile == Profile::Dev,
                "{text} in {}",
                sys.display()
            );
        }
    }
    drop(applied);
}

/// The README shows parts of the example, so they compile.
#[test]
fn the_rust_code_in_the_readme_is_that_of_the_example() {
    let project = emitting::rendered(&[]);
    let readme = String::from_utf8(project["README.md"].clone()).unwrap();
    let blocks: Vec<&str> = readme
        .split("```rust\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .collect();
    assert!(blocks.len() > 3, "{readme}");
    let example = example();
    let mut files = emitting::rendered(&example.given());
    let mut text = String::new();
    for edit in &example.edit {
        let file = String::from_utf8(files[&edit.file].clone()).unwrap();
        let changed = edit.apply_to(&file).unwrap();
        files.insert(edit.file.clone(), changed.into_bytes());
    }
    for edit in &example.edit {
        text += std::str::from_utf8(&files[&edit.file]).unwrap();
    }
    for block in blocks {
        assert!(text.contains(block), "not in the example:\n{block}");
    }
}
