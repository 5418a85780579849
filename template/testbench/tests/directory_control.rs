//! Tests of `IRP_MJ_DIRECTORY_CONTROL`: the callbacks are in `src/operations/directory_control.rs`.

use testbench::{file::notify, machine};

#[test]
fn a_directory_is_listed() {
    let machine = machine!()
        .file(r"C:\documents\a.txt", b"text")
        .directory(r"C:\documents\letters")
        .start();
    let program = machine.process("program.exe");
    program.list(r"C:\documents").returns(&["a.txt", "letters"]);
}

#[test]
fn a_change_in_a_directory_completes_a_notification() {
    let machine = machine!().directory(r"C:\documents").start();
    let program = machine.process("program.exe");
    let directory = program.open_directory(r"C:\documents").unwrap();
    let changes = directory.watch(notify::FILE_NAME, false);
    assert!(changes.is_pending());
    program.write(r"C:\documents\a.txt", b"text").unwrap();
    changes.result().unwrap();
}
