//! How a function of the model is declared.

use crate::vocabulary::status::Status;

/// How a function can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fails {
    /// Not at all.
    Never,
    /// Not at all, and it is called too often and does too little to be recorded.
    Quiet,
    /// With these documented statuses.
    With(&'static [Status]),
    /// By returning NULL, or FALSE.
    Null,
}

/// A function of the model.
#[derive(Debug, Clone, Copy)]
pub struct Function {
    /// Its name.
    pub name: &'static str,
    /// The module that exports it.
    pub dll: &'static str,
    /// The header of its document.
    pub header: &'static str,
    /// The highest IRQL at which it may be called.
    pub irql: u8,
    /// How it can fail.
    pub fails: Fails,
    /// Its arguments: name and type, as the model declares them.
    pub arguments: &'static [(&'static str, &'static str)],
    /// The type of its result, as the model declares it; empty for none.
    pub result: &'static str,
    /// Its address.
    pub entry: fn() -> usize,
}

/// An address that may be NULL.
pub type Optional = u64;

impl Function {
    /// The title of its document.
    #[must_use]
    pub fn document(&self) -> String {
        format!("{} function ({})", self.name, self.header)
    }
}

/// A value in a register.
pub trait Word: Copy {
    /// As the register has it.
    fn word(self) -> u64;
    /// From the register.
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
