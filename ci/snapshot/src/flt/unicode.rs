//! Constant strings as the kernel takes them: UTF-16, counted.

use wdk_sys::UNICODE_STRING;

/// A constant string.
///
/// # Invariants
///
/// A NUL follows the units in memory, and they are fewer than 32,767.
#[derive(Clone, Copy)]
pub struct Text(&'static [u16]);

/// The [`Text`] of an ASCII literal, converted at compile time.
macro_rules! text {
    ($text:literal) => {
        const {
            $crate::flt::unicode::Text::new(
                &const { $crate::flt::unicode::terminated::<{ $text.len() + 1 }>($text) },
            )
        }
    };
}
pub(crate) use text;

impl Text {
    /// Returns the string of `units`, which end in a NUL.
    ///
    /// # Panics
    ///
    /// If they do not, or are too many: it is called in constants only.
    pub const fn new(units: &'static [u16]) -> Self {
        match units {
            [units @ .., 0] if units.len() < 0x7FFF => Self(units),
            _ => panic!("the string does not end in a NUL, or is too long"),
        }
    }

    /// Returns the units without the NUL.
    pub const fn units(self) -> &'static [u16] {
        self.0
    }

    /// Returns the counted string, for functions that only read it.
    #[expect(clippy::cast_possible_truncation, reason = "the invariant")]
    pub const fn counted(self) -> UNICODE_STRING {
        let length = size_of_val(self.0) as u16;
        UNICODE_STRING {
            Length: length,
            MaximumLength: length.wrapping_add(size_of::<u16>() as u16),
            Buffer: self.0.as_ptr().cast_mut(),
        }
    }
}

/// Returns the UTF-16 of `text` with a NUL at its end.
///
/// # Panics
///
/// If the text is not ASCII: it is called in constants only.
pub const fn terminated<const LENGTH: usize>(text: &str) -> [u16; LENGTH] {
    assert!(text.is_ascii() && text.len() + 1 == LENGTH);
    let mut units = [0; LENGTH];
    let mut rest = text.as_bytes();
    let mut at = 0;
    while let [byte, after @ ..] = rest {
        units[at] = *byte as u16;
        rest = after;
        at += 1;
    }
    units
}
