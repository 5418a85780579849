//! The bench: plays the stories, finds out what can fail, lets it fail, and collects the verdict.

use std::collections::{HashMap, HashSet};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use crate::assume::Assumptions;
use crate::expect::{Expectations, Policy};
use crate::image::{Image, Refusal};
use crate::imports;
use crate::machine::function::Fails;
use crate::report::{self, FaultPoint, Finding, Import, Observed, Report};
use crate::rules::view::{Call, View};
use crate::rules::{self, Case, Judgement, Level, Within};
use crate::scenario::{Fault, Injected, Scenario, Story};
use crate::settings::Settings;
use crate::trace::{Ending, Event, LogEntry, Place, Registration, Routine, Trace, Unload};
use crate::vocabulary::major;
use crate::vocabulary::status;
use crate::worker::{Job, ROLE};

/// More scenarios than any driver of a sensible size needs.
const MOST_SCENARIOS: usize = 2000;
/// Calls of the same kind at the same place of `DriverEntry` that fail one after the other.
const MOST_REPEATS: usize = 3;
/// Scenarios that do not end in time before the bench stops trying.
const MOST_TIMEOUTS: usize = 3;
/// How long a worker that took too long may take to say what it was doing.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// A driver on the bench.
pub struct Bench<'a> {
    image: Image,
    expectations: Option<Expectations>,
    registry: Settings,
    assume: Assumptions,
    worker: PathBuf,
    limit: Duration,
    progress: Box<dyn Fn(Progress) + Sync + 'a>,
}

/// How far the bench is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Scenarios played.
    pub done: usize,
    /// Scenarios known to be needed so far.
    pub known: usize,
}

impl<'a> Bench<'a> {
    /// Puts a driver on the bench.
    ///
    /// # Errors
    ///
    /// One sentence that says why the file cannot be loaded.
    pub fn open(driver: &Path) -> Result<Self, Refusal> {
        let driver = std::path::absolute(driver).unwrap_or_else(|_| driver.to_path_buf());
        let image = Image::open(&driver)?;
        if !image.is_minifilter() {
            return Err(Refusal(format!(
                "{} is not a minifilter: it imports no function of the filter manager (FLTMGR.SYS); give the .sys of a minifilter.",
                driver.display()
            )));
        }
        Ok(Bench {
            image,
            expectations: None,
            registry: Settings::default(),
            assume: Assumptions::default(),
            worker: std::env::current_exe().unwrap_or_default(),
            limit: Duration::from_secs(5),
            progress: Box::new(|_| {}),
        })
    }

    /// What is expected of the driver. Values of the registry that it names are there.
    #[must_use]
    pub fn expect(mut self, expectations: Expectations) -> Self {
        let given = std::mem::replace(&mut self.registry, expectations.registry.clone());
        self.registry.replace(&given);
        let given = std::mem::replace(&mut self.assume, expectations.assume.clone());
        self.assume.replace(&given);
        self.expectations = Some(expectations);
        self
    }

    /// Values that the driver finds in the registry; they replace those of the same name in the expectations.
    #[must_use]
    pub fn registry(mut self, settings: &Settings) -> Self {
        self.registry.replace(settings);
        self
    }

    /// Results for calls that the model does not have; they replace those for the same functions in the expectations.
    #[must_use]
    pub fn assume(mut self, assume: &Assumptions) -> Self {
        self.assume.replace(assume);
        self
    }

    /// The program that plays a scenario; otherwise the running one, whose `main` calls
    /// [`worker::serve`](crate::worker::serve) first.
    #[must_use]
    pub fn worker(mut self, program: impl Into<PathBuf>) -> Self {
        self.worker = program.into();
        self
    }

    /// How long a scenario may take; otherwise five seconds.
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Whom to tell how far the bench is.
    #[must_use]
    pub fn progress(mut self, progress: impl Fn(Progress) + Sync + 'a) -> Self {
        self.progress = Box::new(progress);
        self
    }

    /// Plays everything and judges it.
    ///
    /// # Errors
    ///
    /// One sentence, where the worker cannot be started.
    pub fn run(self) -> Result<Report, Refusal> {
        let begin = Instant::now();
        let mut run = Run {
            bench: &self,
            played: Vec::new(),
            known_points: HashSet::new(),
            listed_points: Vec::new(),
            log: Vec::new(),
            quiet_start: false,
            truncated: false,
            timeouts: 0,
            faults: 0,
        };
        let observed = run.everything()?;
        let (findings, advice) = run.verdict();
        Ok(Report {
            driver: self.image.path.display().to_string(),
            size: self.image.data.len(),
            bench: env!("CARGO_PKG_VERSION"),
            imports: self
                .image
                .imports
                .iter()
                .map(|import| Import {
                    dll: import.dll.clone(),
                    name: import.name.clone(),
                    modelled: imports::has(import),
                })
                .collect(),
            observed,
            scenarios: run.played.len(),
            faults_injected: run.faults,
            fault_points: run.listed_points,
            truncated: run.truncated,
            log: run.log,
            findings,
            advice,
            expectations: self.expectations.clone(),
            registry: self.registry.clone(),
            milliseconds: begin.elapsed().as_millis(),
        })
    }
}

/// A scenario that was played, judged.
struct Played {
    scenario: Scenario,
    judgements: Vec<Judgement>,
}

struct Run<'a, 'b> {
    bench: &'a Bench<'b>,
    played: Vec<Played>,
    /// Function, place and routine of the calls that failed somewhere already.
    known_points: HashSet<(String, u32, String)>,
    listed_points: Vec<FaultPoint>,
    log: Vec<LogEntry>,
    quiet_start: bool,
    truncated: bool,
    timeouts: usize,
    faults: usize,
}

impl Run<'_, '_> {
    fn everything(&mut self) -> Result<Observed, Refusal> {
        let (clean, quiet) = self.clean()?;
        let observed = observed(&clean[0].1, clean.iter().map(|(_, trace)| trace));
        let mut singles = Vec::new();
        for (scenario, trace) in &clean {
            singles.extend(self.single_faults(scenario, trace));
        }
        for (scenario, trace) in &clean {
            let quiet = (scenario.story == Story::Life).then_some(&quiet);
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

    /// The stories with nothing failing, and the first with a quiet start.
    fn clean(&mut self) -> Result<(Vec<(Scenario, Trace)>, Trace), Refusal> {
        let mut scenarios: Vec<Scenario> = Story::ALL.into_iter().map(Scenario::clean).collect();
        let quiet = Scenario {
            quiet_start: true,
            ..scenarios[0].clone()
        };
        let first = self.play(&scenarios[..1])?;
        if first.iter().any(is_timeout) {
            // The others would take as long and say the same.
            scenarios.truncate(1);
            return Ok((scenarios.into_iter().zip(first).collect(), Trace::default()));
        }
        if let Some(life) = first.first() {
            scenarios.retain(|scenario| scenario.story.concerns(life));
        }
        scenarios.push(quiet.clone());
        let mut traces = self.play(&scenarios[1..])?;
        scenarios.pop();
        let quiet_trace = traces.pop().unwrap_or_default();
        let traces = first.into_iter().chain(traces);
        let mut clean: Vec<_> = scenarios.into_iter().zip(traces).collect();
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
            let others: Vec<Scenario> = clean
                .into_iter()
                .map(|(scenario, _)| Scenario {
                    quiet_start: true,
                    ..scenario
                })
                .collect();
            let traces = self.play(&others)?;
            clean = vec![(quiet, quiet_trace.clone())];
            clean.extend(others.into_iter().zip(traces));
        }
        Ok((clean, quiet_trace))
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
                scenario.story == Story::Life && *count <= MOST_REPEATS
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
            expectations: self.bench.expectations.as_ref(),
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
                        let trace = play_one(self.bench, scenario);
                        if trace.as_ref().is_ok_and(is_timeout) {
                            timeouts.fetch_add(1, Ordering::Relaxed);
                        }
                        *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(trace);
                        (self.bench.progress)(Progress {
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

    /// The findings and the advice: each defect once, with the scenarios that show it.
    fn verdict(&self) -> (Vec<Finding>, Vec<Finding>) {
        let strict = self
            .bench
            .expectations
            .as_ref()
            .is_some_and(|expectations| !expectations.lenient);
        let mut order: Vec<String> = Vec::new();
        let mut found: HashMap<String, (bool, Finding)> = HashMap::new();
        for played in &self.played {
            for judgement in &played.judgements {
                let rule = judgement.rule;
                let key = judgement.key();
                let counts = strict || rule.level == Level::Must && !judgement.seen.advice;
                let (_, finding) = found.entry(key.clone()).or_insert_with(|| {
                    order.push(key);
                    let place = judgement.seen.place.clone();
                    let finding = Finding {
                        rule: rule.name,
                        seen: judgement.seen.seen.clone(),
                        asks: rule.asks,
                        documents: report::documents(rule, place.as_ref()),
                        place,
                        scenarios: Vec::new(),
                    };
                    (counts, finding)
                });
                let name = played.scenario.to_string();
                if !finding.scenarios.contains(&name) {
                    finding.scenarios.push(name);
                }
            }
        }
        let seen: Vec<(&str, Option<Place>)> = found
            .values()
            .map(|(_, finding)| (finding.rule, finding.place.clone()))
            .collect();
        let mut all: Vec<(bool, Finding)> = order
            .iter()
            .filter_map(|key| found.remove(key))
            .filter(|(_, finding)| !follows(finding, &seen))
            .collect();
        all.sort_by_key(|(_, finding)| {
            rules::all()
                .iter()
                .position(|rule| rule.name == finding.rule)
        });
        let (findings, advice): (Vec<_>, Vec<_>) = all.into_iter().partition(|(counts, _)| *counts);
        let only =
            |list: Vec<(bool, Finding)>| list.into_iter().map(|(_, finding)| finding).collect();
        (only(findings), only(advice))
    }
}

/// Whether a finding follows from another one in the same driver, or at the same place in it.
fn follows(finding: &Finding, seen: &[(&str, Option<Place>)]) -> bool {
    let Some(rule) = rules::by_name(finding.rule) else {
        return false;
    };
    rules::all().iter().any(|by| {
        by.hides.iter().any(|hides| {
            hides.includes(by, rule)
                && seen.iter().any(|(name, place)| {
                    *name == by.name
                        && match hides.within {
                            Within::Scenario => false,
                            Within::Place => *place == finding.place,
                            Within::Driver => true,
                        }
                })
        })
    })
}

fn is_timeout(trace: &Trace) -> bool {
    matches!(trace.ending(), Some(Ending::Timeout { .. }))
}

fn fault(call: &Call<'_>, point: u32, routine: &Routine, result: Injected) -> Fault {
    Fault {
        point,
        function: call.function.to_owned(),
        site: call.site,
        within: routine.label(),
        result,
    }
}

/// The ways in which a call can turn out otherwise than it did.
fn ways(function: &str, in_load: bool) -> Vec<Injected> {
    match imports::function(function).map(|function| function.fails) {
        Some(Fails::Null) => vec![Injected::Zero],
        Some(Fails::With(statuses)) => {
            let mut ways: Vec<Injected> = statuses.iter().copied().map(Injected::Status).collect();
            if in_load {
                // A warning is a failure too, and an informational status is none. A query means
                // something by STATUS_BUFFER_OVERFLOW, so it gets another warning.
                let is_query = function.contains("Query") || function.contains("Get");
                ways.push(Injected::Status(if is_query {
                    status::DEVICE_BUSY
                } else {
                    status::BUFFER_OVERFLOW
                }));
                ways.push(Injected::Status(status::OBJECT_NAME_EXISTS));
            } else {
                ways.truncate(1);
            }
            ways
        }
        _ => Vec::new(),
    }
}

/// What the driver was seen to do.
fn observed<'t>(life: &Trace, stories: impl Iterator<Item = &'t Trace>) -> Observed {
    let registration = life.registration();
    let unload_policy = stories
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

/// Plays one scenario in a worker.
fn play_one(bench: &Bench, scenario: Scenario) -> Result<Trace, Refusal> {
    let job = Job {
        driver: bench.image.path.clone(),
        scenario,
        registry: bench.registry.clone(),
        assume: bench.assume.clone(),
    };
    let refused = |error: std::io::Error| {
        Refusal(format!(
            "the bench's worker {} cannot be started: {error}.",
            bench.worker.display()
        ))
    };
    let mut child = Command::new(&bench.worker)
        .env(ROLE, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(refused)?;
    // Held until the worker is done: its end is the end of the parent.
    let mut stdin = child.stdin.take();
    if let Some(stdin) = &mut stdin {
        let line = serde_json::to_string(&job).map_err(|error| Refusal(error.to_string()))?;
        // A worker that does not read has died, which shows below.
        let _ = writeln!(stdin, "{line}");
    }
    let stdout = child.stdout.take();
    let (sender, receiver) = mpsc::channel();
    let reader = thread::spawn(move || {
        let lines = stdout
            .into_iter()
            .flat_map(|stdout| BufReader::with_capacity(1 << 16, stdout).lines());
        // What is no event was printed by something else.
        let events = lines
            .map_while(Result::ok)
            .filter_map(|line| serde_json::from_str::<Event>(&line).ok())
            .collect::<Vec<_>>();
        let _ = sender.send(());
        events
    });
    let timeout = receiver.recv_timeout(bench.limit) == Err(mpsc::RecvTimeoutError::Timeout);
    if timeout {
        // It hands over what it has; one that cannot do even that is ended.
        if let Some(stdin) = &mut stdin {
            let _ = writeln!(stdin);
        }
        if receiver.recv_timeout(LAST_WORDS) == Err(mpsc::RecvTimeoutError::Timeout) {
            let _ = child.kill();
        }
    }
    let status = child.wait();
    let mut trace = Trace {
        events: reader.join().unwrap_or_default(),
    };
    if trace.ending().is_none() {
        let ending = if timeout {
            Ending::Timeout {
                limit: bench.limit.as_millis() as u64,
            }
        } else {
            died(&status)
        };
        trace.events.push(Event::End { ending });
    }
    Ok(trace)
}

/// A worker that ended without saying why.
fn died(status: &std::io::Result<std::process::ExitStatus>) -> Ending {
    /// What Windows reports for an `int 29h` that was not found in the code beforehand: no handler sees it.
    const STACK_BUFFER_OVERRUN: i32 = 0xC000_0409_u32 as i32;
    match status {
        Ok(status) if status.code() == Some(STACK_BUFFER_OVERRUN) => Ending::Trap {
            at: crate::trace::Place::default(),
            trap: crate::trace::Trap::FastFail {
                code: "that Windows does not tell".to_owned(),
            },
            argument: None,
            guarded: false,
        },
        Ok(status) => Ending::Died {
            status: status.to_string(),
        },
        Err(error) => Ending::Died {
            status: error.to_string(),
        },
    }
}
