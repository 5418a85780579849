//! `FLT_PREOP_CALLBACK_STATUS`: the return value of a pre-operation callback.

/// `FLT_PREOP_SUCCESS_WITH_CALLBACK`.
pub const WITH_CALLBACK: u32 = 0;
/// `FLT_PREOP_SUCCESS_NO_CALLBACK`.
pub const NO_CALLBACK: u32 = 1;
/// `FLT_PREOP_PENDING`.
pub const PENDING: u32 = 2;
/// `FLT_PREOP_DISALLOW_FASTIO`.
pub const DISALLOW_FASTIO: u32 = 3;
/// `FLT_PREOP_COMPLETE`.
pub const COMPLETE: u32 = 4;
/// `FLT_PREOP_SYNCHRONIZE`.
pub const SYNCHRONIZE: u32 = 5;
/// `FLT_PREOP_DISALLOW_FSFILTER_IO`.
pub const DISALLOW_FSFILTER_IO: u32 = 6;

/// Returns the name of an `FLT_PREOP_CALLBACK_STATUS`.
#[must_use]
pub fn name(answer: u32) -> &'static str {
    match answer {
        0 => "FLT_PREOP_SUCCESS_WITH_CALLBACK",
        1 => "FLT_PREOP_SUCCESS_NO_CALLBACK",
        2 => "FLT_PREOP_PENDING",
        3 => "FLT_PREOP_DISALLOW_FASTIO",
        4 => "FLT_PREOP_COMPLETE",
        5 => "FLT_PREOP_SYNCHRONIZE",
        6 => "FLT_PREOP_DISALLOW_FSFILTER_IO",
        _ => "no FLT_PREOP_CALLBACK_STATUS",
    }
}
