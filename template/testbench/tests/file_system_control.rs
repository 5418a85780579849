//! Tests of `IRP_MJ_FILE_SYSTEM_CONTROL`: the callbacks are in `src/operations/file_system_control.rs`.

use testbench::machine;

/// `FSCTL_IS_VOLUME_MOUNTED`.
const IS_VOLUME_MOUNTED: u32 = 0x0009_0028;

#[test]
fn a_control_code_is_sent_to_the_file_system() {
    let machine = machine!().file(r"C:\a.txt", b"text").start();
    let program = machine.process("program.exe");
    let file = program.open(r"C:\a.txt").unwrap();
    file.control(IS_VOLUME_MOUNTED, b"", 0).unwrap();
}
