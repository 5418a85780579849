//! Tests of `IRP_MJ_QUERY_SECURITY`: the callbacks are in `src/operations/query_security.rs`.

use testbench::machine;

/// `DACL_SECURITY_INFORMATION`.
const DACL: u32 = 4;

#[test]
fn the_security_of_a_file_is_queried() {
    let machine = machine!().file(r"C:\a.txt", b"text").start();
    let program = machine.process("program.exe");
    let file = program.open(r"C:\a.txt").unwrap();
    let descriptor = file.query_security(DACL).unwrap();
    // The revision of a security descriptor.
    assert_eq!(descriptor[0], 1);
}
