//! What the test bench says of the driver: every rule, with each call that can fail made to fail.

use std::sync::OnceLock;

use testbench::{Bench, Expectations, Report};

fn expectations() -> Expectations {
    testbench::test::driver(env!("CARGO_MANIFEST_DIR")).1
}

fn report() -> &'static Report {
    static REPORT: OnceLock<Report> = OnceLock::new();
    REPORT.get_or_init(|| {
        let (file, expectations) = testbench::test::driver(env!("CARGO_MANIFEST_DIR"));
        let bench = Bench::open(&file).unwrap_or_else(|refusal| panic!("{refusal}"));
        let worker = env!("CARGO_BIN_EXE_testbench-worker");
        let run = bench.worker(worker).expect(expectations).run();
        run.unwrap_or_else(|refusal| panic!("{refusal}"))
    })
}

#[test]
fn the_driver_keeps_every_rule() {
    let report = report();
    assert!(report.findings.is_empty(), "\n{report}\n");
}

#[test]
fn everything_was_judged() {
    let report = report();
    assert!(report.complete, "\n{report}\n");
}

#[test]
fn its_unload_policy_is_the_expected_one() {
    let expected = expectations();
    let observed = &report().observed;
    // It was not seen if the driver was not judged as far as that, which another test reports.
    if observed.unload_policy.is_some() || report().complete {
        assert_eq!(observed.unload_policy, expected.unload_policy);
    }
    if let (Some(true), Some(service_stop)) = (
        expected
            .unload_policy
            .map(|policy| policy != testbench::Policy::Never),
        expected.service_stop,
    ) {
        assert_eq!(observed.service_stop, Some(service_stop));
    }
}

#[test]
fn its_calls_were_made_to_fail() {
    let report = report();
    assert!(report.faults_injected > 0, "{report}");
}
