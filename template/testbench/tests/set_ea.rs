//! Tests of `IRP_MJ_SET_EA`: the callbacks are in `src/operations/set_ea.rs`.

use testbench::machine;

#[test]
fn an_extended_attribute_is_set() {
    let machine = machine!().file(r"C:\a.txt", b"text").start();
    let program = machine.process("program.exe");
    let file = program.edit(r"C:\a.txt").unwrap();
    file.set_ea("origin", b"internet").unwrap();
    file.query_ea().unwrap();
}
