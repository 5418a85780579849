//! Tests of `IRP_MJ_WRITE`: the callbacks are in `src/operations/write.rs`.

use testbench::machine;

#[test]
fn a_file_is_written() {
    let machine = machine!().start();
    let program = machine.process("program.exe");
    program.write(r"C:\a.txt", b"text").unwrap();
    // The data is in the cache until the lazy writer runs.
    machine.write_back().unwrap();
    machine.disk(r"C:\a.txt").returns(b"text");
}
