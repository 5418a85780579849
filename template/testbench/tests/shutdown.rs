//! Tests of `IRP_MJ_SHUTDOWN`: the callbacks are in `src/operations/shutdown.rs`.

use testbench::machine;

#[test]
fn the_system_shuts_down() {
    let machine = machine!().start();
    machine.shut_down().unwrap();
}
