//! Tests of `IRP_MJ_QUERY_EA`: the callbacks are in `src/operations/query_ea.rs`.

use testbench::{machine, status};

#[test]
fn a_file_without_extended_attributes_is_queried() {
    let machine = machine!().file(r"C:\a.txt", b"text").start();
    let program = machine.process("program.exe");
    let file = program.open(r"C:\a.txt").unwrap();
    file.query_ea().fails_with(status::NO_EAS_ON_FILE);
}
