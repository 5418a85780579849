//! The functions of the bench's model, compared with the prototypes of the open headers: the number of arguments and the
//! width of each. The buffers of operations, compared with the members of `FLT_PARAMETERS`.

use std::fmt::Write;

use testbench::{
    imports,
    machine::function::Function,
    vocabulary::buffers::{BUFFERS, SYSTEM_BUFFER},
};

/// Functions of which the headers have no prototype, and why.
const WITHOUT_PROTOTYPE: &[(&str, &[&str])] = &[
    (
        "a macro",
        &[
            "RtlCopyMemory",
            "RtlFillMemory",
            "RtlMoveMemory",
            "RtlZeroMemory",
        ],
    ),
    (
        "not declared",
        &[
            "ExAcquirePushLockExclusiveEx",
            "ExAcquirePushLockSharedEx",
            "ExAllocatePool3",
            "ExReleasePushLockExclusiveEx",
            "ExReleasePushLockSharedEx",
            "KeQueryInterruptTime",
            "KeQuerySystemTimePrecise",
            "PsSetCreateProcessNotifyRoutineEx2",
            "RtlQueryRegistryValuesEx",
            "SeCaptureSecurityDescriptor",
        ],
    ),
];

/// The width of a type of the model, in bytes; 0 for none.
fn width(name: &str) -> u32 {
    match name {
        "" => 0,
        "u8" => 1,
        "u16" => 2,
        "u32" | "i32" | "Status" => 4,
        "u64" | "i64" | "Optional" => 8,
        other => panic!("the model declares an argument of type {other}"),
    }
}

fn check(function: &Function) -> String {
    let widths: Vec<String> = function
        .arguments
        .iter()
        .map(|(_, kind)| width(kind).to_string())
        .collect();
    format!(
        "static_assert(same<{}{}{}>({}), \"{}\");\n",
        width(function.result),
        if widths.is_empty() { "" } else { ", " },
        widths.join(", "),
        function.name,
        function.name
    )
}

/// A C++ source in which an assertion fails for each function and each member that differs from the model's.
pub fn source() -> String {
    let mut source = "
extern \"C\" {
#include <ntifs.h>
#include <fltKernel.h>
#include <wdmsec.h>
#include <stdio.h>
#include <wchar.h>
#include <string.h>
}
template <class T> struct Width { static constexpr unsigned is = sizeof(T); };
template <class T> struct Width<T &> { static constexpr unsigned is = 8; };
template <> struct Width<void> { static constexpr unsigned is = 0; };
template <unsigned result, unsigned... widths, class R, class... A> constexpr bool same(R (*)(A...)) {
    if constexpr (sizeof...(widths) == sizeof...(A)) {
        return Width<R>::is == result && ((Width<A>::is == widths) && ... && true);
    }
    return false;
}
template <unsigned result, unsigned... widths, class R, class... A> constexpr bool same(R (*)(A..., ...)) {
    constexpr unsigned fixed[] = { Width<A>::is..., 0 };
    constexpr unsigned modelled[] = { widths..., 0 };
    for (unsigned i = 0; i < sizeof...(A) && i < sizeof...(widths); i++) {
        if (fixed[i] != modelled[i]) {
            return false;
        }
    }
    return Width<R>::is == result && sizeof...(A) <= sizeof...(widths);
}
"
    .to_owned();
    for function in imports::all() {
        let without = WITHOUT_PROTOTYPE.iter();
        if !without
            .flat_map(|(_, names)| *names)
            .any(|name| *name == function.name)
        {
            write!(source, "{}", check(function)).unwrap();
        }
    }
    let members = BUFFERS
        .iter()
        .flat_map(|buffer| [Some(buffer.buffer), Some(buffer.length), buffer.mdl])
        .chain([Some(SYSTEM_BUFFER)]);
    for (name, offset) in members.flatten() {
        writeln!(
            source,
            "static_assert(offsetof(FLT_PARAMETERS, {name}) == {offset}, \"{name}\");"
        )
        .unwrap();
    }
    source
}
