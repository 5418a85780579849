//! The INF of an emitted project, by the rules that `InfVerif` checks and by Wine's own INF engine.

mod emitting;

use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, Instant};

use emitting::inf::Inf;
use emitting::wine::Wine;
use emitting::{HOSTILE, HOSTILE_TEXTS, PRINTABLE, emit, folder, read, said, xtask_new};
use windows_sys::Win32::Devices::DeviceAndDriverInstallation as classes;
use windows_sys::core::GUID;

/// The documentation's table of ranges ("Load order groups and altitudes for minifilter drivers") and of class names
/// ("File system filter driver classes and class GUIDs"), with the GUIDs of devguid.h as windows-sys has them.
#[rustfmt::skip]
const GROUPS: [(&str, &str, std::ops::RangeInclusive<u32>, &str, GUID); 17] = [
    ("activity-monitor", "FSFilter Activity Monitor", 360_000..=389_999, "ActivityMonitor", classes::GUID_DEVCLASS_FSFILTER_ACTIVITYMONITOR),
    ("undelete", "FSFilter Undelete", 340_000..=349_999, "Undelete", classes::GUID_DEVCLASS_FSFILTER_UNDELETE),
    ("anti-virus", "FSFilter Anti-Virus", 320_000..=329_999, "AntiVirus", classes::GUID_DEVCLASS_FSFILTER_ANTIVIRUS),
    ("replication", "FSFilter Replication", 300_000..=309_999, "Replication", classes::GUID_DEVCLASS_FSFILTER_REPLICATION),
    ("continuous-backup", "FSFilter Continuous Backup", 280_000..=289_999, "ContinuousBackup", classes::GUID_DEVCLASS_FSFILTER_CONTINUOUSBACKUP),
    ("content-screener", "FSFilter Content Screener", 260_000..=269_999, "ContentScreener", classes::GUID_DEVCLASS_FSFILTER_CONTENTSCREENER),
    ("quota-management", "FSFilter Quota Management", 240_000..=249_999, "QuotaManagement", classes::GUID_DEVCLASS_FSFILTER_QUOTAMANAGEMENT),
    ("system-recovery", "FSFilter System Recovery", 220_000..=229_999, "SystemRecovery", classes::GUID_DEVCLASS_FSFILTER_SYSTEMRECOVERY),
    ("cluster-file-system", "FSFilter Cluster File System", 200_000..=209_999, "CFSMetaDataServer", classes::GUID_DEVCLASS_FSFILTER_CFSMETADATASERVER),
    ("hsm", "FSFilter HSM", 180_000..=189_999, "HSM", classes::GUID_DEVCLASS_FSFILTER_HSM),
    ("compression", "FSFilter Compression", 160_000..=169_999, "Compression", classes::GUID_DEVCLASS_FSFILTER_COMPRESSION),
    ("encryption", "FSFilter Encryption", 140_000..=149_999, "Encryption", classes::GUID_DEVCLASS_FSFILTER_ENCRYPTION),
    ("virtualization", "FSFilter Virtualization", 130_000..=139_999, "Virtualization", classes::GUID_DEVCLASS_FSFILTER_VIRTUALIZATION),
    ("physical-quota-management", "FSFilter Physical Quota Management", 120_000..=129_999, "PhysicalQuotaManagement", classes::GUID_DEVCLASS_FSFILTER_PHYSICALQUOTAMANAGEMENT),
    ("open-file", "FSFilter Open File", 100_000..=109_999, "OpenFileBackup", classes::GUID_DEVCLASS_FSFILTER_OPENFILEBACKUP),
    ("security-enhancer", "FSFilter Security Enhancer", 80_000..=89_999, "SecurityEnhancer", classes::GUID_DEVCLASS_FSFILTER_SECURITYENHANCER),
    ("copy-protection", "FSFilter Copy Protection", 60_000..=69_999, "CopyProtection", classes::GUID_DEVCLASS_FSFILTER_COPYPROTECTION),
];

const NEW: &str = "DefaultInstall.NT$ARCH$.10.0...25952";
const OLD: &str = "DefaultInstall.NT$ARCH$";
const UNINSTALL: &str = "DefaultUninstall.NT$ARCH$";

fn inf(answers: &[(&str, &str)]) -> Inf {
    let (_place, project) = emit(answers);
    Inf::read(&read(&project, "my_filter.inx"))
}

fn braced(guid: &GUID) -> String {
    let tail = guid.data4[2..]
        .iter()
        .fold(0_u64, |tail, byte| tail << 8 | u64::from(*byte));
    format!(
        "{{{:08x}-{:04x}-{:04x}-{:02x}{:02x}-{tail:012x}}}",
        guid.data1, guid.data2, guid.data3, guid.data4[0], guid.data4[1]
    )
}

/// The service-install sections of the two install sections.
fn services(inf: &Inf) -> [String; 2] {
    [NEW, OLD].map(|install| {
        inf.values(&format!("{install}.Services"), "AddService")
            .unwrap()[2]
            .clone()
    })
}

/// The values below the service's key: path, name, type and value.
fn registry(inf: &Inf, service: &str) -> Vec<[String; 4]> {
    inf.entries(&inf.value(service, "AddReg"))
        .into_iter()
        .map(|entry| {
            let [root, path, name, kind, value] = <[String; 5]>::try_from(entry).unwrap();
            assert_eq!(root, "HKR");
            [path, name, kind, value]
        })
        .collect()
}

#[test]
fn groups_classes_and_altitudes_belong_together() {
    let options = xtask::options::declared().unwrap();
    let option = options
        .into_iter()
        .find(|option| option.name == "load_order_group")
        .unwrap();
    let xtask::options::Kind::Choice(choices) = option.kind else {
        panic!("{option:?}")
    };
    let declared: Vec<String> = choices.into_iter().map(|choice| choice.value).collect();
    assert_eq!(
        declared,
        GROUPS.iter().map(|group| group.0).collect::<Vec<_>>()
    );

    for (option, name, range, class, guid) in GROUPS {
        for altitude in [
            "auto".to_owned(),
            range.start().to_string(),
            format!("{}.5", range.end()),
        ] {
            let inf = inf(&[("load_order_group", option), ("altitude", &altitude)]);
            assert_eq!(inf.value("Version", "Class"), class);
            assert_eq!(inf.value("Version", "ClassGuid"), braced(&guid), "{option}");
            for service in services(&inf) {
                assert_eq!(inf.value(&service, "LoadOrderGroup"), name);
                let written = registry(&inf, &service)
                    .into_iter()
                    .find(|entry| entry[1] == "Altitude")
                    .unwrap()[3]
                    .clone();
                let integer: u32 = written.split('.').next().unwrap().parse().unwrap();
                assert!(
                    range.contains(&integer),
                    "{written} is not in the range of {name}"
                );
                if altitude != "auto" {
                    assert_eq!(written, altitude);
                }
            }
        }
        // Just outside.
        for outside in [
            format!("{}.9", range.start() - 1),
            (range.end() + 1).to_string(),
        ] {
            let answers = [("load_order_group", option), ("altitude", outside.as_str())];
            let refused = xtask::new::emit("my-filter", &answers, folder().path())
                .unwrap_err()
                .to_string();
            assert!(
                refused.starts_with(&format!(
                    "{outside} cannot be the altitude: {name} has the range "
                )),
                "{refused}"
            );
        }
    }
}

/// The hook's own function, on many names.
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
        assert!(drafts.insert(draft), "the draft of {name} is another's too");
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
        said.split_once(" altitude ")
            .unwrap()
            .1
            .split_once(".\n")
            .unwrap()
            .0
            .to_owned()
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

/// The codes of `InfVerif` stand at the rules that it checks.
#[test]
fn it_is_a_primitive_driver() {
    for error_log in ["event-log", "debugger"] {
        let inf = inf(&[("error_log", error_log)]);
        assert_eq!(
            inf.value("Version", "Signature").to_lowercase(),
            "$windows nt$"
        ); // 1001
        assert_eq!(inf.value("Version", "CatalogFile"), "my_filter.cat"); // 1214, 1233
        assert_eq!(inf.value("Version", "PnpLockdown"), "1"); // 1324
        assert_eq!(inf.value("Version", "DriverVer"), ""); // stampinf writes it
        assert_eq!(inf.value("Version", "Provider"), "Example Company"); // 1234

        let names: Vec<String> = inf
            .sections
            .iter()
            .map(|section| section.name.to_lowercase())
            .collect();
        let unique: BTreeSet<&String> = names.iter().collect();
        assert_eq!(unique.len(), names.len(), "1209: a section twice");
        assert!(
            names.iter().all(|name| !name.starts_with("manufacturer")),
            "1420"
        );
        for name in &names {
            if name.starts_with("default") {
                // 1421, 1423
                assert!(
                    name.starts_with("defaultinstall.nt$arch$")
                        || name.starts_with("defaultuninstall.nt$arch$"),
                    "{name}"
                );
            }
        }
        assert_eq!(inf.value(UNINSTALL, "LegacyUninstall"), "1"); // 1422

        // 1230, 1322, 1205: what is copied is there, goes to the driver store, and is not deleted by the same list.
        for install in [NEW, OLD] {
            let list = inf.value(install, "CopyFiles");
            assert_eq!(inf.value("DestinationDirs", &list), "13");
            assert_eq!(inf.entries(&list), [["my_filter.sys"]]);
            assert!(
                inf.values(UNINSTALL, "DelFiles")
                    .is_none_or(|deleted| !deleted.contains(&list))
            );
        }
        let disk = inf.value("SourceDisksFiles", "my_filter.sys");
        assert!(!inf.value("SourceDisksNames", &disk).is_empty());

        for service in services(&inf) {
            assert_eq!(inf.value(&service, "ServiceBinary"), r"%13%\my_filter.sys"); // 2084, 2085
            assert_eq!(inf.value(&service, "DisplayName"), "my_filter");
            assert_eq!(inf.value(&service, "ServiceType"), "2");
            assert_eq!(inf.value(&service, "ErrorControl"), "1");
            assert_eq!(inf.value(&service, "Dependencies"), "FltMgr");
        }
    }
}

#[test]
fn every_section_and_every_string_is_used() {
    for error_log in ["event-log", "debugger"] {
        let inf = inf(&[("error_log", error_log)]);
        let mut used: BTreeSet<String> = [
            "Version",
            "SourceDisksNames",
            "SourceDisksFiles",
            "DestinationDirs",
            "Strings",
        ]
        .map(str::to_owned)
        .into();
        for install in [NEW, OLD, UNINSTALL] {
            used.extend([install.to_owned(), format!("{install}.Services")]);
        }
        for install in [NEW, OLD] {
            used.insert(inf.value(install, "CopyFiles"));
            let service = inf
                .values(&format!("{install}.Services"), "AddService")
                .unwrap();
            for section in &service[2..] {
                used.extend([section.clone(), inf.value(section, "AddReg")]);
            }
        }
        let there: BTreeSet<String> = inf
            .sections
            .iter()
            .map(|section| section.name.clone())
            .collect();
        assert_eq!(there, used, "1203 or 2083");

        let text: String = inf
            .sections
            .iter()
            .filter(|section| section.name != "Strings")
            .flat_map(|section| section.lines.clone())
            .collect();
        for name in inf.string_names() {
            assert!(
                text.to_lowercase().contains(&format!("%{name}%")),
                "{name} is not used"
            );
        }
    }
}

#[test]
fn settings_are_below_parameters_in_both_layouts() {
    let inf = inf(&[("parameters", "true")]);
    for service in services(&inf) {
        let values = registry(&inf, &service);
        for (name, default) in [("AttachToNetwork", "1"), ("MaximumInstances", "1024")] {
            let expected = ["Parameters", name, "0x00010001", default];
            assert!(values.iter().any(|value| *value == expected), "{values:?}");
        }
    }
}

/// An offloaded copy is a pair of file-system controls: who filters reads or writes and not those does not see it.
#[test]
fn features_follow_from_the_operations() {
    for (operations, features) in [
        ("create", "0x3"),
        ("read", "0x2"),
        ("write", "0x1"),
        ("read,write", "0x0"),
        ("read,write,file-system-control", "0x3"),
    ] {
        let inf = inf(&[("operations", operations)]);
        for service in services(&inf) {
            let values = registry(&inf, &service);
            let declared = values.iter().find(|value| value[1] == "SupportedFeatures");
            assert_eq!(declared.unwrap()[3], features, "{operations}");
        }
    }
}

#[test]
fn instances_are_where_the_filter_manager_of_the_version_looks() {
    for (attach, flags) in [("automatic", "0x0"), ("manual", "0x1")] {
        let inf = inf(&[("attach", attach), ("altitude", "370030.5")]);
        for (service, parameters, instances) in services(&inf)
            .into_iter()
            .zip([("Parameters", r"Parameters\Instances"), ("", "Instances")])
            .map(|(service, (one, other))| (service, one, other))
        {
            let instance = format!(r"{instances}\my_filter");
            let expected = [
                [parameters, "SupportedFeatures", "0x00010001", "0x3"],
                [instances, "DefaultInstance", "0x00000000", "my_filter"],
                [&instance, "Altitude", "0x00000000", "370030.5"],
                [&instance, "Flags", "0x00010001", flags],
            ];
            assert_eq!(registry(&inf, &service), expected);
        }
    }
}

#[test]
fn start_types_are_numbers() {
    for (start_type, number) in [
        ("boot", "0"),
        ("system", "1"),
        ("auto", "2"),
        ("demand", "3"),
    ] {
        let inf = inf(&[("start_type", start_type)]);
        for service in services(&inf) {
            assert_eq!(inf.value(&service, "StartType"), number);
        }
    }
}

#[test]
fn the_event_source_comes_and_goes_with_the_event_log() {
    let with = inf(&[]);
    for install in [NEW, OLD] {
        let service = with
            .values(&format!("{install}.Services"), "AddService")
            .unwrap();
        assert_eq!(service[0], "my_filter");
        assert_eq!(service[1], "");
        assert_eq!(
            with.entries(&with.value(&service[3], "AddReg")),
            [
                [
                    "HKR",
                    "",
                    "EventMessageFile",
                    "0x00020000",
                    r"%SystemRoot%\System32\IoLogMsg.dll;%13%\my_filter.sys"
                ],
                ["HKR", "", "TypesSupported", "0x00010001", "7"],
            ]
        );
    }
    // Stopped first (0x200); the event source goes along (0x4) where there is one.
    let removed = |inf: &Inf| {
        inf.values(&format!("{UNINSTALL}.Services"), "DelService")
            .unwrap()
    };
    assert_eq!(removed(&with), ["my_filter", "0x204"]);

    let without = inf(&[("error_log", "debugger")]);
    for install in [NEW, OLD] {
        assert_eq!(
            without
                .values(&format!("{install}.Services"), "AddService")
                .unwrap()
                .len(),
            3
        );
    }
    assert_eq!(removed(&without), ["my_filter", "0x200"]);
}

#[test]
fn free_text_arrives_unchanged() {
    for text in HOSTILE_TEXTS {
        let inf = inf(&[("provider", text), ("description", text)]);
        assert_eq!(inf.value("Version", "Provider"), text);
        for service in services(&inf) {
            assert_eq!(inf.value(&service, "Description"), text);
        }
    }
    // The longest there is, each character escaped: an INF token has at most 511 characters.
    let text = "\"".repeat(255);
    let inf = inf(&[("provider", &text), ("description", &text)]);
    assert_eq!(inf.value("Version", "Provider"), text);
    assert!(
        inf.sections
            .iter()
            .flat_map(|section| &section.lines)
            .all(|line| line.len() < 550)
    );
}

#[test]
fn it_is_ascii_with_the_line_ends_of_windows() {
    for answers in [
        vec![],
        vec![
            ("error_log", "debugger"),
            ("altitude", "370030"),
            ("provider", PRINTABLE),
            ("description", HOSTILE),
        ],
    ] {
        let (_place, project) = emit(&answers);
        let bytes = fs::read(project.join("my_filter.inx")).unwrap();
        assert!(bytes.is_ascii());
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.ends_with("\r\n"));
        for line in text.split_terminator("\r\n") {
            assert!(
                !line.contains(['\r', '\n', '\t']) && line == line.trim_end(),
                "{line:?}"
            );
        }
        assert!(!text.contains("\r\n\r\n\r\n"), "two empty lines");
        // stampinf replaces it wherever it stands.
        assert!(
            text.lines()
                .filter(|line| line.contains("$ARCH$"))
                .all(|line| line.starts_with("[Default"))
        );
    }
}

/// Wine's INF engine, which takes the file in its own way and installs it into a registry of its own.
#[test]
fn wine_installs_it_as_it_is_meant() {
    let wine = Wine::new();
    for (text, error_log) in [
        ("Plain", "event-log"),
        (HOSTILE, "event-log"),
        (PRINTABLE, "debugger"),
    ] {
        let (_place, project) = emit(&[
            ("provider", text),
            ("description", text),
            ("error_log", error_log),
            ("start_type", "system"),
            ("attach", "manual"),
        ]);
        let inx = read(&project, "my_filter.inx");
        let inf = project.join("my_filter.inf");
        fs::write(&inf, stamped(&inx)).unwrap();
        fs::write(project.join("my_filter.sys"), "").unwrap();

        wine.run(&[
            "rundll32",
            "setupapi,InstallHinfSection",
            "DefaultInstall",
            "132",
            &Wine::path(&inf),
        ]);
        // The service control manager writes some of it in its own time; the altitude's entry comes last.
        let service = query(&wine, |said| said.contains("    Altitude    "));
        for expected in [
            format!("    Description    REG_SZ    {text}"),
            "    DisplayName    REG_SZ    my_filter".to_owned(),
            "    Group    REG_SZ    FSFilter Activity Monitor".to_owned(),
            "    Start    REG_DWORD    0x1".to_owned(),
            "    Type    REG_DWORD    0x2".to_owned(),
            "    ErrorControl    REG_DWORD    0x1".to_owned(),
            "    SupportedFeatures    REG_DWORD    0x3".to_owned(),
            "    DefaultInstance    REG_SZ    my_filter".to_owned(),
            "    Flags    REG_DWORD    0x1".to_owned(),
        ] {
            assert!(
                service.lines().any(|line| line == expected),
                "{expected}\n{service}"
            );
        }
        assert!(service.contains(r"\Instances\my_filter"), "{service}");
        assert!(
            service.contains("    Altitude    REG_SZ    365999."),
            "{service}"
        );
        assert!(service.contains(r"\my_filter.sys"), "{service}");

        wine.run(&[
            "rundll32",
            "setupapi,InstallHinfSection",
            "DefaultUninstall",
            "132",
            &Wine::path(&inf),
        ]);
        let gone = query(&wine, |said| !said.contains("Description"));
        assert!(!gone.contains("Description"), "{gone}");
    }
}

/// A smoke test: Wine's filter manager is a stub, where registering and starting always succeed.
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
    // What is no driver does not start.
    let built = xtask::build::build(&project, xtask::build::Profile::Release).unwrap();
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

/// What stampinf does.
fn stamped(inx: &str) -> String {
    inx.replace("$ARCH$", "amd64")
        .replace("DriverVer   =", "DriverVer   = 11/20/2026,1.0.0.0")
}

const KEY: &str = r"HKLM\System\CurrentControlSet\Services\my_filter";

/// The registry's word on the service, as soon as it is as `settled` says, or after a time.
fn query(wine: &Wine, settled: impl Fn(&str) -> bool) -> String {
    let start = Instant::now();
    loop {
        let said = wine.run(&["reg", "query", KEY, "/s"]);
        if settled(&said) || start.elapsed() > Duration::from_mins(1) {
            return said;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}
