//! Tests of `IRP_MJ_CREATE`: the callbacks are in `src/operations/create.rs`.

use testbench::{machine, status};

#[test]
fn a_file_is_opened() {
    let machine = machine!().file(r"C:\documents\a.txt", b"text").start();
    let program = machine.process("program.exe");
    program.open(r"C:\documents\a.txt").unwrap();
    program
        .open(r"C:\documents\missing.txt")
        .fails_with(status::OBJECT_NAME_NOT_FOUND);
}
