//! Rules about traps and other errors that end a scenario.

use super::case::{Case, Seen};
use crate::trace::{Ending, Misuse, Place, Target, Trap};

/// Returns the routine in which the scenario ended, for a sentence.
fn during(case: &Case) -> String {
    let last = case.trace.events.len().saturating_sub(1);
    case.view.routine_label(last, "the driver")
}

/// Returns the code that accessed memory, for a sentence: the driver, or a function that it called.
fn who(case: &Case, at: &Place) -> String {
    let routine = during(case);
    let Some(function) = &at.function else {
        return routine;
    };
    match case.trace.ending() {
        Some(Ending::Trap {
            argument: Some(argument),
            ..
        }) => format!("{routine} calls {function}, which through {argument}"),
        _ => format!("{routine} calls {function}, which"),
    }
}

/// Returns the trap that ended the scenario.
fn trap<'a>(case: &Case<'a>) -> Option<(&'a Place, &'a Trap)> {
    match case.trace.ending() {
        Some(Ending::Trap { at, trap, .. }) => Some((at, trap)),
        _ => None,
    }
}

fn misuse<'a>(case: &Case<'a>) -> Option<(&'a Place, &'a Misuse)> {
    match case.trace.ending() {
        Some(Ending::Misuse { at, misuse }) => Some((at, misuse)),
        _ => None,
    }
}

pub(super) fn with_callback_needs_post(case: &Case) -> Vec<Seen> {
    match misuse(case) {
        Some((_, Misuse::NoPostOperation { operation, answer })) => vec![Seen::new(
            format!("{}", operation.major),
            format!(
                "the pre-operation callback of {operation} answers {answer}, and no post-operation callback is registered"
            ),
        )],
        _ => Vec::new(),
    }
}

pub(super) fn late_call(case: &Case) -> Vec<Seen> {
    let Some((at, Trap::Memory { how, target, .. })) = trap(case) else {
        return Vec::new();
    };
    let seen = match target {
        Target::Discarded { section } => Seen::new(
            format!("discarded {section}"),
            format!(
                "{} {how} section {section}, which Windows discards after DriverEntry",
                who(case, at)
            ),
        ),
        Target::Unloaded => Seen::new(
            "unloaded",
            format!(
                "{} {how} the driver's image after it was unloaded",
                who(case, at)
            ),
        ),
        _ => return Vec::new(),
    };
    vec![seen.at(at)]
}

pub(super) fn released_once(case: &Case) -> Vec<Seen> {
    match misuse(case) {
        Some((at, Misuse::ReleasedTwice { what })) => vec![
            Seen::new(
                what.clone(),
                format!("{} releases {what} a second time", during(case)),
            )
            .at(at),
        ],
        _ => Vec::new(),
    }
}

pub(super) fn use_after_free(case: &Case) -> Vec<Seen> {
    match trap(case) {
        Some((
            at,
            Trap::Memory {
                how,
                target: Target::RegistryPath,
                ..
            },
        )) => vec![
            Seen::new(
                "registry path",
                format!(
                    "{} {how} the registry path argument of DriverEntry after it was freed",
                    who(case, at)
                ),
            )
            .at(at),
        ],
        Some((
            at,
            Trap::Memory {
                how,
                target: Target::Freed { what, .. },
                ..
            },
        )) => vec![
            Seen::new(
                format!("{what} {:?}", at.rva),
                format!("{} {how} {what} after it was freed", who(case, at)),
            )
            .at(at),
        ],
        _ => Vec::new(),
    }
}

pub(super) fn pool_overrun(case: &Case) -> Vec<Seen> {
    if let Some((at, Misuse::PoolOverrun { what, side })) = misuse(case) {
        return vec![
            Seen::new(
                what.clone(),
                format!("bytes {side} of {what} were overwritten, seen when it was freed"),
            )
            .at(at),
        ];
    }
    match trap(case) {
        Some((
            at,
            Trap::Memory {
                how,
                target: Target::Beyond { what },
                ..
            },
        )) => vec![
            Seen::new(
                format!("{what} {:?}", at.rva),
                format!("{} {how} beyond the end of {what}", who(case, at)),
            )
            .at(at),
        ],
        _ => Vec::new(),
    }
}

pub(super) fn bad_handle(case: &Case) -> Vec<Seen> {
    if let Some((
        at,
        Misuse::Handle {
            expected, given, ..
        },
    )) = misuse(case)
    {
        let function = at.function.clone().unwrap_or_default();
        return vec![
            Seen::new(
                format!("{function} {:?}", at.rva),
                format!(
                    "{} passes {given} to {function} as {expected}",
                    during(case)
                ),
            )
            .at(at),
        ];
    }
    match trap(case) {
        Some((
            at,
            Trap::Memory {
                how,
                target: Target::Opaque { what },
                ..
            },
        )) => vec![
            Seen::new(
                format!("{what} {:?}", at.rva),
                format!(
                    "{} {how} memory behind {what}, which is opaque",
                    who(case, at)
                ),
            )
            .at(at),
        ],
        _ => Vec::new(),
    }
}

pub(super) fn lock_balance(case: &Case) -> Vec<Seen> {
    match misuse(case) {
        Some((at, Misuse::Lock { problem })) => {
            vec![Seen::new(problem.clone(), format!("{problem}, in {}", during(case))).at(at)]
        }
        _ => Vec::new(),
    }
}

pub(super) fn crash(case: &Case) -> Vec<Seen> {
    if let Some(Ending::Died { status }) = case.trace.ending() {
        return vec![Seen::new(
            status.clone(),
            format!("the process ended with {status} in {}", during(case)),
        )];
    }
    let Some((at, trap)) = trap(case) else {
        return Vec::new();
    };
    let what = match trap {
        Trap::Memory {
            how,
            address,
            target,
        } => match target {
            Target::Null => format!("{how} address 0x{address:x}, a NULL pointer"),
            Target::Protected { section } => {
                format!("{how} section {section}, whose protection forbids it")
            }
            Target::Kernel => {
                format!("{how} 0x{address:016x}, kernel memory that the bench has not")
            }
            Target::Stack => "uses up the stack, which has 24 KB".to_owned(),
            Target::UserBuffer { what } => {
                format!(
                    "{how} {what}, which the program has freed, and does not handle the exception"
                )
            }
            Target::Nothing => format!("{how} memory that is not there"),
            _ => return Vec::new(),
        },
        Trap::Other { what } => what.clone(),
        _ => return Vec::new(),
    };
    vec![
        Seen::new(
            format!("{:?} {:?}", at.rva, at.function),
            format!("{} {what}{}", who(case, at), handler(case)),
        )
        .at(at),
    ]
}

/// Returns a note if the code has an exception handler, for the end of a sentence.
fn handler(case: &Case) -> &'static str {
    match case.trace.ending() {
        Some(Ending::Trap { guarded: true, .. }) => {
            "; the code has an exception handler, which the bench does not run"
        }
        _ => "",
    }
}

pub(super) fn assertion(case: &Case) -> Vec<Seen> {
    match trap(case) {
        Some((at, Trap::Assertion { what })) => vec![
            Seen::new(
                format!("{:?}", at.rva),
                format!("in {} {what}{}", during(case), handler(case)),
            )
            .at(at),
        ],
        _ => Vec::new(),
    }
}

pub(super) fn breakpoint(case: &Case) -> Vec<Seen> {
    match trap(case) {
        Some((at, Trap::Breakpoint { what })) => vec![
            Seen::new(
                format!("{:?}", at.rva),
                format!("{} {what}{}", during(case), handler(case)),
            )
            .at(at),
        ],
        _ => Vec::new(),
    }
}

pub(super) fn bugcheck(case: &Case) -> Vec<Seen> {
    match case.trace.ending() {
        Some(Ending::Bugcheck {
            at, code, meaning, ..
        }) => {
            let meaning = if meaning.is_empty() {
                String::new()
            } else {
                format!(": {meaning}")
            };
            vec![
                Seen::new(
                    format!("{code:x} {:?}", at.rva),
                    format!(
                        "{} stops the system with bug check 0x{code:X}{meaning}",
                        during(case)
                    ),
                )
                .at(at),
            ]
        }
        _ => Vec::new(),
    }
}

pub(super) fn fail_fast(case: &Case) -> Vec<Seen> {
    match trap(case) {
        Some((at, Trap::FastFail { code })) => vec![
            Seen::new(
                format!("{code} {:?}", at.rva),
                format!("{} stops with int 29h, code {code}", during(case)),
            )
            .at(at),
        ],
        _ => Vec::new(),
    }
}

pub(super) fn hang(case: &Case) -> Vec<Seen> {
    match case.trace.ending() {
        Some(Ending::Hang { waits }) => {
            let all: Vec<String> = waits.iter().map(ToString::to_string).collect();
            let key = waits.iter().map(|waiting| waiting.wait.to_string());
            let seen = Seen::new(key.collect::<Vec<_>>().join("; "), all.join("; "));
            vec![match waits.first() {
                Some(first) => seen.at(&first.at),
                None => seen,
            }]
        }
        Some(Ending::Endless { at, calls }) => vec![
            Seen::new(
                "endless",
                format!("{} made {calls} calls and did not end", during(case)),
            )
            .at(at),
        ],
        Some(Ending::Timeout { limit }) => vec![Seen::new(
            format!("timeout {}", during(case)),
            format!("{} did not return within {limit} ms", during(case)),
        )],
        _ => Vec::new(),
    }
}

pub(super) fn privileged_instruction(case: &Case) -> Vec<Seen> {
    let (at, what) = match trap(case) {
        Some((at, Trap::Privileged { instruction })) => (at, format!("runs {instruction}")),
        Some((
            at,
            Trap::Memory {
                target: Target::ProcessorRegion,
                address,
                how,
            },
        )) => (
            at,
            format!("{how} the processor control region at gs:[{address:x}h]"),
        ),
        _ => return Vec::new(),
    };
    vec![Seen::new(what.clone(), format!("{} {what}", during(case))).at(at)]
}

pub(super) fn bench_error(case: &Case) -> Vec<Seen> {
    match case.trace.ending() {
        Some(Ending::Internal { message }) => {
            vec![Seen::new(message.clone(), message.clone())]
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Recording, names};
    use super::*;
    use crate::os::Use;
    use crate::scenario::{self, Scenario};
    use crate::trace::{Argument, Operation, Routine, Via, Wait, Waiting};

    fn ended(ending: Ending) -> Vec<&'static str> {
        let scenario = Scenario::clean(scenario::Script::Life);
        let trace = Recording::new().enter(Routine::DriverEntry).ends(ending);
        names(&Case::new(&scenario, &trace))
    }

    fn trapped(trap: Trap) -> Vec<&'static str> {
        ended(Ending::Trap {
            at: Place::default(),
            trap,
            argument: None,
            guarded: false,
        })
    }

    fn touched(target: Target) -> Vec<&'static str> {
        trapped(Trap::Memory {
            how: Use::Read,
            address: 0,
            target,
        })
    }

    fn misused(misuse: Misuse) -> Vec<&'static str> {
        ended(Ending::Misuse {
            at: Place::default(),
            misuse,
        })
    }

    #[test]
    fn every_target_has_one_rule() {
        let what = || "the pool block".to_owned();
        let freed = Target::Freed {
            what: what(),
            in_teardown: true,
        };
        for (target, rule) in [
            (Target::Null, "crash"),
            (freed, "use-after-free"),
            (Target::Beyond { what: what() }, "pool-overrun"),
            (Target::RegistryPath, "use-after-free"),
            (Target::Discarded { section: what() }, "late-call"),
            (Target::Unloaded, "late-call"),
            (Target::Pageable { what: what() }, "irql"),
            (Target::Opaque { what: what() }, "bad-handle"),
            (Target::Protected { section: what() }, "crash"),
            (Target::Kernel, "crash"),
            (Target::Stack, "crash"),
            (Target::ProcessorRegion, "privileged-instruction"),
            (Target::Nothing, "crash"),
        ] {
            assert_eq!(touched(target.clone()), [rule], "{target:?}");
        }
    }

    #[test]
    fn a_fault_in_a_function_names_the_function_and_the_argument() {
        let scenario = Scenario::clean(scenario::Script::Life);
        let argument = |member: Option<&str>| Argument {
            number: 2,
            member: member.map(str::to_owned),
        };
        for (argument, says) in [
            (
                None,
                "DriverEntry calls memmove, which reads address 0x8, a NULL pointer",
            ),
            (
                Some(argument(None)),
                "DriverEntry calls memmove, which through argument 2 reads address 0x8, a NULL pointer",
            ),
            (
                Some(argument(Some("Buffer"))),
                "DriverEntry calls memmove, which through the member Buffer of argument 2 reads address 0x8, a NULL pointer",
            ),
        ] {
            let trace = Recording::new()
                .enter(Routine::DriverEntry)
                .ends(Ending::Trap {
                    at: Place {
                        function: Some("memmove".to_owned()),
                        ..Place::default()
                    },
                    trap: Trap::Memory {
                        how: Use::Read,
                        address: 8,
                        target: Target::Null,
                    },
                    argument,
                    guarded: false,
                });
            assert_eq!(crash(&Case::new(&scenario, &trace))[0].seen, says);
        }
    }

    #[test]
    fn every_misuse_has_one_rule() {
        let text = || "it".to_owned();
        for (misuse, rule) in [
            (
                Misuse::Handle {
                    expected: text(),
                    given: text(),
                    unset: true,
                    released_in_teardown: false,
                },
                "bad-handle",
            ),
            (Misuse::ReleasedTwice { what: text() }, "released-once"),
            (
                Misuse::PoolOverrun {
                    what: text(),
                    side: text(),
                },
                "pool-overrun",
            ),
            (Misuse::Context { problem: text() }, "context-released"),
            (
                Misuse::NoPostOperation {
                    operation: Operation {
                        major: 0,
                        variant: String::new(),
                        volume: String::new(),
                        via: Via::Irp,
                    },
                    answer: text(),
                },
                "with-callback-needs-post",
            ),
            (Misuse::Irql { problem: text() }, "irql"),
            (Misuse::Lock { problem: text() }, "lock-balance"),
        ] {
            assert_eq!(misused(misuse.clone()), [rule], "{misuse:?}");
        }
    }

    #[test]
    fn every_other_ending_has_one_rule() {
        let at = Place::default;
        for (ending, rule) in [
            (
                Ending::Bugcheck {
                    at: at(),
                    code: 0xE2,
                    parameters: [0; 4],
                    meaning: String::new(),
                },
                "bugcheck",
            ),
            (
                Ending::Hang {
                    waits: vec![Waiting {
                        routine: None,
                        at: at(),
                        wait: Wait::Object,
                    }],
                },
                "hang",
            ),
            (Ending::Timeout { limit: 5000 }, "hang"),
            (
                Ending::Died {
                    status: "signal 9".to_owned(),
                },
                "crash",
            ),
            (
                Ending::Internal {
                    message: "no memory".to_owned(),
                },
                "bench-error",
            ),
        ] {
            assert_eq!(ended(ending.clone()), [rule], "{ending:?}");
        }
        assert_eq!(
            trapped(Trap::FastFail {
                code: "6".to_owned()
            }),
            ["fail-fast"]
        );
        assert_eq!(
            trapped(Trap::Privileged {
                instruction: "cli".to_owned()
            }),
            ["privileged-instruction"]
        );
        let what = || "it".to_owned();
        for (trap, rule) in [
            (Trap::Assertion { what: what() }, "assertion"),
            (Trap::Breakpoint { what: what() }, "breakpoint"),
            (Trap::Other { what: what() }, "crash"),
        ] {
            assert_eq!(trapped(trap.clone()), [rule], "{trap:?}");
        }
    }
}
