//! The INFs of emitted projects, checked by the rules of `cargo xtask inf`, by Wine's INF engine and, if present, by
//! `InfVerif`.

mod emitting;

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use emitting::wine::Wine;
use emitting::{
    HOSTILE, HOSTILE_TEXTS, PRINTABLE, emit, folder, read, rendered, said, skipped, xtask_new,
};
use serde::Deserialize;
use xtask::checks::{
    cache::Inputs,
    driver,
    matrix::combinations::{self, Axis, Reason},
};
use xtask::commands::inf::{
    self, Code,
    answers::{self, Layout},
    groups::GROUPS,
    installed::{self, Registry, Value},
    reader::Inf,
};
use xtask::openwdk::target::{Arch, Profile};

/// These answers, and the defaults of all others.
fn complete(answers: &[(&str, &str)]) -> BTreeMap<String, String> {
    let defaults = xtask::commands::options::declared().unwrap().into_iter();
    let mut all: BTreeMap<_, _> = defaults
        .map(|option| (option.name, option.default))
        .collect();
    all.insert("project-name".to_owned(), "my-filter".to_owned());
    for (option, answer) in answers {
        assert!(
            all.insert((*option).to_owned(), (*answer).to_owned())
                .is_some()
        );
    }
    all
}

fn borrowed(answers: &BTreeMap<String, String>) -> BTreeMap<&str, &str> {
    answers
        .iter()
        .map(|(option, answer)| (option.as_str(), answer.as_str()))
        .collect()
}

/// The INX of a project with these answers.
fn inx(answers: &[(&str, &str)]) -> String {
    let inx = rendered(answers).remove("my_filter.inx").unwrap();
    String::from_utf8(inx).unwrap()
}

/// What an INX installs, in one of its layouts.
fn installed(inx: &str, layout: Layout) -> Registry {
    installed::registry(&Inf::read(inx), layout.section()).unwrap()
}

/// The only value with this name, in any key.
fn value<'a>(registry: &'a Registry, name: &str) -> &'a Value {
    let mut found = registry.iter().filter(|((_, it), _)| it == name);
    let (_, value) = found.next().unwrap_or_else(|| panic!("there is no {name}"));
    assert!(found.next().is_none(), "there are two {name}");
    value
}

#[test]
fn groups_classes_and_altitudes_match() {
    let options = xtask::commands::options::declared().unwrap();
    let option = options
        .into_iter()
        .find(|option| option.name == "load_order_group")
        .unwrap();
    let xtask::commands::options::Kind::Choice(choices) = option.kind else {
        panic!("{option:?}")
    };
    let declared: Vec<String> = choices.into_iter().map(|choice| choice.value).collect();
    assert_eq!(declared, GROUPS.each_ref().map(|group| group.option));

    for group in &GROUPS {
        let range = &group.altitudes;
        for altitude in [
            "auto".to_owned(),
            range.start().to_string(),
            format!("{}.5", range.end()),
        ] {
            let answers = [
                ("load_order_group", group.option),
                ("altitude", altitude.as_str()),
            ];
            inf::check(&inx(&answers), &borrowed(&complete(&answers))).unwrap();
        }
        // Just outside.
        for outside in [
            format!("{}.9", range.start() - 1),
            (range.end() + 1).to_string(),
        ] {
            let answers = [
                ("load_order_group", group.option),
                ("altitude", outside.as_str()),
            ];
            let refused = xtask::commands::new::emit("my-filter", &answers, folder().path())
                .unwrap_err()
                .to_string();
            let owner = GROUPS.iter().find(|it| it.has(&outside)).map_or_else(
                || "outside the ranges of all groups of the template".to_owned(),
                |owner| format!("in the range of {} ({})", owner.name, owner.option),
            );
            let (name, low, high) = (group.name, range.start(), range.end());
            assert_eq!(
                refused,
                format!(
                    "The altitude {outside} is {owner}. For {name}, write auto, or a number from {low} to {high}."
                )
            );
        }
    }
}

/// Calls the hook's function with many names.
#[test]
fn draft_altitudes_do_not_collide() {
    let script = fs::read_to_string(xtask::repository().join("hooks/altitude.rhai")).unwrap();
    let engine = rhai::Engine::new();
    let script = engine.compile(script).unwrap();
    let group: rhai::Map = [("draft".into(), rhai::Dynamic::from(365_999_i64))]
        .into_iter()
        .collect();
    let mut drafts = BTreeSet::new();
    let mut names: BTreeSet<String> = (0..3000).map(|number| format!("filter-{number}")).collect();
    names.extend((b'a'..=b'z').map(|letter| char::from(letter).to_string()));
    names.extend((1..=32).map(|length| "z".repeat(length)));
    names.extend(
        [
            "my-filter",
            "my-filtre",
            "ym-filter",
            "myfilter",
            "my-filter2",
            "my-filter-2",
        ]
        .map(str::to_owned),
    );
    for name in &names {
        let draft: String = engine
            .call_fn(
                &mut rhai::Scope::new(),
                &script,
                "draft",
                (name.clone(), group.clone()),
            )
            .unwrap();
        let (integer, fraction) = draft.split_once('.').unwrap();
        assert_eq!(integer, "365999");
        assert!((9..=32).contains(&fraction.len()), "{draft}");
        assert!(
            fraction.bytes().all(|byte| byte.is_ascii_digit()) && !fraction.ends_with('0'),
            "{draft}"
        );
        assert!(drafts.insert(draft), "the draft of {name} is not unique");
    }
    assert_eq!(drafts.len(), names.len());
}

#[test]
fn a_draft_depends_on_the_name_alone() {
    let altitude = |name: &str, answers: &[&str]| {
        let place = folder();
        let output = xtask_new(&[&[name], answers].concat(), place.path());
        assert!(output.status.success(), "{}", said(&output));
        let said = said(&output);
        let (_, rest) = said.split_once("Its altitude, ").unwrap();
        rest.split_once(", is a draft").unwrap().0.to_owned()
    };
    let mine = altitude("my-filter", &[]);
    assert_eq!(
        mine,
        altitude(
            "MyFilter",
            &["-d", "provider=Somebody else", "-d", "operations=read"]
        )
    );
    assert_ne!(mine, altitude("my-filter2", &[]));
    assert_eq!(
        mine.split_once('.').unwrap().1,
        altitude("my-filter", &["-d", "load_order_group=hsm"])
            .split_once('.')
            .unwrap()
            .1
    );
}

/// The matrix covers every choice, but has no variants of free text.
#[test]
fn free_text_arrives_unchanged() {
    // The longest texts, with every character escaped: an INF token has at most 511 characters.
    let longest = ["\"".repeat(255), "%".repeat(255)];
    let longest = longest.iter().map(String::as_str);
    for text in HOSTILE_TEXTS.into_iter().chain(longest) {
        for error_log in ["event-log", "debugger"] {
            let answers = [
                ("provider", text),
                ("description", text),
                ("error_log", error_log),
            ];
            inf::check(&inx(&answers), &borrowed(&complete(&answers))).unwrap();
        }
    }
}

/// `BypassIO` (8) is always declared, `IRP_MJ_QUERY_OPEN` (4) if it is filtered. An offloaded copy is a pair of file-system controls. A filter of reads or writes that does not filter these controls
/// does not see it.
#[test]
fn features_follow_from_the_operations() {
    for (operations, features) in [
        ("create", 0b1011),
        ("read", 0b1010),
        ("write", 0b1001),
        ("read,write", 0b1000),
        ("read,write,file-system-control", 0b1011),
        ("query-open", 0b1111),
    ] {
        let inx = inx(&[("operations", operations)]);
        for layout in Layout::ALL {
            let found = installed(&inx, layout);
            let found = value(&found, "SupportedFeatures");
            assert_eq!(found, &Value::Number(features), "{operations}");
        }
    }
}

#[test]
fn the_inx_is_ascii_with_the_line_ends_of_windows() {
    for answers in [
        vec![],
        vec![
            ("error_log", "debugger"),
            ("altitude", "370030"),
            ("provider", PRINTABLE),
            ("description", HOSTILE),
        ],
    ] {
        let text = inx(&answers);
        assert!(text.is_ascii() && text.ends_with("\r\n"));
        for line in text.split_terminator("\r\n") {
            assert!(
                !line.contains(['\r', '\n', '\t']) && line == line.trim_end(),
                "{line:?}"
            );
        }
        assert!(!text.contains("\r\n\r\n\r\n"), "two empty lines");
    }
    let answers = complete(&[]);
    let good = inx(&[]);
    let unix = good.replace("\r\n", "\n");
    let error = inf::check(&unix, &borrowed(&answers)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the INF: line 1 does not end with carriage return and line feed"
    );
    // An INF of another project can have these line ends, if all its lines do.
    assert!(
        inf::findings(&unix, &borrowed(&answers))
            .unwrap()
            .is_empty()
    );
    let mixed = good.replacen("\r\n[Version]\r\n", "\r\n[Version]\n", 1);
    let findings = inf::findings(&mixed, &borrowed(&answers)).unwrap();
    let heading = good.lines().position(|line| line == "[Version]").unwrap();
    let [finding] = &findings[..] else {
        panic!("{findings:?}")
    };
    assert_eq!(
        (finding.rule.name, finding.line),
        ("plain-text", Some(heading + 1))
    );
}

#[test]
fn a_missing_answer_is_named() {
    let mut answers = complete(&[]);
    answers.remove("start_type");
    let error = inf::check(&inx(&[]), &borrowed(&answers)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "there is no answer to start_type, which the INF depends on"
    );
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    /// The version of `InfVerif` that reported the codes in `seen`.
    infverif: String,
    inf: Vec<Broken>,
}

/// An emitted INX with a change.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Broken {
    name: String,
    /// The rule that finds the fault.
    rule: String,
    /// The code of `InfVerif` that the finding has.
    code: Option<u16>,
    /// The codes that `InfVerif` reports, or `None` if it was not run.
    seen: Option<BTreeSet<u16>>,
    #[serde(default)]
    answers: BTreeMap<String, String>,
    edit: Vec<Edit>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Edit {
    find: String,
    replace: String,
    #[serde(default = "once")]
    times: usize,
}

fn once() -> usize {
    1
}

impl Table {
    fn read() -> Self {
        let file = xtask::repository().join("ci/tests/broken_inf.toml");
        toml::from_str(&fs::read_to_string(file).unwrap()).unwrap()
    }

    /// Each entry with its broken INX.
    fn broken(&self) -> Vec<(&Broken, String)> {
        let mut good = BTreeMap::new();
        let mut all = vec![];
        for broken in &self.inf {
            let answers: Vec<_> = borrowed(&broken.answers).into_iter().collect();
            let good = good.entry(&broken.answers).or_insert_with(|| inx(&answers));
            all.push((broken, broken.applied_to(good)));
        }
        all
    }
}

impl Broken {
    fn applied_to(&self, inx: &str) -> String {
        let mut text = inx.to_owned();
        for edit in &self.edit {
            let [find, replace] =
                [&edit.find, &edit.replace].map(|text| text.replace('\n', "\r\n"));
            assert!(text.contains(&find), "{}: not found: {find:?}", self.name);
            text = text.replace(&find, &replace.repeat(edit.times));
        }
        text
    }

    fn has_seen(&self, code: u16) -> bool {
        self.seen.as_ref().is_some_and(|seen| seen.contains(&code))
    }
}

#[test]
fn each_broken_inf_is_found_only_by_its_rule() {
    let table = Table::read();
    assert_eq!(table.infverif, inf::INFVERIF);
    let names: BTreeSet<_> = table.inf.iter().map(|broken| &broken.name).collect();
    assert_eq!(names.len(), table.inf.len(), "two INFs have the same name");

    let mut tried = BTreeSet::new();
    let mut wrong = String::new();
    for (broken, text) in table.broken() {
        let answers: Vec<_> = borrowed(&broken.answers).into_iter().collect();
        let findings = inf::findings(&text, &borrowed(&complete(&answers))).unwrap();
        let right = |finding: &inf::Finding| finding.rule.name == broken.rule;
        let coded = |finding: &inf::Finding| finding.code.map(Code::number) == broken.code;
        if findings.is_empty() || !findings.iter().all(right) || !findings.iter().any(coded) {
            let found: Vec<_> = findings.iter().map(ToString::to_string).collect();
            let _ = writeln!(
                wrong,
                "{}: expected {} {:?}, found:\n    {}",
                broken.name,
                broken.rule,
                broken.code,
                found.join("\n    ")
            );
        }
        for finding in findings {
            // The line, if the finding has one, is in the file.
            let lines = text.lines().count();
            assert!(finding.line.is_none_or(|line| (1..=lines).contains(&line)));
            let is_right = match finding.code {
                Some(Code::Seen(code)) => {
                    finding.rule.seen.contains(&code) && broken.has_seen(code)
                }
                Some(Code::Documented(code)) => {
                    finding.rule.documented.contains(&code) && !broken.has_seen(code)
                }
                None => true,
            };
            if !is_right {
                let _ = writeln!(wrong, "{}: the code of {finding}", broken.name);
            }
            tried.insert((finding.rule.name, finding.code.map(Code::number), {
                matches!(finding.code, Some(Code::Seen(_)))
            }));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");

    // Every rule has an entry, and so has every code of a rule, seen or documented. The rules that compare an INF with
    // testbench.toml have their own test.
    for rule in inf::all_rules() {
        let is_promised = inf::promises::RULES
            .iter()
            .any(|promised| promised.name == rule.name);
        assert!(
            is_promised || tried.iter().any(|(name, ..)| *name == rule.name),
            "{}",
            rule.name
        );
        for (codes, seen) in [(rule.seen, true), (rule.documented, false)] {
            for code in codes {
                assert!(
                    tried.contains(&(rule.name, Some(*code), seen)),
                    "{} {code}, seen: {seen}",
                    rule.name
                );
            }
        }
        assert!(!rule.document.is_empty() && rule.asks.ends_with('.'));
    }
    let rules: Vec<_> = inf::all_rules().map(|rule| rule.name).collect();
    let unique: BTreeSet<_> = rules.iter().collect();
    assert_eq!(rules.len(), unique.len(), "two rules have one name");
}

/// Answers that emit different INFs: the defaults, each option alone, everything on, everything off, and free text.
fn kinds() -> Vec<(String, BTreeMap<String, String>)> {
    let options = xtask::commands::options::declared().unwrap();
    let axes: Vec<_> = options.iter().map(Axis::of).collect();
    let chosen = combinations::chosen(&axes).into_iter();
    let mut all: Vec<BTreeMap<_, _>> = chosen
        .filter(|it| it.reason != Reason::Pairs)
        .map(|it| it.answers.into_iter().collect())
        .collect();
    all.extend(HOSTILE_TEXTS.map(|text| {
        complete(&[
            ("provider", text),
            ("description", text),
            ("attach", "manual"),
        ])
    }));
    let mut seen = BTreeSet::new();
    let mut kinds = Vec::new();
    for mut answers in all {
        answers.insert("project-name".to_owned(), "my-filter".to_owned());
        // The name is not given as an answer.
        let given: Vec<_> = borrowed(&answers)
            .into_iter()
            .filter(|(option, _)| *option != "project-name")
            .collect();
        let text = inx(&given);
        if seen.insert(text.clone()) {
            kinds.push((text, answers));
        }
    }
    kinds
}

/// Wine's INF engine installs each kind of INF in each layout, and the test compares all registry values of the service
/// with the expected ones.
#[test]
fn wine_installs_what_the_answers_require() {
    let kinds = kinds();
    assert!(kinds.len() > 30, "{} kinds", kinds.len());
    let wine = Wine::version();
    let inputs = kinds.iter().map(|(inx, _)| {
        Inputs::of("wine-inf")
            .with("wine", &wine)
            .with("how", include_str!("inf.rs"))
            .with("inx", inx)
    });
    let inputs: Vec<Inputs> = inputs.collect();
    let mut exports: Vec<Option<Exports>> = inputs
        .iter()
        .map(|inputs| Some(serde_json::from_slice(&inputs.kept()?).unwrap()))
        .collect();
    let missing = exports.iter().zip(&kinds);
    let missing = missing.filter(|(known, _)| known.is_none());
    let missing: Vec<&str> = missing.map(|(_, (inx, _))| inx.as_str()).collect();
    let mut made = install_in_wine(&missing).into_iter();
    for known in &mut exports {
        *known = known.take().or_else(|| made.next());
    }

    let mut wrong = String::new();
    let defaults = complete(&[]);
    for ((inx, answers), exports) in kinds.iter().zip(&exports) {
        let exports = exports.as_ref().unwrap();
        for layout in Layout::ALL {
            let exported = |step: &str| exported(&exports[&export_name(layout, step)], "my_filter");
            // The answers do not contain a draft altitude, so the altitude is read from the INF.
            let planned = installed(inx, layout);
            let Value::Text(altitude) = value(&planned, "Altitude") else {
                panic!("the altitude is not text")
            };
            let expected = answers::registry(&borrowed(answers), layout, altitude).unwrap();
            let mut differences =
                answers::differences(&as_wine_has_it(expected), &exported("installed"));
            let left: Vec<_> = exported("gone").into_keys().collect();
            if !left.is_empty() {
                differences.push(format!("{left:?} is left after the uninstallation"));
            }
            for difference in differences {
                let mut given = answers.clone();
                given.retain(|option, answer| defaults[option] != *answer);
                let _ = writeln!(wrong, "{layout:?}, {given:?}: {difference}");
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    for (inputs, exports) in inputs.iter().zip(exports) {
        inputs.keep(&serde_json::to_vec(&exports).unwrap()).unwrap();
    }
}

/// The services in Wine's registry, as `reg export` writes them, by layout and step.
type Exports = BTreeMap<String, String>;

/// The steps after which the registry is exported.
const STEPS: [&str; 2] = ["installed", "gone"];

fn export_name(layout: Layout, step: &str) -> String {
    format!("{layout:?}-{step}")
}

/// Installs and uninstalls INXs in both layouts, one after the other.
fn install_in_wine(kinds: &[&str]) -> Vec<Exports> {
    if kinds.is_empty() {
        return Vec::new();
    }
    let folder = folder();
    let path = |name: &str| Wine::path(&folder.path().join(name));
    let mut script = String::from("@echo off\r\n");
    for (number, inx) in kinds.iter().enumerate() {
        let place = folder.path().join(number.to_string());
        fs::create_dir(&place).unwrap();
        fs::write(place.join("my_filter.inf"), stamped(inx)).unwrap();
        fs::write(place.join("my_filter.sys"), "").unwrap();
        let inf = path(&format!("{number}/my_filter.inf"));
        for layout in Layout::ALL {
            // By default, Wine uses the section without a version.
            let install = match layout {
                Layout::Parameters => "DefaultInstall.NTamd64.10.0...25952",
                Layout::Downlevel => "DefaultInstall",
            };
            for (section, step) in [install, "DefaultUninstall"].into_iter().zip(STEPS) {
                let export = path(&format!("{number}/{}.reg", export_name(layout, step)));
                // Writing to a string does not fail.
                let _ = write!(
                    script,
                    "start /wait rundll32 setupapi,InstallHinfSection {section} 132 {inf}\r\n\
                     reg export {SERVICES} {export} /y\r\n"
                );
            }
        }
    }
    fs::write(folder.path().join("all.cmd"), script).unwrap();
    Wine::new().run(&["cmd", "/c", &path("all.cmd")]);
    let exports = (0..kinds.len()).map(|number| {
        let names = Layout::ALL
            .into_iter()
            .flat_map(|layout| STEPS.map(|step| export_name(layout, step)));
        let read = |name: String| {
            let file = folder.path().join(format!("{number}/{name}.reg"));
            let text = utf16(&file);
            (name, text)
        };
        names.map(read).collect()
    });
    exports.collect()
}

/// The text of a file in UTF-16.
fn utf16(file: &Path) -> String {
    let bytes = fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let units = bytes
        .chunks(2)
        .map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
    char::decode_utf16(units).map(Result::unwrap).collect()
}

/// Changes the expected values where Wine 8 differs from Windows: Wine does not know the folder of the driver store,
/// expands the path to the driver, writes neither dependencies nor event sources, and writes values for a driver that
/// Windows writes only for the service of a program.
fn as_wine_has_it(mut registry: Registry) -> Registry {
    registry.retain(|(key, name), _| !key.starts_with("EventLog") && name != "DependOnService");
    for (name, value) in [
        (
            "ImagePath",
            Value::Text(r"C:\windows\system32\unknown\my_filter.sys".to_owned()),
        ),
        ("ObjectName", Value::Text("LocalSystem".to_owned())),
        ("PreshutdownTimeout", Value::Number(180_000)),
    ] {
        registry.insert(("my_filter".to_owned(), name.to_owned()), value);
    }
    registry
}

/// The keys with `part` in their names, from the output of `reg export` for all services.
fn exported(text: &str, part: &str) -> Registry {
    let unescaped = |text: &str| text.replace("\\\"", "\"").replace(r"\\", r"\");
    let mut registry = Registry::new();
    let mut key = None;
    for line in text.lines() {
        if let Some(name) = line
            .strip_prefix('[')
            .and_then(|line| line.strip_suffix(']'))
        {
            let services = r"HKEY_LOCAL_MACHINE\System\CurrentControlSet\Services";
            let below = name
                .strip_prefix(services)
                .unwrap()
                .trim_start_matches('\\');
            key = below.contains(part).then(|| below.to_owned());
            continue;
        }
        let (Some(key), Some((name, data))) = (&key, line.split_once("\"=")) else {
            continue;
        };
        let data = match data.strip_prefix("dword:") {
            Some(number) => Value::Number(u32::from_str_radix(number, 16).unwrap()),
            None => Value::Text(unescaped(
                data.strip_prefix('"')
                    .and_then(|data| data.strip_suffix('"'))
                    .unwrap_or_else(|| panic!("{line}")),
            )),
        };
        let name = unescaped(name.strip_prefix('"').unwrap());
        registry.insert((key.clone(), name), data);
    }
    registry
}

/// A smoke test: Wine's filter manager is a stub in which registering and starting always succeed.
#[test]
fn wine_starts_the_installed_driver() {
    let wine = Wine::new();
    let (_place, project) = emit(&[]);
    let inf = project.join("my_filter.inf");
    fs::write(&inf, stamped(&read(&project, "my_filter.inx"))).unwrap();
    let sys = project.join("my_filter.sys");
    let install = [
        "rundll32",
        "setupapi,InstallHinfSection",
        "DefaultInstall",
        "132",
    ];
    // A file that is not a driver does not start.
    let built = driver::build(&project, Profile::Release, Arch::Amd64).unwrap();
    for (bytes, state) in [
        (b"no driver".to_vec(), "STOPPED"),
        (fs::read(built).unwrap(), "RUNNING"),
    ] {
        fs::write(&sys, bytes).unwrap();
        wine.run(&[&install[..], &[&Wine::path(&inf)]].concat());
        query(&wine, |said| said.contains("    Altitude    "));
        let said = wine.run(&["cmd", "/c", "sc start my_filter & sc query my_filter"]);
        let last = said
            .lines()
            .rfind(|line| line.contains("STATE"))
            .unwrap_or_default();
        assert!(last.contains(state), "{said}");
    }
}

/// The INF that stampinf creates from an INX, for x64.
fn stamped(inx: &str) -> String {
    stamped_for(inx, "amd64")
}

fn stamped_for(inx: &str, architecture: &str) -> String {
    inx.replace("$ARCH$", architecture)
        .replace("DriverVer   =\r\n", "DriverVer   = 11/20/2026,1.0.0.0\r\n")
}

/// The `InfVerif` that the environment variable INFVERIF names: an `.exe`, which runs under Wine on other systems than
/// Windows, or a program that starts it.
struct InfVerif {
    program: PathBuf,
    wine: Option<Wine>,
}

/// An INF, and the mode in which it is judged.
type Job = (String, &'static [&'static str]);

impl InfVerif {
    /// The modes, with their arguments. The rules for Windows Drivers (`/w`) apply to the systems of the first install
    /// section.
    const MODES: [&'static [&'static str]; 4] =
        [&["/u"], &["/h"], &["/k"], &["/w", "/wbuild", "10.0.25952"]];
    /// The mode for a file that stampinf has not processed.
    const MODE_OF_INX: &'static [&'static str] = &["/stampinf", "/h"];

    fn named() -> Option<Self> {
        let program = PathBuf::from(env::var_os("INFVERIF")?);
        assert!(
            program.is_file(),
            "INFVERIF is {}: there is no such file",
            program.display()
        );
        let needs_wine = !cfg!(windows)
            && program
                .extension()
                .is_some_and(|it| it.eq_ignore_ascii_case("exe"));
        Some(Self {
            program: program.canonicalize().unwrap(),
            wine: needs_wine.then(Wine::new),
        })
    }

    /// Runs `InfVerif` on each job and returns what it prints.
    fn says(&self, jobs: &[Job]) -> Vec<String> {
        let place = folder();
        let file = |number: usize, name: &str| place.path().join(number.to_string()).join(name);
        for (number, (inf, _)) in jobs.iter().enumerate() {
            fs::create_dir(place.path().join(number.to_string())).unwrap();
            fs::write(file(number, "my_filter.inf"), inf).unwrap();
        }
        if let Some(wine) = &self.wine {
            // One batch file runs all jobs: to start Wine for each job takes far longer.
            let mut script = String::from("@echo off\r\n");
            for (number, (_, mode)) in jobs.iter().enumerate() {
                let _ = write!(
                    script,
                    "\"{}\" /v {} {} > {} 2>&1\r\n",
                    Wine::path(&self.program),
                    mode.join(" "),
                    Wine::path(&file(number, "my_filter.inf")),
                    Wine::path(&file(number, "said.txt"))
                );
            }
            let all = place.path().join("all.cmd");
            fs::write(&all, script).unwrap();
            wine.run(&["cmd", "/c", &Wine::path(&all)]);
        }
        let said = jobs.iter().enumerate().map(|(number, (_, mode))| {
            let bytes = if self.wine.is_some() {
                fs::read(file(number, "said.txt")).unwrap()
            } else {
                let mut command = Command::new(&self.program);
                command.arg("/v").args(*mode);
                let output = command.arg(file(number, "my_filter.inf")).output();
                let output = output.unwrap();
                [output.stdout, output.stderr].concat()
            };
            String::from_utf8_lossy(&bytes).into_owned()
        });
        said.collect()
    }
}

/// The codes in the output of `InfVerif`: `ERROR(1421) in ...`, `warning 1324: ...`.
fn codes(said: &str) -> BTreeSet<u16> {
    let pattern = regex::Regex::new(r"(?i)\b(?:error|warning)\s*\(?([12]\d{3})\b").unwrap();
    let found = pattern.captures_iter(said);
    found.map(|code| code[1].parse().unwrap()).collect()
}

#[test]
fn the_codes_of_infverif_are_read() {
    let said = "Running in Verbose\n\
                ERROR(1421) in C:\\x\\my_filter.inf, line 25: Section [DefaultInstall] ...\n\
                WARNING(2083) in C:\\x\\1205.inf, line 7, target OS NTamd64.6.1: 1300 ...\n\
                my.inf(8-8): warning 1324: [Version] section ...\n";
    assert_eq!(codes(said), BTreeSet::from([1324, 1421, 2083]));
    assert!(codes("INF is VALID").is_empty());
}

/// `InfVerif` reports nothing for the emitted INFs. For the broken ones, it reports the codes in `seen` and no other.
#[test]
fn infverif_reports_the_codes_that_were_seen() {
    const ARCHITECTURES: [&str; 2] = ["amd64", "arm64"];
    let table = Table::read();
    let broken = table.broken();
    let kinds = kinds();
    let mut good: Vec<Job> = vec![];
    for (inx, _) in &kinds {
        for architecture in ARCHITECTURES {
            let inf = stamped_for(inx, architecture);
            good.extend(InfVerif::MODES.map(|mode| (inf.clone(), mode)));
        }
    }
    let jobs = |inx: &str| -> Vec<Job> {
        let inf = stamped(inx);
        let stamped = InfVerif::MODES.map(|mode| (inf.clone(), mode));
        let inx = (inx.to_owned(), InfVerif::MODE_OF_INX);
        stamped.into_iter().chain([inx]).collect()
    };
    let of_broken: Vec<Job> = broken.iter().flat_map(|(_, inx)| jobs(inx)).collect();
    let cases = good.len() + of_broken.len();
    let Some(infverif) = InfVerif::named() else {
        let why = "set INFVERIF to the path of an InfVerif.exe, which is in the Windows Driver Kit";
        skipped(cases, why);
        return;
    };

    let mut wrong = String::new();
    let per_kind = ARCHITECTURES.len() * InfVerif::MODES.len();
    for (number, said) in infverif.says(&good).iter().enumerate() {
        // The output is empty if InfVerif did not run.
        if said.trim().is_empty() || !codes(said).is_empty() {
            let (answers, mode) = (&kinds[number / per_kind].1, good[number].1);
            let _ = writeln!(wrong, "{answers:?}, {mode:?}: {said}");
        }
    }
    let said = infverif.says(&of_broken);
    let per_broken = of_broken.len() / broken.len();
    for ((broken, _), said) in broken.iter().zip(said.chunks(per_broken)) {
        let found: BTreeSet<u16> = said.iter().flat_map(|said| codes(said)).collect();
        let name = &broken.name;
        match &broken.seen {
            Some(seen) if *seen != found => {
                let _ = writeln!(wrong, "{name}: reports {found:?}, but {seen:?} were seen");
            }
            Some(_) => {}
            None => eprintln!("{name}: not yet tried, reports {found:?}"),
        }
    }
    eprintln!("{cases} cases with {}", infverif.program.display());
    assert!(
        wrong.is_empty(),
        "seen with InfVerif {}:\n{wrong}",
        table.infverif
    );
}

const SERVICES: &str = r"HKLM\System\CurrentControlSet\Services";

/// Queries the registry key of the service until `settled` accepts the output, for one minute at most.
fn query(wine: &Wine, settled: impl Fn(&str) -> bool) -> String {
    let start = Instant::now();
    let key = format!(r"{SERVICES}\my_filter");
    loop {
        let said = wine.run(&["reg", "query", &key, "/s"]);
        if settled(&said) || start.elapsed() > Duration::from_mins(1) {
            return said;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}
