//! Tests of functions that use no kernel type.
//!
//! They need no test bench: a module of the driver is compiled for this machine.

#[allow(
    unused_imports,
    unused_macros,
    dead_code,
    reason = "the tests use a part of the module"
)]
#[path = "../../src/flt/trace.rs"]
mod trace;

#[test]
fn a_conversion_in_a_text_is_recognized() {
    assert!(trace::has_no_conversion("opened "));
    assert!(trace::has_no_conversion(""));
    assert!(!trace::has_no_conversion("50 %"));
    assert!(!trace::has_no_conversion("opened\0"));
}
