//! Tests of `IRP_MJ_CLOSE`: the callbacks are in `src/operations/close.rs`.

use testbench::machine;

#[test]
fn the_cache_delays_the_close_of_a_file() {
    let machine = machine!().start();
    let closes = || {
        let below = machine.below();
        below
            .iter()
            .filter(|sent| sent.operation.major == 0x02)
            .count()
    };
    machine
        .process("program.exe")
        .write(r"C:\a.txt", b"text")
        .unwrap();
    assert_eq!(closes(), 0);
    machine.write_back().unwrap();
    assert_eq!(closes(), 1);
}
