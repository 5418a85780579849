//! Tests that fail, each with a message that `author.rs` checks.

use std::time::Duration;

use testbench::{file, machine, status};

#[test]
fn success_is_required() {
    let machine = machine!().start();
    machine
        .process("editor.exe")
        .open(r"C:\missing.txt")
        .unwrap();
}

#[test]
fn a_failure_is_required() {
    let machine = machine!().file(r"C:\a.txt", b"text").start();
    let editor = machine.process("editor.exe");
    editor.open(r"C:\a.txt").fails_with(status::ACCESS_DENIED);
}

#[test]
fn other_data_is_required() {
    let machine = machine!().file(r"C:\a.txt", b"text").start();
    machine
        .process("editor.exe")
        .read(r"C:\a.txt")
        .returns(b"other");
}

#[test]
fn the_driver_crashes() {
    let machine = machine!().start();
    machine
        .process("editor.exe")
        .write(r"C:\a.crash", b"")
        .unwrap();
}

#[test]
fn the_driver_hangs() {
    let machine = machine!().limit(Duration::from_millis(500)).start();
    machine
        .process("editor.exe")
        .write(r"C:\a.hang", b"")
        .unwrap();
}

#[test]
fn the_driver_leaks() {
    let machine = machine!().start();
    machine
        .process("editor.exe")
        .write(r"C:\a.leak", b"")
        .unwrap();
}

#[test]
fn a_finding_is_expected() {
    machine!().expect_finding("crash").run(|machine| {
        machine
            .process("editor.exe")
            .write(r"C:\a.txt", b"")
            .unwrap();
    });
}

#[test]
fn the_driver_does_not_start() {
    let machine = machine!().fail_next("FltRegisterFilter").start();
    drop(machine);
}

#[test]
fn a_control_code_is_not_modelled() {
    let machine = machine!().file(r"C:\a.txt", b"text").start();
    let file = machine.process("editor.exe").open(r"C:\a.txt").unwrap();
    file.control(0x0009_0240, b"", 0).unwrap();
}

#[test]
fn a_status_that_is_not_modelled_is_compared() {
    let machine = machine!().file(r"C:\a.txt", b"text").start();
    let file = machine.process("editor.exe").open(r"C:\a.txt").unwrap();
    let status = file.control(0x0009_0240, b"", 0).status();
    assert!(!status.is_success());
}

#[test]
fn an_impossible_act_is_dropped() {
    let machine = machine!().start();
    let _ = machine.fail_next("FltNothing");
}

#[test]
fn a_volume_does_not_exist() {
    let machine = machine!().start();
    machine.process("editor.exe").open(r"E:\a.txt").unwrap();
}

#[test]
fn a_value_is_invalid() {
    drop(machine!().registry("Mode", "1").start());
}

#[test]
fn a_fault_is_not_tolerated() {
    machine!()
        .file(r"C:\a.leak", b"")
        .every_fault()
        .run(|machine| {
            assert!(machine.fault().is_none(), "there is a fault");
            machine
                .process("editor.exe")
                .open(r"C:\a.txt")
                .fails_with(status::OBJECT_NAME_NOT_FOUND);
        });
}

/// These tests pass: what they expect happens.
mod passing {
    use super::*;

    #[test]
    fn an_expected_crash() {
        machine!().expect_finding("crash").run(|machine| {
            machine
                .process("editor.exe")
                .write(r"C:\a.crash", b"")
                .unwrap();
        });
    }

    #[test]
    fn a_request_that_is_complete_is_cancelled() {
        let machine = machine!().directory(r"C:\d").start();
        let program = machine.process("editor.exe");
        let directory = program.open_directory(r"C:\d").unwrap();
        let request = directory.watch(file::notify::FILE_NAME, false);
        program.write(r"C:\d\a.txt", b"").unwrap();
        request.cancel().unwrap();
    }

    #[test]
    fn generic_rights_are_those_of_files() {
        let machine = machine!().file(r"C:\a.txt", b"text").start();
        let program = machine.process("editor.exe");
        let open = |access| program.options().access(access).share(1).open(r"C:\a.txt");
        let reader = open(0x8000_0000).unwrap();
        reader.read(0, 4).returns(b"text");
        open(0x4000_0000).fails_with(status::SHARING_VIOLATION);
    }

    #[test]
    fn a_file_is_renamed_by_a_path_from_the_root_of_all_objects() {
        let machine = machine!().file(r"C:\a.txt", b"text").start();
        let program = machine.process("editor.exe");
        let open = program.options().delete().open(r"C:\a.txt").unwrap();
        let name: Vec<u8> = r"\??\C:\b.txt"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        let mut information = vec![0; 16];
        information.extend((name.len() as u32).to_le_bytes());
        information.extend(name);
        open.set(file::class::RENAME, &information).unwrap();
        program.read(r"C:\b.txt").returns(b"text");
    }

    #[test]
    fn a_request_needs_its_right() {
        let machine = machine!().file(r"C:\a.txt", b"text").start();
        let open = machine.process("editor.exe").open(r"C:\a.txt").unwrap();
        open.flush().fails_with(status::ACCESS_DENIED);
        open.write(0, b"x").fails_with(status::ACCESS_DENIED);
        open.set_ea("origin", b"internet")
            .fails_with(status::ACCESS_DENIED);
        open.set_security(4, &[]).fails_with(status::ACCESS_DENIED);
        open.rename(r"C:\b.txt", false)
            .fails_with(status::ACCESS_DENIED);
    }

    #[test]
    fn an_expected_leak() {
        let rule = "name-information-released";
        let machine = machine!().expect_finding(rule).start();
        machine
            .process("editor.exe")
            .write(r"C:\a.leak", b"")
            .unwrap();
    }

    #[test]
    fn an_expected_failure_of_the_start() {
        let status = machine!().fail_next("FltStartFiltering").fails_to_start();
        assert_eq!(status, status::INVALID_PARAMETER);
    }
}
