//! Tests of `IRP_MJ_READ`: the callbacks are in `src/operations/read.rs`.

use testbench::{machine, status};

#[test]
fn a_file_is_read() {
    let machine = machine!().file(r"C:\a.txt", b"text").start();
    let program = machine.process("program.exe");
    let file = program.open(r"C:\a.txt").unwrap();
    file.read(0, 4).returns(b"text");
    file.read(4, 1).fails_with(status::END_OF_FILE);
}
