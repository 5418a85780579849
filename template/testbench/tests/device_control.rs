//! Tests of `IRP_MJ_DEVICE_CONTROL`: the callbacks are in `src/operations/device_control.rs`.

use testbench::machine;

/// `IOCTL_MOUNTDEV_QUERY_DEVICE_NAME`.
const QUERY_DEVICE_NAME: u32 = 0x004D_0008;

#[test]
fn a_control_code_is_sent_to_the_device() {
    let machine = machine!().start();
    let program = machine.process("program.exe");
    let volume = program.open("C:").unwrap();
    volume.device_control(QUERY_DEVICE_NAME, b"", 256).unwrap();
}
