//! Tests of `IRP_MJ_CLEANUP`: the callbacks are in `src/operations/cleanup.rs`.

use testbench::{machine, status};

#[test]
fn a_file_is_deleted_when_its_last_handle_is_closed() {
    let machine = machine!().file(r"C:\a.txt", b"text").start();
    let program = machine.process("program.exe");
    program.delete(r"C:\a.txt").unwrap();
    program
        .open(r"C:\a.txt")
        .fails_with(status::OBJECT_NAME_NOT_FOUND);
}
