//! Tests of `IRP_MJ_QUERY_INFORMATION`: the callbacks are in `src/operations/query_information.rs`.

use testbench::machine;

#[test]
fn the_size_of_a_file_is_queried() {
    let machine = machine!().file(r"C:\a.txt", b"text").start();
    let program = machine.process("program.exe");
    let file = program.open(r"C:\a.txt").unwrap();
    file.size().returns(&4);
}
