//! Tests of `IRP_MJ_FLUSH_BUFFERS`: the callbacks are in `src/operations/flush_buffers.rs`.

use testbench::machine;

#[test]
fn a_flush_writes_the_cached_data() {
    let machine = machine!().start();
    let program = machine.process("program.exe");
    let file = program.create(r"C:\a.txt").unwrap();
    file.write(0, b"text").unwrap();
    file.flush().unwrap();
    machine.disk(r"C:\a.txt").returns(b"text");
}
