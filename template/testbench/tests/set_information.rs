//! Tests of `IRP_MJ_SET_INFORMATION`: the callbacks are in `src/operations/set_information.rs`.

use testbench::machine;

#[test]
fn a_file_is_renamed() {
    let machine = machine!().file(r"C:\a.txt", b"text").start();
    let program = machine.process("program.exe");
    program.rename(r"C:\a.txt", r"C:\b.txt").unwrap();
    program.read(r"C:\b.txt").returns(b"text");
}
