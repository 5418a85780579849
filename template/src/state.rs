//! What the callbacks share.

use core::sync::atomic::AtomicU32;

/// The state of the driver, to which every callback has a reference.
///
/// Callbacks run at the same time on several processors, and post-operation callbacks at
/// `DISPATCH_LEVEL` or below: use atomics and constants.
pub struct State {
    /// The number of attached instances.
    pub attached: AtomicU32,
{%- if parameters %}
    /// The settings.
    pub parameters: crate::parameters::Parameters,
{%- endif %}
{%- if reinitialize %}
    /// Whether files can be opened.
    pub files_reachable: core::sync::atomic::AtomicBool,
{%- endif %}
}

impl State {
    /// Returns the state of a driver that is not attached to a volume yet.
    pub const fn new({{state_parameters}}) -> Self {
        Self {
            attached: AtomicU32::new(0),
{%- if parameters %}
            parameters,
{%- endif %}
{%- if reinitialize %}
            files_reachable: core::sync::atomic::AtomicBool::new(false),
{%- endif %}
        }
    }
}
