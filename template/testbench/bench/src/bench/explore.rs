//! Plays the scripts with nothing failing, then with each call failing that can.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::faults::{fault, ways};
use super::outcome;
use super::player::Player;
use crate::assume::Assumptions;
use crate::expect::{Expectations, Policy};
use crate::image::Refusal;
use crate::job::Job;
use crate::report::{FaultPoint, NotJudged, Observed, Reached};
use crate::rules::view::View;
use crate::rules::{self, Case, Judgement};
use crate::scenario::{Scenario, Script};
use crate::settings::Settings;
use crate::trace::{Ending, Event, LogEntry, Registration, Routine, Trace, Unload};
use crate::vocabulary::{major, status};

/// More scenarios than any driver of a sensible size needs.
const MOST_SCENARIOS: usize = 2000;
/// Calls of the same kind at the same place of `DriverEntry` that fail one after the other.
const MOST_REPEATS: usize = 3;
/// Scenarios that do not end in time before the bench stops trying.
const MOST_TIMEOUTS: usize = 3;
/// Routines of the driver's that are left out because they call what the model does not have.
const MOST_LEFT_OUT: usize = 64;

/// How far the bench is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Scenarios played.
    pub done: usize,
    /// Scenarios known to be needed so far.
    pub known: usize,
}

/// What a run works with.
#[derive(Clone, Copy)]
pub struct Setting<'a> {
    /// What plays a scenario.
    pub player: &'a Player,
    /// The driver.
    pub driver: &'a Path,
    /// Values in the registry.
    pub registry: &'a Settings,
    /// What calls return that the model does not have.
    pub assume: &'a Assumptions,
    /// What is expected of the driver.
    pub expectations: Option<&'a Expectations>,
    /// Whom to tell how far the bench is.
    pub progress: &'a (dyn Fn(Progress) + Sync),
}

/// A scenario that was played, judged.
pub struct Played {
    /// The scenario.
    pub scenario: Scenario,
    /// What the rules saw.
    pub judgements: Vec<Judgement>,
}

/// What was played so far.
pub struct Run<'a> {
    setting: Setting<'a>,
    /// The scenarios.
    pub played: Vec<Played>,
    /// Function, place and routine of the calls that failed somewhere already.
    known_points: HashSet<(String, u32, String)>,
    /// The calls that can fail.
    pub listed_points: Vec<FaultPoint>,
    /// The entries of the event log.
    pub log: Vec<LogEntry>,
    /// What was not judged.
    pub not_judged: Vec<NotJudged>,
    /// How far a scenario came in which nothing fails.
    pub reached: Reached,
    quiet_start: bool,
    /// There were more scenarios than the bench plays.
    pub truncated: bool,
    timeouts: usize,
    /// How many calls were made to fail.
    pub faults: usize,
}

impl<'a> Run<'a> {
    /// A run in which nothing was played yet.
    #[must_use]
    pub fn new(setting: Setting<'a>) -> Self {
        Run {
            setting,
            played: Vec::new(),
            known_points: HashSet::new(),
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

    /// Plays everything. What the driver was seen to do.
    ///
    /// # Errors
    ///
    /// One sentence: the worker cannot be started.
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
        // What only happens after a failure can fail as well; two failures are enough.
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

    /// The scripts with nothing failing, and the first with a quiet start.
    fn clean(&mut self) -> Result<(Vec<(Scenario, Trace)>, Trace), Refusal> {
        let first = Scenario::clean(Script::ALL[0]);
        let quiet = Scenario {
            quiet_start: true,
            ..first.clone()
        };
        let (first, life) = self.play_around(first)?;
        if is_timeout(&life) {
            // The others would take as long and say the same.
            return Ok((vec![(first, life)], Trace::default()));
        }
        let mut scenarios: Vec<Scenario> = Script::ALL[1..]
            .iter()
            .filter(|script| script.concerns(&life))
            .map(|script| Scenario::clean(*script))
            .collect();
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
            // Said once; everything else is looked at with a quiet start.
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

    /// Plays scenarios; each that ends at a call which the model does not have again, without the routine that calls it.
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

    /// Plays a scenario; if it ends at a call which the model does not have, again without the routine that calls it, as
    /// often as needed.
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

    /// Notes what was not judged in a scenario, and how far it came.
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

    /// One scenario for each call that can fail, and each way in which it can.
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

    /// What can fail besides, after a first failure.
    fn second_faults(&mut self, scenario: &Scenario, trace: &Trace) -> Vec<Scenario> {
        let Some(first) = scenario.faults.first() else {
            return Vec::new();
        };
        let view = View::new(trace);
        let mut faults = Vec::new();
        for call in view.calls() {
            let Some((point, routine)) = call.point.zip(view.routine(call.at)) else {
                continue;
            };
            if point <= first.point {
                continue;
            }
            let key = (call.function.to_owned(), call.site, routine.label());
            // In a start that fails everything fails again; elsewhere only what is new.
            let undoing = *routine == Routine::DriverEntry
                && first.within == Routine::DriverEntry.label()
                && first.result.is_failure()
                && trace
                    .driver_entry_status()
                    .is_some_and(|status| !status.is_success());
            let is_new = !self.known_points.contains(&key);
            if !undoing && !is_new {
                continue;
            }
            self.list(&key);
            if let Some(result) = ways(call.function, false).first() {
                faults.push(scenario.with(fault(&call, point, routine, *result)));
            }
        }
        faults
    }

    /// What was seen in the same scenario without its last failure.
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

    /// Plays scenarios on all cores; their traces, in the same order.
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
                        let trace = self.setting.player.play(&Job {
                            driver: self.setting.driver.to_path_buf(),
                            scenario,
                            registry: self.setting.registry.clone(),
                            assume: self.setting.assume.clone(),
                        });
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

fn is_timeout(trace: &Trace) -> bool {
    matches!(trace.ending(), Some(Ending::Timeout { .. }))
}

/// What the driver was seen to do.
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
