//! Tests of `IRP_MJ_LOCK_CONTROL`: the callbacks are in `src/operations/lock_control.rs`.

use testbench::{machine, status};

#[test]
fn a_lock_keeps_others_out() {
    let machine = machine!().file(r"C:\a.txt", b"text").start();
    let (one, other) = (machine.process("one.exe"), machine.process("other.exe"));
    let file = one.open(r"C:\a.txt").unwrap();
    file.lock(0, 4, true).unwrap();
    let same = other.open(r"C:\a.txt").unwrap();
    same.read(0, 4).fails_with(status::FILE_LOCK_CONFLICT);
    file.unlock(0, 4).unwrap();
    same.read(0, 4).returns(b"text");
}
