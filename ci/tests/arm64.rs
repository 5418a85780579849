//! ARM64: drivers are compiled and linked for it. Nothing here runs them.

mod emitting;

use std::{fs, path::Path};

use object::{
    LittleEndian as LE,
    pe::{IMAGE_FILE_MACHINE_ARM64, IMAGE_SUBSYSTEM_NATIVE},
    read::pe::PeFile64,
};
use xtask::build::{self, Arch, Profile};

/// The default, each policy, and everything that is optional.
const PROJECTS: [&[(&str, &str)]; 4] = [
    &[],
    &[("unload_policy", "refuse-non-mandatory")],
    &[("unload_policy", "never"), ("error_log", "debugger")],
    &[
        ("control_device", "true"),
        ("reinitialize", "true"),
        ("parameters", "true"),
        (
            "operations",
            "create,read,write,cleanup,close,network-query-open,acquire-for-section-synchronization,shutdown",
        ),
    ],
];

fn assert_is_arm64_driver(sys: &Path) {
    let bytes = fs::read(sys).unwrap();
    let file = PeFile64::parse(&*bytes).unwrap();
    let header = file.nt_headers();
    assert_eq!(
        header.file_header.machine.get(LE),
        IMAGE_FILE_MACHINE_ARM64,
        "{}",
        sys.display()
    );
    assert_eq!(
        header.optional_header.subsystem.get(LE),
        IMAGE_SUBSYSTEM_NATIVE
    );
}

#[test]
fn drivers_link_for_arm64() {
    for answers in PROJECTS {
        let (_place, project) = emitting::emit(answers);
        let sys = build::build_for(&project, Profile::Release, Arch::Arm64).unwrap();
        assert_is_arm64_driver(&sys);
    }
}
