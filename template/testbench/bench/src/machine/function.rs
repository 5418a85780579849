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

/// Declares functions of the model.
///
/// ```text
/// functions! { pub TABLE = "module", "header";
///     [highest IRQL, how it fails, clears output, unless condition] fn Name(argument: type) -> type { what it does }
/// }
/// ```
///
/// - `clears`: the output is NULL when the call fails.
/// - `unless`: a call whose arguments meet the condition cannot fail. A function that acquires or releases, depending
///   on an argument, fails only where it acquires.
/// - An argument that the function does not look at begins with `_`; the address of an argument that may be NULL is
///   [`Optional`], every other address or size a `u64`.
macro_rules! functions {
    ($vis:vis $table:ident = $dll:literal, $header:literal;
     $($(#[$doc:meta])* [$irql:expr, $fails:expr $(, clears $out:ident)? $(, unless $cannot:expr)?]
       fn $name:ident($($argument:ident: $type:ty),* $(,)?) $(-> $result:ty)? $body:block)*) => {
        $(
            $(#[$doc])*
            #[allow(non_snake_case)] // The name is the one that drivers import.
            extern "win64" fn $name($($argument: $type),*) $(-> $result)? {
                static DECLARED: $crate::machine::function::Function = $crate::machine::function::declared!(
                    $name, $dll, $header, $irql, $fails, [$($argument: $type),*], $($result)?
                );
                $crate::machine::call::run(
                    &DECLARED,
                    &[$($crate::machine::function::Word::word($argument)),*],
                    false $(|| $cannot)?,
                    || { $($crate::machine::guest::write($out, 0_u64);)? },
                    || $body,
                )
            }
        )*
        #[doc = concat!("The functions of ", $dll, " in ", $header, " that this file has.")]
        $vis static $table: &[$crate::machine::function::Function] = &[$(
            $crate::machine::function::declared!(
                $name, $dll, $header, $irql, $fails, [$($argument: $type),*], $($result)?
            )
        ),*];
    };
}
pub(crate) use functions;

/// The [`Function`] of one declaration.
macro_rules! declared {
    ($name:ident, $dll:literal, $header:literal, $irql:expr, $fails:expr,
     [$($argument:ident: $type:ty),*], $($result:ty)?) => {
        $crate::machine::function::Function {
            name: stringify!($name),
            dll: $dll,
            header: $header,
            irql: $irql,
            fails: $fails,
            arguments: &[$((stringify!($argument), stringify!($type))),*],
            result: concat!("" $(, stringify!($result))?),
            entry: || $name as *const () as usize,
        }
    };
}
pub(crate) use declared;

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
