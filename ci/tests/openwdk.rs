//! The open WDK: are drivers built with it laid out and linked as with Microsoft's, and is what cannot be built refused?

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use object::{
    LittleEndian as LE,
    read::pe::{Import, PeFile64},
};
use serde::Deserialize;
use tempfile::TempDir;
use xtask::openwdk::{OpenWdk, c::compile_c};

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

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/openwdk")
        .join(name)
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
    let documented: Documented =
        toml::from_str(&fs::read_to_string(fixture("layouts.toml")).unwrap()).unwrap();
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

#[test]
fn every_function_of_the_headers_can_be_linked() {
    // A pointer to each: none is declared and then not found, and none is in the list and not declared.
    let list = fs::read_to_string(xtask::repository().join("ci/openwdk/lib/fltMgr.txt")).unwrap();
    let names: Vec<&str> = list.lines().filter(|line| !line.starts_with('#')).collect();
    assert!(names.len() > 250, "{}", names.len());
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("all.c");
    let text = format!(
        "#include <fltKernel.h>\nPVOID All[] = {{ {} }};\nNTSTATUS DriverEntry(PDRIVER_OBJECT D, PUNICODE_STRING R) {{ return All[D->Type] == R; }}\n",
        names.join(", ")
    );
    fs::write(&source, text).unwrap();
    let sys = directory.path().join("all.sys");
    compile_c(&[source], &[], &sys).unwrap();
    assert_eq!(imports(&sys)["FLTMGR.SYS"].len(), names.len());
}

/// What a driver imports, by the image it takes it from.
fn imports(sys: &Path) -> BTreeMap<String, BTreeSet<String>> {
    let bytes = fs::read(sys).unwrap();
    let file = PeFile64::parse(&*bytes).unwrap();
    let table = file.import_table().unwrap().unwrap();
    let mut imports: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut descriptors = table.descriptors().unwrap();
    while let Some(descriptor) = descriptors.next().unwrap() {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let image = text(table.name(descriptor.name.get(LE)).unwrap());
        let mut thunks = table
            .thunks(descriptor.original_first_thunk.get(LE))
            .unwrap();
        while let Some(thunk) = thunks.next::<object::pe::ImageNtHeaders64>().unwrap() {
            let Import::Name(_, name) =
                table.import::<object::pe::ImageNtHeaders64>(thunk).unwrap()
            else {
                panic!("{image} by ordinal");
            };
            imports.entry(image.clone()).or_default().insert(text(name));
        }
    }
    imports
}

#[test]
fn a_minifilter_in_c_is_built() {
    let directory = tempfile::tempdir().unwrap();
    let sys = directory.path().join("null_filter.sys");
    compile_c(&[fixture("null_filter.c")], &[], &sys).unwrap();
    let expected = [
        (
            "FLTMGR.SYS",
            vec![
                "FltRegisterFilter",
                "FltStartFiltering",
                "FltUnregisterFilter",
            ],
        ),
        ("ntoskrnl.exe", vec!["DbgPrint"]),
    ];
    let expected = expected.map(|(image, names)| {
        (
            image.to_owned(),
            names.into_iter().map(str::to_owned).collect(),
        )
    });
    assert_eq!(imports(&sys), BTreeMap::from(expected));

    let bytes = fs::read(&sys).unwrap();
    let file = PeFile64::parse(&*bytes).unwrap();
    let header = &file.nt_headers().optional_header;
    assert_eq!(header.subsystem.get(LE), object::pe::IMAGE_SUBSYSTEM_NATIVE);
    let wanted = object::pe::IMAGE_DLLCHARACTERISTICS_FORCE_INTEGRITY
        | object::pe::IMAGE_DLLCHARACTERISTICS_NX_COMPAT
        | object::pe::IMAGE_DLLCHARACTERISTICS_DYNAMIC_BASE;
    assert_eq!(header.dll_characteristics.get(LE) & wanted, wanted);
}

#[test]
fn what_does_not_compile_is_shown() {
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("broken.c");
    fs::write(
        &source,
        "#include <fltKernel.h>\nNTSTATUS DriverEntry(VOID) { return FltNoSuchFunction(); }\n",
    )
    .unwrap();
    let error = compile_c(&[source], &[], &directory.path().join("broken.sys"))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("call to undeclared function 'FltNoSuchFunction'"),
        "{error}"
    );
}

/// Runs `xtask build`.
fn build(project: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_xtask"))
        .arg("build")
        .arg(project)
        .args(arguments)
        .envs(environment.iter().copied())
        .output()
        .unwrap()
}

/// What `xtask build` says of a folder that it refuses.
fn refusal(project: &Path) -> String {
    let output = build(project, &[], &[]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(output.stdout, b"");
    String::from_utf8(output.stderr).unwrap()
}

/// An emitted project, in a folder of its own.
fn emit(name: &str, description: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let status = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args([
            "new",
            name,
            "--silent",
            "-d",
            &format!("description={description}"),
            "--destination",
        ])
        .arg(folder.path())
        .output()
        .unwrap();
    assert!(
        status.status.success(),
        "{}",
        String::from_utf8_lossy(&status.stderr)
    );
    let project = folder.path().join(name);
    (folder, project)
}

#[test]
fn a_folder_that_is_no_driver_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let shown = folder.path().display();
    let missing = folder.path().join("nowhere");
    assert_eq!(
        refusal(&missing),
        format!(
            "error: there is no folder {shown}/nowhere: name the folder of an emitted project\n"
        )
    );
    assert_eq!(
        refusal(folder.path()),
        format!("error: {shown} has no Cargo.toml: name the folder of an emitted project\n")
    );
    let manifest = folder.path().join("Cargo.toml");
    fs::write(&manifest, "[workspace]\n").unwrap();
    assert_eq!(
        refusal(folder.path()),
        format!(
            "error: {shown} is a workspace without a package of its own: name the folder of the driver's package\n"
        )
    );
    fs::write(&manifest, "[package]\nname = \"x\"\n").unwrap();
    assert_eq!(
        refusal(folder.path()),
        format!(
            "error: {shown} is no driver: its Cargo.toml has no [package.metadata.wdk]; \
             name the folder of an emitted project\n"
        )
    );
    fs::write(
        &manifest,
        "[package]\nname = \"x\"\n[package.metadata.wdk]\n",
    )
    .unwrap();
    assert_eq!(
        refusal(folder.path()),
        format!(
            "error: {shown} has no Cargo.lock, which an emitted project carries: bring it back, \
             or run `cargo generate-lockfile` there\n"
        )
    );
    fs::write(&manifest, "package = 1\n").unwrap();
    assert!(refusal(folder.path()).starts_with(&format!(
        "error: {shown}/Cargo.toml is no valid Cargo.toml: "
    )));
}

#[test]
fn a_new_version_of_the_wdk_crates_is_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("Cargo.toml"),
        "[package]\nname = \"x\"\n[package.metadata.wdk]\n",
    )
    .unwrap();
    fs::write(
        folder.path().join("Cargo.lock"),
        "version = 4\n[[package]]\nname = \"wdk-build\"\nversion = \"0.7.0\"\nsource = \"registry\"\n",
    )
    .unwrap();
    assert_eq!(
        refusal(folder.path()),
        "error: wdk-build 0.7.0 is not known to the open WDK, which was tried with wdk-build 0.6.0: \
         see \"A new version of the wdk crates\" in ci/openwdk/README.md\n"
    );
}

/// Whether a driver's version resource says that.
fn says(sys: &Path, description: &str) -> bool {
    let text: Vec<u8> = description
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    fs::read(sys)
        .unwrap()
        .windows(text.len())
        .any(|window| window == text)
}

#[test]
fn projects_of_one_name_do_not_get_each_others_driver() {
    // Both are there before either is built: to cargo, whose memory of them is shared, the second looks built already.
    let (_first_folder, first) = emit("one-name", "The first of two");
    let (_second_folder, second) = emit("one-name", "The second of two");
    for (project, description) in [
        (&first, "The first of two"),
        (&second, "The second of two"),
        (&first, "The first of two"),
    ] {
        let output = build(project, &["--release"], &[]);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{error}");
        let stdout = String::from_utf8(output.stdout).unwrap();
        let sys = project
            .canonicalize()
            .unwrap()
            .join("target/x86_64-pc-windows-msvc/release/one_name.sys");
        assert_eq!(stdout, format!("{}\n", sys.display()));
        assert!(says(&sys, description), "{description}");
    }
}

#[test]
fn flags_of_the_callers_own_do_not_reach_the_driver() {
    let (_folder, project) = emit("own-flags", "Built with flags in the environment");
    let output = build(
        &project,
        &["--release"],
        &[("RUSTFLAGS", "-C target-feature=-crt-static")],
    );
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{error}");
    assert!(
        error.contains(
            "note: RUSTFLAGS is not passed on: it would replace the project's own flags\n"
        ),
        "{error}"
    );
}

#[test]
fn a_driver_that_does_not_compile_is_no_driver() {
    let (_folder, project) = emit("no-driver", "Does not compile");
    let root = project.join("src/lib.rs");
    let text = fs::read_to_string(&root).unwrap();
    fs::write(&root, text + "\ncompile_error!(\"on purpose\");\n").unwrap();
    let output = build(&project, &["--release"], &[]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(output.stdout, b"");
    let error = String::from_utf8(output.stderr).unwrap();
    let shown = project.canonicalize().unwrap();
    assert!(
        error.ends_with(&format!(
            "error: {} does not build: what the compiler said stands above\n",
            shown.display()
        )),
        "{error}"
    );
}
