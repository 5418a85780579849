//! Tests of `IRP_MJ_QUERY_VOLUME_INFORMATION`: the callbacks are in `src/operations/query_volume_information.rs`.

use testbench::machine;

/// `FileFsSizeInformation`.
const SIZE: u32 = 3;

#[test]
fn the_size_of_a_volume_is_queried() {
    let machine = machine!().start();
    let program = machine.process("program.exe");
    let directory = program.open_directory(r"C:\").unwrap();
    let size = directory.query_volume(SIZE, 24).unwrap();
    assert_eq!(size.len(), 24);
}
