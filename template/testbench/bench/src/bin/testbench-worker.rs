//! The worker of an emitted project's own tests; see `testbench::worker`.

fn main() -> std::process::ExitCode {
    testbench::worker::run()
}
