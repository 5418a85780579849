//! The open WDK: its drivers have the layouts and imports of Microsoft's WDK, and what cannot be built is refused.

#[path = "openwdk/metadata.rs"]
mod metadata;
#[path = "openwdk/modelled.rs"]
mod modelled;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use metadata::Metadata;
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
    prototypes: BTreeMap<String, String>,
}

impl Documented {
    fn read() -> Self {
        toml::from_str(&fs::read_to_string(fixture("layouts.toml")).unwrap()).unwrap()
    }
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

/// The errors of clang for a C file that includes the headers of a minifilter, one on each line.
fn errors_in(body: &str) -> String {
    errors_of(&format!("#include <fltKernel.h>\n{body}"))
}

fn errors_of(text: &str) -> String {
    errors_in_language(["c", "-std=gnu17"], text)
}

const CPP: [&str; 2] = ["c++", "-std=gnu++20"];

fn errors_in_language([language, standard]: [&str; 2], text: &str) -> String {
    let wdk = OpenWdk::prepare().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("source");
    fs::write(&source, text).unwrap();
    let output = wdk
        .clang()
        .args(["-fsyntax-only", "-ferror-limit=0", "-x", language, standard])
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
    let documented = Documented::read();
    let mut body = String::new();
    for Structure {
        name,
        source,
        size,
        fields,
    } in documented.structure
    {
        assert!(!source.is_empty(), "{name} has no source");
        body += &layout_is(&name, size, &fields);
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

/// C assertions of the size and the field offsets of a structure.
fn layout_is(name: &str, size: u64, fields: &BTreeMap<String, u64>) -> String {
    let mut text = String::new();
    writeln!(
        text,
        "_Static_assert(sizeof({name}) == {size}, \"sizeof({name}) is not {size}\");"
    )
    .unwrap();
    for (field, offset) in fields {
        writeln!(
            text,
            "_Static_assert(__builtin_offsetof({name}, {field}) == {offset}, \"{name}.{field} is not at {offset}\");"
        )
        .unwrap();
    }
    text
}

/// C assertions that a structure has these members.
fn has_members<'a>(name: &str, members: impl Iterator<Item = &'a String>) -> String {
    members.fold(String::new(), |mut text, member| {
        writeln!(
            text,
            "_Static_assert(__builtin_offsetof({name}, {member}) < sizeof({name}), \"{member}\");"
        )
        .unwrap();
        text
    })
}

#[test]
fn a_wrong_layout_is_detected() {
    let fields = |field: &str, offset| BTreeMap::from([(field.to_owned(), offset)]);
    for (wrong, mistakes) in [
        (layout_is("DEVICE_OBJECT", 328, &fields("Type", 0)), 1),
        (layout_is("DEVICE_OBJECT", 336, &fields("Type", 2)), 1),
        (layout_is("DEVICE_OBJECT", 336, &fields("Kind", 0)), 1),
        (layout_is("DEVICE_OBJECT", 336, &fields("Type", 0)), 0),
        (has_members("DEVICE_OBJECT", fields("Kind", 0).keys()), 1),
        (has_members("DEVICE_OBJECT", fields("Type", 0).keys()), 0),
    ] {
        let errors = errors_in(&wrong);
        assert_eq!(errors.lines().count(), mistakes, "{wrong}{errors}");
    }
}

/// A C assertion that a function has one of these types.
fn type_is(function: &str, types: &[String]) -> String {
    let alternatives: Vec<_> = types
        .iter()
        .map(|it| format!("__builtin_types_compatible_p(__typeof__({function}), {it})"))
        .collect();
    format!(
        "_Static_assert({}, \"{function} has another type\");\n",
        alternatives.join(" || ")
    )
}

#[test]
fn functions_have_the_documented_types() {
    let body: String = Documented::read()
        .prototypes
        .into_iter()
        .map(|(name, prototype)| type_is(&name, &[prototype]))
        .collect();
    assert_eq!(errors_in(&body), "");
}

#[test]
fn a_wrong_type_is_detected() {
    for wrong in [
        "NTSTATUS FLTAPI (PFLT_CALLBACK_DATA, PCFLT_RELATED_OBJECTS, NTSTATUS, PUNICODE_STRING)",
        "NTSTATUS FLTAPI (PFLT_CALLBACK_DATA, PFLT_RELATED_OBJECTS, NTSTATUS, PCUNICODE_STRING)",
        "NTSTATUS FLTAPI (PFLT_CALLBACK_DATA, PCFLT_RELATED_OBJECTS, ULONG, PCUNICODE_STRING)",
        "VOID FLTAPI (PFLT_CALLBACK_DATA, PCFLT_RELATED_OBJECTS, NTSTATUS, PCUNICODE_STRING)",
        "NTSTATUS FLTAPI (PFLT_CALLBACK_DATA, PCFLT_RELATED_OBJECTS, NTSTATUS)",
    ] {
        let errors = errors_in(&type_is("FltVetoBypassIo", &[wrong.to_owned()]));
        assert_eq!(errors.lines().count(), 1, "{wrong}: {errors}");
    }
}

/// Compares all functions and callbacks, whereas layouts.toml has a few types. The metadata has no `const`, so the
/// headers are read without it, too.
#[test]
fn functions_have_the_types_of_the_metadata() {
    let metadata = Metadata::read();
    let list = fs::read_to_string(xtask::repository().join("ci/openwdk/lib/fltMgr.txt")).unwrap();
    // The headers do not declare functions that no page describes.
    let described = |name: &str| list.lines().any(|line| line == name);
    let functions: Vec<_> = metadata
        .functions
        .iter()
        .filter(|function| described(&function.name))
        .map(|function| type_is(&function.name, &function.types_in_c()))
        .collect();
    let callbacks: Vec<_> = metadata
        .callbacks
        .iter()
        .map(|callback| type_is(&format!("*({})0", callback.name), &callback.types_in_c()))
        .collect();
    assert!(functions.len() > 260, "{}", functions.len());
    assert!(callbacks.len() > 25, "{}", callbacks.len());
    // Except the intrinsics, whose types the compiler knows.
    let errors = errors_of(&format!(
        "#include <openwdk.h>\n#include <intrin.h>\n#define const\n#include <fltKernel.h>\n{}{}",
        functions.concat(),
        callbacks.concat()
    ));
    assert_eq!(errors, "");
}

/// The model of the test bench has the arguments and the buffers that drivers pass.
#[test]
fn modelled_functions_have_the_arguments_of_the_headers() {
    let source = modelled::source();
    assert_eq!(errors_in_language(CPP, &source), "");
    for (right, wrong) in [
        (
            "same<4, 8>(FltStartFiltering)",
            "same<4, 8, 8>(FltStartFiltering)",
        ),
        (
            "QueryQuota.QuotaBuffer) == 32",
            "QueryQuota.QuotaBuffer) == 24",
        ),
    ] {
        let wrong = source.replace(right, wrong);
        assert_ne!(wrong, source);
        assert_eq!(errors_in_language(CPP, &wrong).lines().count(), 1);
    }
}

/// Structures for which the metadata lacks an alignment, or a member that exists only on 64-bit Windows. Their members
/// are compared only by name; layouts.toml has the offsets.
const MEMBERS_ALONE: [&str; 5] = [
    "DEVICE_OBJECT",
    "ERESOURCE",
    "FLT_PARAMETERS",
    "IO_STACK_LOCATION",
    "KTIMER",
];

/// Structures that are not compared, and why.
const NOT_COMPARED: [(&str, &[&str]); 4] = [
    (
        "the metadata has the 32-bit layout, or lacks the packing or the flexible array member",
        &[
            "KFLOATING_SAVE",
            "MSV1_0_GETUSERINFO_RESPONSE",
            "OBJECT_ATTRIBUTES32",
            "STORAGE_QUERY_DEPENDENT_VOLUME_RESPONSE",
            "XSAVE_FORMAT",
            "XSTATE_CONTEXT",
            "XSTATE_SAVE",
        ],
    ),
    (
        "the metadata has another name for a member",
        &["FSRTL_ADVANCED_FCB_HEADER", "NT_TIB32"],
    ),
    (
        "mingw-w64 has an older definition: opaque, or of parts that no known minifilter uses",
        &[
            "DISPATCHER_HEADER",
            "KUSER_SHARED_DATA",
            "SD_GLOBAL_CHANGE_INPUT",
            "SD_GLOBAL_CHANGE_OUTPUT",
        ],
    ),
    (
        "mingw-w64 has an older definition: for device drivers",
        &[
            "CM_FULL_RESOURCE_DESCRIPTOR",
            "CM_PARTIAL_RESOURCE_DESCRIPTOR",
            "CM_PARTIAL_RESOURCE_LIST",
            "CM_RESOURCE_LIST",
            "DEBUG_DEVICE_ADDRESS",
            "DEBUG_DEVICE_DESCRIPTOR",
            "DEVICE_DESCRIPTION",
            "DMA_OPERATIONS",
            "HAL_DISPATCH",
            "IO_RESOURCE_DESCRIPTOR",
            "MCI_STATS",
            "PCI_BUS_INTERFACE_STANDARD",
            "PCI_COMMON_CONFIG",
            "PCI_COMMON_HEADER",
            "PCI_EXPRESS_CAPABILITY",
            "PHYSICAL_COUNTER_RESOURCE_DESCRIPTOR",
            "PHYSICAL_COUNTER_RESOURCE_LIST",
            "WAIT_CONTEXT_BLOCK",
        ],
    ),
];

#[test]
fn structures_are_laid_out_as_in_the_metadata() {
    let metadata = Metadata::read();
    // The compiler reports the structures that the headers do not have.
    let names = metadata.names();
    let probe = names.iter().fold(String::new(), |mut text, name| {
        writeln!(text, "typedef {name} *Probe_{name};").unwrap();
        text
    });
    // `FILE:LINE:COLUMN: error: …`, where the first line includes the headers.
    let unknown: BTreeSet<&str> = errors_in(&probe)
        .lines()
        .map(|line| names[line.split(':').nth(1).unwrap().parse::<usize>().unwrap() - 2])
        .collect();
    let mut body = String::new();
    let mut compared = 0;
    for name in names {
        let is_compared = NOT_COMPARED.iter().all(|(_, names)| !names.contains(&name));
        if is_compared && !unknown.contains(name) {
            let layout = metadata.layout(name);
            body += &if MEMBERS_ALONE.contains(&name) {
                has_members(name, layout.fields.keys())
            } else {
                layout_is(name, layout.size, &layout.fields)
            };
            compared += 1;
        }
    }
    assert!(compared > 400, "{compared}");
    assert_eq!(errors_in(&body), "");
}

#[test]
fn numbers_are_those_of_the_metadata() {
    let metadata = Metadata::read();
    let body = metadata
        .numbers
        .iter()
        .fold(String::new(), |mut text, (name, value)| {
            // Operation codes are bytes; the metadata has 16-bit numbers.
            let width = if name.starts_with("IRP_MJ_") || name.starts_with("FS_FILTER_") {
                "UCHAR"
            } else {
                "ULONG"
            };
            writeln!(
                text,
                "_Static_assert(({width})({name}) == ({width}){value}, \"{name} is not {value}\");"
            )
            .unwrap();
            text
        });
    // Numbers that only the metadata has are not an error.
    let errors = errors_in(&body);
    let (unknown, wrong): (Vec<_>, Vec<_>) = errors
        .lines()
        .partition(|line| line.contains("use of undeclared identifier"));
    assert_eq!(wrong, Vec::<&str>::new());
    let compared = metadata.numbers.len() - unknown.len();
    assert!(compared > 1000, "{compared}");
}

#[test]
fn every_function_of_the_headers_can_be_linked() {
    // A pointer to each function in the list: each is declared, and each can be linked.
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

/// The functions that a driver imports, by image.
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
fn compiler_errors_are_shown() {
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

/// The message of `xtask build` for a folder that it refuses.
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
fn a_folder_that_is_not_a_driver_is_refused() {
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
            "error: {shown} is not a driver: its Cargo.toml has no [package.metadata.wdk]; \
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
            "error: {shown} has no Cargo.lock, which every emitted project has: restore it, \
             or run `cargo generate-lockfile` there\n"
        )
    );
    fs::write(&manifest, "package = 1\n").unwrap();
    assert!(refusal(folder.path()).starts_with(&format!(
        "error: {shown}/Cargo.toml is not a valid Cargo.toml: "
    )));
}

#[test]
fn an_unknown_version_of_the_wdk_crates_is_refused_in_one_sentence() {
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
        "error: the open WDK was not tested with wdk-build 0.7.0, but with wdk-build 0.6.0: \
         see \"A new version of the wdk crates\" in ci/openwdk/README.md\n"
    );
}

/// Whether a driver's version resource has this description.
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
fn projects_with_the_same_name_get_their_own_drivers() {
    // Both exist before either is built: because they share cargo's build folder, cargo takes the second for built.
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
fn a_project_that_cargo_refuses_does_not_affect_another_with_the_same_name() {
    let (_first_folder, first) = emit("early-error", "Refused by cargo");
    let (_second_folder, second) = emit("early-error", "Built");
    let manifest = first.join("Cargo.toml");
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, text + "\n[features]\ndefault = [\"missing\"]\n").unwrap();
    assert!(!build(&first, &["--release"], &[]).status.success());
    let output = build(&second, &["--release"], &[]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
}

#[test]
fn rustflags_of_the_caller_are_not_passed_on() {
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
fn a_driver_that_does_not_compile_is_an_error() {
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
            "error: {} does not build: see the output of the compiler above\n",
            shown.display()
        )),
        "{error}"
    );
}
