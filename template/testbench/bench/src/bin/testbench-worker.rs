//! The worker for the tests of an emitted project. See `testbench::worker`.

fn main() -> std::process::ExitCode {
    testbench::worker::run()
}
