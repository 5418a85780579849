//! `FSCTL_MANAGE_BYPASS_IO` and its structures.
//!
//! Document: "`BypassIO` operations".

/// `FSCTL_MANAGE_BYPASS_IO`.
pub const MANAGE_BYPASS_IO: u32 = 0x0009_0448;

/// `FS_BPIO_OP_ENABLE`.
pub const ENABLE: u32 = 1;

/// `FS_BPIO_OP_DISABLE`.
pub const DISABLE: u32 = 2;

/// `FS_BPIO_OP_QUERY`.
pub const QUERY: u32 = 3;

/// The size of `FS_BPIO_INPUT`.
pub const INPUT_SIZE: u32 = 24;

/// The size of `FS_BPIO_OUTPUT`.
pub const OUTPUT_SIZE: u32 = 352;

/// The offset of `FS_BPIO_RESULTS` in `FS_BPIO_OUTPUT`.
pub const RESULTS: u64 = 24;

/// The offset of `FailureReasonLen` in `FS_BPIO_RESULTS`.
pub const REASON_LENGTH: u64 = 70;

/// The maximum length of `FailureReason` in characters.
pub const MOST_REASON: u64 = 128;
