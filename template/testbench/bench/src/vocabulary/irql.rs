//! Interrupt request levels.

/// `PASSIVE_LEVEL`.
pub const PASSIVE: u8 = 0;

/// `APC_LEVEL`.
pub const APC: u8 = 1;

/// `DISPATCH_LEVEL`.
pub const DISPATCH: u8 = 2;

/// Any level.
pub const ANY: u8 = 15;

/// Returns the name of an IRQL.
#[must_use]
pub fn name(irql: u8) -> String {
    match irql {
        PASSIVE => "PASSIVE_LEVEL".to_owned(),
        APC => "APC_LEVEL".to_owned(),
        DISPATCH => "DISPATCH_LEVEL".to_owned(),
        other => format!("IRQL {other}"),
    }
}
