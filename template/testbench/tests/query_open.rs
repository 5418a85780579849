//! Tests of `IRP_MJ_QUERY_OPEN`: the callbacks are in `src/operations/query_open.rs`.

use testbench::machine;

#[test]
fn a_file_is_queried_without_a_handle() {
    let machine = machine!().file(r"C:\a.txt", b"text").start();
    let program = machine.process("program.exe");
    let metadata = program.metadata(r"C:\a.txt").unwrap();
    assert_eq!(metadata.size, 4);
}
