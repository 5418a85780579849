//! Tests of `IRP_MJ_ACQUIRE_FOR_SECTION_SYNCHRONIZATION`: the callbacks are in `src/operations/acquire_for_section_synchronization.rs`.

use testbench::machine;

#[test]
fn a_file_is_mapped() {
    let machine = machine!().file(r"C:\a.txt", b"text").start();
    let program = machine.process("editor.exe");
    program.edit_mapped(r"C:\a.txt", 0, b"T").returns(b"text");
    machine.write_back().unwrap();
    machine.disk(r"C:\a.txt").returns(b"Text");
}
