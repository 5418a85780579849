//! Runs the scripts without faults, then with each fault that is possible.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::faults::{fault, ways};
use super::outcome;
use super::player::Player;
use super::session::Session;
use super::verdict::Played;
use crate::assume::Assumptions;
use crate::expect::{Expectations, Limits, Policy};
use crate::image::Refusal;
use crate::job::Job;
use crate::report::{FaultPoint, NotJudged, Observed, Reached};
use crate::rules::view::View;
use crate::rules::{self, Case, Judgement};
use crate::scenario::{Scenario, Script};
use crate::settings::{Settings, dword};
use crate::trace::{Ending, Event, LogEntry, Registration, Routine, Trace, Unload};
use crate::vocabulary::{major, status};

/// The maximum number of scenarios.
const MOST_SCENARIOS: usize = 2000;
/// The maximum number of repeated calls of the same function at the same address in `DriverEntry` that are made to
/// fail.
const MOST_REPEATS: usize = 3;
/// The number of timeouts after which no more scenarios are run.
const MOST_TIMEOUTS: usize = 3;
/// The maximum number of driver routines that a scenario omits because they make calls that the bench does not model.
const MOST_LEFT_OUT: usize = 64;

/// The progress of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The number of scenarios that are completed.
    pub done: usize,
    /// The number of scenarios that are known to be required.
    pub known: usize,
}

/// The inputs of a run.
#[derive(Clone, Copy)]
pub struct Setting<'a> {
    /// Runs the scenarios.
    pub player: &'a Player,
    /// The path of the driver.
    pub driver: &'a Path,
    /// The registry values.
    pub registry: &'a Settings,
    /// The results of calls that the bench does not model.
    pub assume: &'a Assumptions,
    /// The expectations for the driver.
    pub expectations: Option<&'a Expectations>,
    /// The function that receives progress reports.
    pub progress: &'a (dyn Fn(Progress) + Sync),
}

/// The state of a run.
pub struct Run<'a> {
    setting: Setting<'a>,
    /// The scenarios that were run.
    pub played: Vec<Played>,
    /// Function, call address and routine of each call that was already made to fail.
    known_points: HashSet<(String, u32, String)>,
    /// The pairs of calls of one routine that were already made to fail together, by function and call address.
    known_pairs: HashSet<(String, u32, String, u32)>,
    /// The calls that can fail.
    pub listed_points: Vec<FaultPoint>,
    /// The event log entries.
    pub log: Vec<LogEntry>,
    /// The calls that were not judged.
    pub not_judged: Vec<NotJudged>,
    /// The furthest stage that a scenario without faults reached.
    pub reached: Reached,
    quiet_start: bool,
    /// More scenarios were required than the bench runs.
    pub truncated: bool,
    timeouts: usize,
    /// The number of injected faults.
    pub faults: usize,
}

impl<'a> Run<'a> {
    /// Creates a run without any scenarios.
    #[must_use]
    pub fn new(setting: Setting<'a>) -> Self {
        Run {
            setting,
            played: Vec::new(),
            known_points: HashSet::new(),
            known_pairs: HashSet::new(),
            listed_points: Vec::new(),
            log: Vec::new(),
            not_judged: Vec::new(),
            reached: Reached::Nothing,
            quiet_start: false,
            truncated: false,
            timeouts: 0,
            faults: 0,
        }
    }

    /// Runs and judges all scenarios. Returns the observed behavior of the driver.
    ///
    /// # Errors
    ///
    /// Returns one sentence if the worker cannot be started.
    pub fn everything(&mut self) -> Result<Observed, Refusal> {
        let (clean, quiet) = self.clean()?;
        let observed = observed(&clean[0].1, clean.iter().map(|(_, trace)| trace));
        let mut singles = Vec::new();
        for (scenario, trace) in &clean {
            singles.extend(self.single_faults(scenario, trace));
        }
        for (scenario, trace) in &clean {
            let quiet = (scenario.script == Script::Life).then_some(&quiet);
            self.judge(scenario, trace, quiet, &[]);
        }
        if clean.iter().any(|(_, trace)| is_timeout(trace)) {
            return Ok(observed);
        }
        let mut wave = singles;
        // Calls that are made only after a failure can fail too. Two failures per scenario are sufficient.
        for depth in 0..2 {
            let traces = self.play(&wave)?;
            let mut next = Vec::new();
            for (scenario, trace) in wave.iter().zip(&traces) {
                let base = self.base(scenario);
                self.judge(scenario, trace, None, &base);
                if depth == 0 {
                    next.extend(self.second_faults(scenario, trace));
                }
            }
            wave = next;
        }
        Ok(observed)
    }

    /// Runs the scripts without faults, and the first script also with a quiet start.
    fn clean(&mut self) -> Result<(Vec<(Scenario, Trace)>, Trace), Refusal> {
        let device = self.setting.expectations.and_then(|it| it.device.as_ref());
        let first = Scenario {
            codes: device
                .map(|device| device.codes.clone())
                .unwrap_or_default(),
            ..Scenario::clean(Script::ALL[0])
        };
        let quiet = Scenario {
            quiet_start: true,
            ..first.clone()
        };
        let (first, life) = self.play_around(first)?;
        if is_timeout(&life) {
            // The other scripts would reach the time limit too, with the same finding.
            return Ok((vec![(first, life)], Trace::default()));
        }
        let mut scenarios: Vec<Scenario> = Script::ALL[1..]
            .iter()
            .filter(|script| !script.needs_expectations() || self.setting.expectations.is_some())
            .filter(|script| script.concerns(&life))
            .map(|script| Scenario::clean(*script))
            .collect();
        if let Some(expectations) = self.setting.expectations {
            scenarios.extend(with_settings(expectations));
        }
        scenarios.push(quiet);
        for scenario in &mut scenarios {
            scenario.leaves_out.clone_from(&first.leaves_out);
        }
        let mut others = self.play_all_around(scenarios)?;
        let Some((quiet, quiet_trace)) = others.pop() else {
            return Ok((vec![(first, life)], Trace::default()));
        };
        let mut clean = vec![(first, life)];
        clean.extend(others);
        let mut case = Case::new(&clean[0].0, &clean[0].1);
        case.quiet = Some(&quiet_trace);
        let not_ready = rules::judge(&case)
            .iter()
            .any(|judgement| judgement.rule.name == "ready-before-start");
        if not_ready {
            // The finding is reported once. All other scenarios use a quiet start.
            self.quiet_start = true;
            let (scenario, trace) = clean.remove(0);
            self.judge(&scenario, &trace, Some(&quiet_trace), &[]);
            let others = clean.into_iter().map(|(scenario, _)| Scenario {
                quiet_start: true,
                ..scenario
            });
            let others = self.play_all_around(others.collect())?;
            clean = vec![(quiet, quiet_trace.clone())];
            clean.extend(others);
        }
        Ok((clean, quiet_trace))
    }

    /// Runs scenarios. Each that ends at a call that is not modelled is repeated without the routine that makes the
    /// call.
    fn play_all_around(
        &mut self,
        scenarios: Vec<Scenario>,
    ) -> Result<Vec<(Scenario, Trace)>, Refusal> {
        let traces = self.play(&scenarios)?;
        let mut played = Vec::new();
        for (scenario, trace) in scenarios.into_iter().zip(traces) {
            played.push(if outcome::leaves_out(&trace).is_some() {
                self.play_around(scenario)?
            } else {
                (scenario, trace)
            });
        }
        Ok(played)
    }

    /// Runs a scenario. If it ends at a call that is not modelled, repeats it without the routine that makes the call,
    /// until it does not end at such a call.
    fn play_around(&mut self, mut scenario: Scenario) -> Result<(Scenario, Trace), Refusal> {
        for _ in 0..MOST_LEFT_OUT {
            let trace = self.play(std::slice::from_ref(&scenario))?.pop();
            let trace = trace.unwrap_or_default();
            let Some(routine) = outcome::leaves_out(&trace) else {
                return Ok((scenario, trace));
            };
            if scenario.leaves_out.contains(&routine) {
                return Ok((scenario, trace));
            }
            self.note(&scenario, &trace);
            scenario.leaves_out.push(routine);
        }
        let trace = self.play(std::slice::from_ref(&scenario))?.pop();
        Ok((scenario, trace.unwrap_or_default()))
    }

    /// Records the calls that were not judged in a scenario, and the stage that it reached.
    fn note(&mut self, scenario: &Scenario, trace: &Trace) {
        for part in outcome::not_judged(trace) {
            let known = self
                .not_judged
                .iter()
                .position(|known| known.is_same(&part));
            let at = known.unwrap_or_else(|| {
                self.not_judged.push(part);
                self.not_judged.len() - 1
            });
            let name = scenario.to_string();
            let scenarios = &mut self.not_judged[at].scenarios;
            if !scenarios.contains(&name) {
                scenarios.push(name);
            }
        }
        if scenario.faults.is_empty() {
            self.reached = self.reached.max(outcome::reached(trace));
        }
    }

    /// Returns one scenario for each possible fault of each call that can fail.
    fn single_faults(&mut self, scenario: &Scenario, trace: &Trace) -> Vec<Scenario> {
        let view = View::new(trace);
        let mut faults = Vec::new();
        let mut repeats: HashMap<(String, u32), usize> = HashMap::new();
        for call in view.calls() {
            let Some((point, routine)) = call.point.zip(view.routine(call.at)) else {
                continue;
            };
            let key = (call.function.to_owned(), call.site, routine.label());
            let in_load = *routine == Routine::DriverEntry;
            let count = repeats
                .entry((call.function.to_owned(), call.site))
                .or_default();
            *count += 1;
            let wanted = if in_load {
                scenario.script == Script::Life && *count <= MOST_REPEATS
            } else {
                !self.known_points.contains(&key)
            };
            self.list(&key);
            if !wanted {
                continue;
            }
            for result in ways(call.function, in_load) {
                faults.push(scenario.with(fault(&call, point, routine, result)));
            }
        }
        faults
    }

    fn list(&mut self, key: &(String, u32, String)) {
        if self.known_points.insert(key.clone()) {
            self.listed_points.push(FaultPoint {
                function: key.0.clone(),
                within: key.2.clone(),
                site: key.1,
            });
        }
    }

    /// Returns scenarios with a second fault, in calls that are made after the first.
    fn second_faults(&mut self, scenario: &Scenario, trace: &Trace) -> Vec<Scenario> {
        let Some(first) = scenario.faults.first() else {
            return Vec::new();
        };
        let view = View::new(trace);
        let failing = view.calls().find(|call| call.point == Some(first.point));
        let failing = failing.map(|call| view.activation(call.at));
        let mut faults = Vec::new();
        for call in view.calls() {
            let Some((point, routine)) = call.point.zip(view.routine(call.at)) else {
                continue;
            };
            if point <= first.point {
                continue;
            }
            let key = (call.function.to_owned(), call.site, routine.label());
            // In a `DriverEntry` that fails, and in the routine in which the first call failed, every call can fail
            // again. In other routines, only calls that are new fail.
            let fails = first.result.is_failure();
            let undoing = *routine == Routine::DriverEntry
                && first.within == Routine::DriverEntry.label()
                && fails
                && trace
                    .driver_entry_status()
                    .is_some_and(|status| !status.is_success());
            // The rest of the routine in which the first call failed.
            let cleaning_up = fails
                && failing.is_some_and(|failing| view.activation(call.at) == failing)
                && *routine != Routine::DriverEntry
                && self.known_pairs.insert((
                    first.function.clone(),
                    first.site,
                    call.function.to_owned(),
                    call.site,
                ));
            let is_new = !self.known_points.contains(&key);
            if !undoing && !cleaning_up && !is_new {
                continue;
            }
            self.list(&key);
            if let Some(result) = ways(call.function, false).first() {
                faults.push(scenario.with(fault(&call, point, routine, *result)));
            }
        }
        faults
    }

    /// Returns the keys of the judgements in the same scenario without its last fault.
    fn base(&self, scenario: &Scenario) -> Vec<String> {
        let mut without = scenario.clone();
        if without.faults.pop().is_none() || without.faults.is_empty() {
            return Vec::new();
        }
        self.played
            .iter()
            .filter(|played| played.scenario == without)
            .flat_map(|played| played.judgements.iter().map(Judgement::key))
            .collect()
    }

    fn judge(
        &mut self,
        scenario: &Scenario,
        trace: &Trace,
        quiet: Option<&Trace>,
        base: &[String],
    ) {
        let case = Case {
            quiet,
            base,
            expectations: self.setting.expectations,
            ..Case::new(scenario, trace)
        };
        let judgements = rules::judge(&case);
        for event in &trace.events {
            match event {
                Event::ErrorLog { entry }
                    if !self.log.iter().any(|known| {
                        known.code == entry.code && known.strings == entry.strings
                    }) =>
                {
                    self.log.push(entry.clone());
                }
                Event::Return { injected: true, .. } => self.faults += 1,
                _ => {}
            }
        }
        self.note(scenario, trace);
        self.played.push(Played {
            scenario: scenario.clone(),
            judgements,
        });
    }

    /// Runs scenarios on all cores. Returns their traces in the same order.
    fn play(&mut self, scenarios: &[Scenario]) -> Result<Vec<Trace>, Refusal> {
        let room = MOST_SCENARIOS.saturating_sub(self.played.len());
        self.truncated |= scenarios.len() > room;
        let scenarios = &scenarios[..scenarios.len().min(room)];
        let before = self.played.len();
        let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let timeouts = AtomicUsize::new(self.timeouts);
        let traces: Vec<Mutex<Option<Result<Trace, Refusal>>>> =
            scenarios.iter().map(|_| Mutex::new(None)).collect();
        let cores = thread::available_parallelism().map_or(1, usize::from);
        thread::scope(|scope| {
            for _ in 0..cores.min(scenarios.len()) {
                scope.spawn(|| {
                    loop {
                        let at = next.fetch_add(1, Ordering::Relaxed);
                        let (Some(scenario), Some(place)) = (scenarios.get(at), traces.get(at))
                        else {
                            return;
                        };
                        if timeouts.load(Ordering::Relaxed) >= MOST_TIMEOUTS {
                            return;
                        }
                        let mut scenario = scenario.clone();
                        scenario.quiet_start |= self.quiet_start;
                        let job = Job {
                            driver: self.setting.driver.to_path_buf(),
                            scenario,
                            registry: self.setting.registry.clone(),
                            assume: self.setting.assume.clone(),
                            setup: None,
                        };
                        let session = Session::start(self.setting.player, &job);
                        let trace = session.map(Session::finish);
                        if trace.as_ref().is_ok_and(is_timeout) {
                            timeouts.fetch_add(1, Ordering::Relaxed);
                        }
                        *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(trace);
                        (self.setting.progress)(Progress {
                            done: before + done.fetch_add(1, Ordering::Relaxed) + 1,
                            known: before + scenarios.len(),
                        });
                    }
                });
            }
        });
        self.timeouts = timeouts.into_inner();
        let mut played = Vec::new();
        for place in traces {
            let Some(trace) = place.into_inner().unwrap_or_else(PoisonError::into_inner) else {
                self.truncated = true;
                break;
            };
            played.push(trace?);
        }
        Ok(played)
    }
}

/// Returns the scenarios with values of the settings: within the limits, outside them, of other types, and those of
/// `[[when]]`.
fn with_settings(expectations: &Expectations) -> Vec<Scenario> {
    let settings = || expectations.settings.iter();
    let of = |script, text: &dyn Fn(&str, &Limits) -> Option<String>| {
        let values = settings().filter_map(|(name, it)| Some((name.as_str(), text(name, it)?)));
        Scenario {
            // The names were checked when the expectations were read.
            values: Settings::of(values).unwrap_or_default(),
            ..Scenario::clean(script)
        }
    };
    let number = |script, value: &dyn Fn(&Limits) -> Option<u32>| {
        of(script, &|_, limits| Some(dword(value(limits)?)))
    };
    let mut all = vec![
        number(Script::GoodSettings, &|limits| Some(limits.default)),
        number(Script::GoodSettings, &|limits| Some(limits.least)),
        number(Script::GoodSettings, &|limits| Some(limits.most)),
        number(Script::OddSettings, &|limits| limits.least.checked_sub(1)),
        number(Script::OddSettings, &|limits| limits.most.checked_add(1)),
        of(Script::OddSettings, &|_, _| Some("qword:1".to_owned())),
        // As long as a REG_DWORD.
        of(Script::OddSettings, &|_, _| {
            Some("binary:01000000".to_owned())
        }),
    ];
    all.extend(expectations.when.iter().map(|when| {
        of(Script::GoodSettings, &|name, limits| {
            let value = when.settings.get(name);
            Some(dword(*value.unwrap_or(&limits.default)))
        })
    }));
    all.retain(|scenario| !scenario.values.is_empty());
    all
}

fn is_timeout(trace: &Trace) -> bool {
    matches!(trace.ending(), Some(Ending::Timeout { .. }))
}

/// Returns the observed behavior of the driver.
fn observed<'t>(life: &Trace, scripts: impl Iterator<Item = &'t Trace>) -> Observed {
    let registration = life.registration();
    let unload_policy = scripts
        .flat_map(|trace| &trace.events)
        .find_map(|event| match event {
            Event::Unload {
                mandatory: false,
                outcome,
            } => Some(match outcome {
                Unload::Called { status, .. } if status.is_success() => Policy::Always,
                Unload::Called { .. } => Policy::RefuseNonMandatory,
                _ => Policy::Never,
            }),
            _ => None,
        });
    Observed {
        loads: life
            .driver_entry_status()
            .is_some_and(status::Status::is_success),
        unload_policy,
        service_stop: registration.map(|registration| {
            registration.unload && registration.flags & Registration::NO_SERVICE_STOP == 0
        }),
        operations: registration
            .map(|registration| {
                let majors = registration.operations.iter();
                majors.map(|major| major::name(*major)).collect()
            })
            .unwrap_or_default(),
    }
}
