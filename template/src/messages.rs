//! The driver's event log messages: for the driver, which sends their ids, and for
//! `build/message_table.rs`, which makes the table that Event Viewer takes their texts from.

#![allow(
    dead_code,
    reason = "the driver uses the ids, the build script the texts"
)]

/// An event log message.
pub struct Message {
    /// The `ErrorCode` of the entry, laid out as an `NTSTATUS`: severity, customer bit, facility,
    /// code.
    pub id: u32,
    /// What Event Viewer shows. `%1` is the driver's name, from the I/O manager; `%2` and on are
    /// the entry's strings.
    pub text: &'static str,
}

/// All of them, for the table.
pub const MESSAGES: &[Message] = &[{% if parameters %}SETTING_REFUSED, {% endif %}LOAD_FAILED];

/// `DriverEntry` failed: `%2` is the step, `%3` its status.
pub const LOAD_FAILED: Message = Message {
    id: 0xE004_0001,
    text: "{{crate_name}} was not loaded: %2 failed with status %3. What had been set up has been undone.",
};
{%- if parameters %}

/// A setting cannot be meant: `%2` is its name, `%3` why.
pub const SETTING_REFUSED: Message = Message {
    id: 0xA004_0002,
    text: "{{crate_name}} uses its default for %2: the value in the Parameters key was refused with status %3 (0xC0000024: it is no REG_DWORD; 0xC000000D: it is outside the limits).",
};
{%- endif %}
