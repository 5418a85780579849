//! The macro that declares functions of the model.

/// Declares functions of the model.
///
/// ```text
/// functions! { pub TABLE = "module", "header";
///     [highest IRQL, how it fails, clears output: type, unless condition] fn Name(argument: type) -> type { what it does }
/// }
/// ```
///
/// - `clears`: the call sets the output to NULL if it fails.
/// - `unless`: a call whose arguments meet the condition cannot fail. A function that acquires or releases depending on
///   an argument fails only if it acquires.
/// - The name of an unused argument begins with `_`. The type of an address that can be NULL is
///   [`Optional`](super::function::Optional). The type of all other addresses and sizes is `u64`.
macro_rules! functions {
    ($vis:vis $table:ident = $dll:literal, $header:literal;
     $($(#[$doc:meta])* [$irql:expr, $fails:expr $(, clears $out:ident: $width:ty)? $(, unless $cannot:expr)?]
       fn $name:ident($($argument:ident: $type:ty),* $(,)?) $(-> $result:ty)? $body:block)*) => {
        $(
            $(#[$doc])*
            #[allow(non_snake_case)] // Drivers import the function by this name.
            extern "win64" fn $name($($argument: $type),*) $(-> $result)? {
                static DECLARED: $crate::machine::function::Function = $crate::machine::declare::declared!(
                    $name, $dll, $header, $irql, $fails, [$($argument: $type),*], $($result)?
                );
                $crate::machine::call::run(
                    &DECLARED,
                    &[$($crate::machine::function::Word::word($argument)),*],
                    false $(|| $cannot)?,
                    || { $($crate::machine::guest::write::<$width>($out, 0);)? },
                    || $body,
                )
            }
        )*
        #[doc = concat!("The functions of ", $dll, " in ", $header, " that this module declares.")]
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
