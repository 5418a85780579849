//! Why the filter does not support `BypassIO`, with which noncached reads skip all filters.

use crate::{
    flt::{
        ErrorStatus, FileSystemControl, PreOperation,
        bypass_io::BypassIo,
        unicode::{Text, text},
    },
    state::State,
};

impl BypassIo for State {
    // STATUS_NOT_SUPPORTED_WITH_MONITORING, which older headers do not have. Other filters use
    // STATUS_NOT_SUPPORTED_WITH_ENCRYPTION or another status of this kind.
    const STATUS: ErrorStatus = ErrorStatus::of::<{ 0xC000_04CE_u32.cast_signed() }>();
    // A program shows this text: `fsutil bypassIo state`.
    const REASON: Text = text!("{{crate_name}} filters reads of this file");

    /// Returns whether reads of the file must not skip the filter. Your choice goes here.
    ///
    /// Runs at `APC_LEVEL` or below. The file can be a directory or a volume.
    fn vetoes(&self, _data: &mut PreOperation<'_, FileSystemControl>) -> bool {
        true
    }
}
