//! Prepares the machine of a test.

use std::panic::{self, AssertUnwindSafe};
use std::path::PathBuf;
use std::time::Duration;

use super::link::Link;
use super::machine::{Machine, is_expected_stop};
use super::project;
use super::text;
use crate::act::{Setup, VolumeKind};
use crate::assume::{Assumption, Assumptions};
use crate::bench::{Player, Session, fault, ways};
use crate::expect::Expectations;
use crate::job::Job;
use crate::rules::view::View;
use crate::scenario::{Fault, Injected, Scenario, Script};
use crate::settings::{Setting, Settings};
use crate::trace::Trace;
use crate::vocabulary::status::Status;

/// The machine of a test before the driver is loaded.
#[derive(Debug, Clone)]
#[must_use = "the driver is loaded by start() or run()"]
pub struct Builder {
    driver: PathBuf,
    player: Player,
    expectations: Option<Expectations>,
    registry: Settings,
    assume: Assumptions,
    setup: Setup,
    expected: Vec<String>,
    kinds: Vec<VolumeKind>,
    every_fault: bool,
}

/// The most calls at the same address that [`Builder::every_fault`] makes to fail.
const MOST_REPEATS: usize = 3;

impl Builder {
    /// Prepares a machine for a driver. The program is the worker of the bench.
    pub fn new(driver: impl Into<PathBuf>, worker: impl Into<PathBuf>) -> Self {
        Builder {
            driver: driver.into(),
            player: Player {
                program: worker.into(),
                limit: Duration::from_secs(5),
            },
            expectations: None,
            registry: Settings::default(),
            assume: Assumptions::default(),
            setup: Setup::default(),
            expected: Vec::new(),
            kinds: Vec::new(),
            every_fault: false,
        }
    }

    /// Prepares a machine for the driver of an emitted project. [`machine!`](crate::machine) calls this function with the
    /// folder of the tests and the worker.
    pub fn of_project(tests: &str, worker: &str) -> Self {
        let (driver, expectations) = project::driver(tests);
        Builder::new(driver, worker).expect(expectations)
    }

    /// Sets the expectations of the driver, with the registry values and the assumed results that they list.
    pub fn expect(mut self, expectations: Expectations) -> Self {
        self.registry.replace(&expectations.registry);
        self.assume.replace(&expectations.assume);
        self.expectations = Some(expectations);
        self
    }

    /// Sets a registry value of the service, such as `registry("Mode", "dword:1")`. The name is that of a value of the
    /// key `Parameters`; see [`settings`](crate::settings) for others.
    ///
    /// # Panics
    ///
    /// Panics with a sentence if the name or the value is invalid.
    #[track_caller]
    pub fn registry(mut self, name: &str, value: &str) -> Self {
        let mut settings = Settings::default();
        let added = Setting::new(name, value).and_then(|setting| settings.add(setting));
        if let Err(why) = added {
            panic!("{why}");
        }
        self.registry.replace(&settings);
        self
    }

    /// Sets the result of calls that the bench does not model, such as `assume("PsGetVersion", "STATUS_SUCCESS")`.
    ///
    /// # Panics
    ///
    /// Panics with a sentence if the result is invalid.
    #[track_caller]
    pub fn assume(mut self, function: &str, result: &str) -> Self {
        let mut assume = Assumptions::default();
        let added = Assumption::parse(&format!("{function}={result}"));
        if let Err(why) = added.and_then(|assumption| assume.add(assumption)) {
            panic!("{why}");
        }
        self.assume.replace(&assume);
        self
    }

    /// Adds a volume. Without this, the machine has a volume C: with NTFS.
    pub fn volume(mut self, letter: char, kind: VolumeKind) -> Self {
        self.setup.volumes.push((letter.to_ascii_uppercase(), kind));
        self
    }

    /// Adds a file with data. The directories of its path are created.
    pub fn file(mut self, path: &str, data: &[u8]) -> Self {
        self.setup.files.push((path.to_owned(), data.to_vec()));
        self
    }

    /// Adds an empty directory.
    pub fn directory(mut self, path: &str) -> Self {
        let path = format!("{}\\", path.trim_end_matches('\\'));
        self.setup.files.push((path, Vec::new()));
        self
    }

    /// Limits the pool that the driver can have allocated, in bytes.
    pub fn pool_limit(mut self, bytes: u64) -> Self {
        self.setup.pool = Some(bytes);
        self
    }

    /// Makes the first call of a function fail with its first documented failure.
    pub fn fail_next(mut self, function: &str) -> Self {
        self.setup.fail_next = Some((function.to_owned(), None));
        self
    }

    /// Makes the first call of a function fail with a status.
    pub fn fail_next_with(mut self, function: &str, status: Status) -> Self {
        let result = Injected::Status(status);
        self.setup.fail_next = Some((function.to_owned(), Some(result)));
        self
    }

    /// Sets the time limit of an act. The default is five seconds.
    pub fn limit(mut self, limit: Duration) -> Self {
        self.player.limit = limit;
        self
    }

    /// Expects a finding of a rule. The test fails if there is none. `cargo xtask verify --list-rules` and
    /// [`rules::all`](crate::rules::all) list the rules.
    ///
    /// # Panics
    ///
    /// Panics if there is no such rule.
    #[track_caller]
    pub fn expect_finding(mut self, rule: &str) -> Self {
        assert!(
            crate::rules::by_name(rule).is_some(),
            "there is no rule {rule:?}; testbench::rules::all() lists the rules"
        );
        self.expected.push(rule.to_owned());
        self
    }

    /// Runs the test on a machine for each kind of volume, on which C: is of that kind. It applies to
    /// [`run`](Builder::run).
    pub fn on_each(mut self, kinds: &[VolumeKind]) -> Self {
        self.kinds = kinds.to_vec();
        self
    }

    /// Runs the test again for each call of the driver that can fail, with that call failing. It applies to
    /// [`run`](Builder::run). If `DriverEntry` fails because of the fault, the test does not run, and the rules judge the
    /// failed start.
    pub fn every_fault(mut self) -> Self {
        self.every_fault = true;
        self
    }

    /// Loads the driver.
    ///
    /// # Panics
    ///
    /// Panics with the reason if the driver does not start.
    #[must_use]
    #[track_caller]
    pub fn start(self) -> Machine {
        assert!(
            self.kinds.is_empty() && !self.every_fault,
            "on_each() and every_fault() run a test several times; give the test to run() instead of start()"
        );
        match self.load(None) {
            Ok(machine) => machine,
            Err(why) => panic!("{why}"),
        }
    }

    /// Loads the driver, or returns why it does not start.
    ///
    /// # Errors
    ///
    /// Returns the reason, with what the driver did.
    pub fn try_start(self) -> Result<Machine, String> {
        self.load(None)
    }

    /// Loads the driver and returns the status with which `DriverEntry` fails.
    ///
    /// # Panics
    ///
    /// Panics if the driver starts.
    #[must_use = "compare the status with what the test expects"]
    #[track_caller]
    pub fn fails_to_start(self) -> Status {
        match self.launch(&self.setup(None), &[], String::new()) {
            Ok((machine, status)) if !status.is_success() => {
                machine.judge();
                status
            }
            Ok(_) => panic!("the driver starts"),
            Err(why) => panic!("{why}"),
        }
    }

    /// Loads the driver and runs a test, once for each kind of volume of [`on_each`](Builder::on_each), and once for each
    /// fault of [`every_fault`](Builder::every_fault).
    ///
    /// # Panics
    ///
    /// Panics if the driver does not start, or if the test does.
    #[track_caller]
    pub fn run(self, test: impl Fn(&Machine)) {
        let kinds: Vec<Option<VolumeKind>> = if self.kinds.is_empty() {
            vec![None]
        } else {
            self.kinds.iter().copied().map(Some).collect()
        };
        for kind in kinds {
            let machine = match self.load(kind) {
                Ok(machine) => machine,
                Err(why) => panic!("{why}"),
            };
            let events = run_on(machine, &test);
            if !self.every_fault {
                continue;
            }
            for fault in faults(&Trace { events }) {
                let on = context(kind, Some(&fault));
                let faults = [fault];
                match self.launch(&self.setup(kind), &faults, on) {
                    Ok((machine, status)) if status.is_success() => {
                        run_on(machine, &test);
                    }
                    Ok((machine, _)) => machine.judge(),
                    Err(why) => panic!("{why}"),
                }
            }
        }
    }

    fn setup(&self, kind: Option<VolumeKind>) -> Setup {
        let mut setup = self.setup.clone();
        match kind {
            Some(kind) => {
                setup.volumes.retain(|(letter, _)| *letter != 'C');
                setup.volumes.insert(0, ('C', kind));
            }
            None if setup.volumes.is_empty() => setup.volumes.push(('C', VolumeKind::Ntfs)),
            None => {}
        }
        setup
    }

    fn load(&self, kind: Option<VolumeKind>) -> Result<Machine, String> {
        let on = context(kind, None);
        let (machine, status) = self.launch(&self.setup(kind), &[], on.clone())?;
        if status.is_success() {
            return Ok(machine);
        }
        let account = text::indented(&text::account(&machine.events()));
        // What the rules say of the failed start would hide why it failed.
        machine.forget();
        Err(format!(
            "{on}the driver does not start: DriverEntry returns {status}\n  meanwhile:\n{account}"
        ))
    }

    /// Starts a worker and loads the driver. Returns the status of `DriverEntry`.
    fn launch(
        &self,
        setup: &Setup,
        faults: &[Fault],
        context: String,
    ) -> Result<(Machine, Status), String> {
        let driver = std::path::absolute(&self.driver).unwrap_or_else(|_| self.driver.clone());
        if let Err(refusal) = crate::image::Image::open(&driver) {
            return Err(refusal.to_string());
        }
        let scenario = Scenario {
            faults: faults.to_vec(),
            ..Scenario::clean(Script::Test)
        };
        let job = Job {
            driver,
            scenario: scenario.clone(),
            registry: self.registry.clone(),
            assume: self.assume.clone(),
            setup: Some(setup.clone()),
        };
        let started = Session::start(&self.player, &job);
        let mut session = started.map_err(|refusal| refusal.to_string())?;
        let reply = session.reply();
        let link = Link::new(
            session,
            scenario,
            self.expectations.clone(),
            self.expected.clone(),
            setup
                .fail_next
                .iter()
                .map(|(name, _)| name.clone())
                .collect(),
        );
        match reply {
            Some(reply) => match reply.refused {
                Some(why) => Err(why),
                None => Ok((Machine::new(link, context), reply.status)),
            },
            None if self.expected.is_empty() => {
                let unmodelled = link.unmodelled().map(|import| {
                    format!("it called {import}, which the bench does not model; give its result with assume()")
                });
                let findings = text::indented(&text::findings(&link.findings()));
                Err(format!(
                    "{context}the driver does not start: {}\n{findings}",
                    unmodelled.unwrap_or_else(|| "DriverEntry does not return".to_owned())
                ))
            }
            None => Ok((Machine::new(link, context), Status::default())),
        }
    }
}

/// Returns what distinguishes a run of a test from others, for the begin of a message.
fn context(kind: Option<VolumeKind>, fault: Option<&Fault>) -> String {
    let kind = kind.map(|kind| format!("on {kind}"));
    let fault = fault.map(|fault| format!("with the fault that {fault}"));
    let parts: Vec<String> = kind.into_iter().chain(fault).collect();
    if parts.is_empty() {
        String::new()
    } else {
        format!("{}: ", parts.join(", "))
    }
}

/// Runs a test and judges what happened. Returns the events.
#[track_caller]
fn run_on(machine: Machine, test: &impl Fn(&Machine)) -> Vec<crate::trace::Event> {
    let result = panic::catch_unwind(AssertUnwindSafe(|| test(&machine)));
    if let Err(panic) = result
        && !is_expected_stop(&*panic)
    {
        machine.forget();
        panic::resume_unwind(panic);
    }
    machine.judge();
    machine.events()
}

/// Returns one fault for each call that can fail.
fn faults(trace: &Trace) -> Vec<Fault> {
    let view = View::new(trace);
    let mut faults: Vec<Fault> = Vec::new();
    for call in view.calls() {
        let Some((point, routine)) = call.point.zip(view.routine(call.at)) else {
            continue;
        };
        let repeats = faults
            .iter()
            .filter(|known| known.function == call.function && known.site == call.site);
        if repeats.count() >= MOST_REPEATS {
            continue;
        }
        if let Some(result) = ways(call.function, false).first() {
            faults.push(fault(&call, point, routine, *result));
        }
    }
    faults
}
