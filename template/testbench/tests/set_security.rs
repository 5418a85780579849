//! Tests of `IRP_MJ_SET_SECURITY`: the callbacks are in `src/operations/set_security.rs`.

use testbench::{file::access, machine};

/// `DACL_SECURITY_INFORMATION`.
const DACL: u32 = 4;

#[test]
fn the_security_of_a_file_is_set() {
    let machine = machine!()
        .file(r"C:\a.txt", b"text")
        .file(r"C:\b.txt", b"text")
        .start();
    let program = machine.process("program.exe");
    let file = program.open(r"C:\a.txt").unwrap();
    let rights = access::READ_CONTROL | access::WRITE_DAC;
    let other = program.options().access(rights).open(r"C:\b.txt").unwrap();
    let descriptor = file.query_security(DACL).unwrap();
    other.set_security(DACL, &descriptor).unwrap();
    other.query_security(DACL).returns(&descriptor);
}
