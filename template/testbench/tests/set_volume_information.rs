//! Tests of `IRP_MJ_SET_VOLUME_INFORMATION`: the callbacks are in `src/operations/set_volume_information.rs`.

use testbench::machine;

/// `FileFsLabelInformation`.
const LABEL: u32 = 2;

#[test]
fn the_label_of_a_volume_is_set() {
    let machine = machine!().start();
    let program = machine.process("program.exe");
    let directory = program.open_directory(r"C:\").unwrap();
    // The length of the label and the label, `A`.
    let label = [2, 0, 0, 0, b'A', 0];
    directory.set_volume(LABEL, &label).unwrap();
}
