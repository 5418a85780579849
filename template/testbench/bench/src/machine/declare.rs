//! The macro that declares functions of the model.

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
///   [`Optional`](super::function::Optional), every other address or size a `u64`.
macro_rules! functions {
    ($vis:vis $table:ident = $dll:literal, $header:literal;
     $($(#[$doc:meta])* [$irql:expr, $fails:expr $(, clears $out:ident)? $(, unless $cannot:expr)?]
       fn $name:ident($($argument:ident: $type:ty),* $(,)?) $(-> $result:ty)? $body:block)*) => {
        $(
            $(#[$doc])*
            #[allow(non_snake_case)] // The name is the one that drivers import.
            extern "win64" fn $name($($argument: $type),*) $(-> $result)? {
                static DECLARED: $crate::machine::function::Function = $crate::machine::declare::declared!(
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
            $crate::machine::declare::declared!(
                $name, $dll, $header, $irql, $fails, [$($argument: $type),*], $($result)?
            )
        ),*];
    };
}
pub(crate) use functions;

/// The [`Function`](super::function::Function) of one declaration.
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
