//! The declaration of a function of the model.

use crate::vocabulary::status::Status;

/// The failures of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fails {
    /// The function cannot fail.
    Never,
    /// The function cannot fail. Its calls are not recorded, because they are frequent and have little effect.
    Quiet,
    /// The function can fail with these documented statuses.
    With(&'static [Status]),
    /// The function can raise an exception with these statuses.
    Raises(&'static [Status]),
    /// The function can return NULL or FALSE.
    Null,
}

/// A function of the model.
#[derive(Debug, Clone, Copy)]
pub struct Function {
    /// The name.
    pub name: &'static str,
    /// The module that exports it.
    pub dll: &'static str,
    /// The header that its document names.
    pub header: &'static str,
    /// The maximum IRQL at which it can be called.
    pub irql: u8,
    /// The failures that can occur.
    pub fails: Fails,
    /// The arguments: name and type, as the model declares them.
    pub arguments: &'static [(&'static str, &'static str)],
    /// The result type, as the model declares it. Empty if there is none.
    pub result: &'static str,
    /// Returns the address.
    pub entry: fn() -> usize,
}

/// An address that may be NULL.
pub type Optional = u64;

impl Function {
    /// Returns the title of its document.
    #[must_use]
    pub fn document(&self) -> String {
        format!("{} function ({})", self.name, self.header)
    }
}

/// A value that fits in a register.
pub trait Word: Copy {
    /// Converts the value to the content of a register.
    fn word(self) -> u64;
    /// Converts the content of a register to a value.
    fn from_word(word: u64) -> Self;
}

macro_rules! words {
    ($($type:ty)*) => {$(
        impl Word for $type {
            fn word(self) -> u64 { self as u64 }
            fn from_word(word: u64) -> Self { word as $type }
        }
    )*};
}
words!(u8 u16 u32 u64 i32 i64);

impl Word for () {
    fn word(self) -> u64 {
        0
    }
    fn from_word(_: u64) -> Self {}
}

impl Word for Status {
    fn word(self) -> u64 {
        u64::from(self.0)
    }
    fn from_word(word: u64) -> Self {
        Status(word as u32)
    }
}
