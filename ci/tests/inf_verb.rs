//! `cargo xtask inf`, and the other places where an INF or its version is refused: the package, the build, the script.

mod emitting;

use std::{
    env,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use emitting::{emit, folder, names, read, said, skipped};
use serde_json::Value;
use xtask::checks::tools;
use xtask::commands::inf::reader::{self, Encoding};

fn xtask<S: AsRef<OsStr>>(arguments: &[S]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(arguments)
        .output()
        .unwrap()
}

/// Runs `cargo xtask inf` on a file, without a testbench.toml.
fn judged(file: &Path) -> Output {
    xtask(&[
        OsStr::new("inf"),
        file.as_os_str(),
        OsStr::new("--no-answers"),
    ])
}

/// Runs `cargo xtask inf` and returns its JSON output and its exit status.
fn verdict(arguments: &[&OsStr]) -> (Value, i32) {
    let output = xtask(&[&[OsStr::new("inf"), OsStr::new("--json")], arguments].concat());
    let json = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", said(&output)));
    (json, output.status.code().unwrap())
}

/// The rules and lines of the findings or of the advice, which `list` names.
fn found(verdict: &Value, list: &str) -> Vec<(String, u64)> {
    let findings = verdict[list].as_array().unwrap().iter();
    let found = findings.map(|finding| {
        let rule = finding["rule"].as_str().unwrap();
        (rule.to_owned(), finding["line"].as_u64().unwrap_or(0))
    });
    found.collect()
}

/// The numbers of the lines that contain `part`, from 1.
fn lines(text: &str, part: &str) -> Vec<u64> {
    let lines = (1..).zip(text.lines());
    let found: Vec<_> = lines
        .filter(|(_, line)| line.contains(part))
        .map(|(number, _)| number)
        .collect();
    assert!(!found.is_empty(), "not found: {part}");
    found
}

/// Runs `cargo xtask inf` on a file with this text.
fn of_text(text: &str) -> (Value, i32) {
    of_bytes(text.as_bytes())
}

fn of_bytes(bytes: &[u8]) -> (Value, i32) {
    let place = folder();
    let file = place.path().join("a filter.inf");
    fs::write(&file, bytes).unwrap();
    verdict(&[file.as_os_str(), OsStr::new("--no-answers")])
}

fn has(found: &[(String, u64)], rule: &str, line: u64) -> bool {
    found.contains(&(rule.to_owned(), line))
}

// ---------------------------------------------------------------------------------------------------------------------
// An emitted INX that its author changed

#[test]
fn an_emitted_inx_has_no_findings_and_no_advice() {
    let (_place, project) = emit(&[]);
    let (verdict, status) = verdict(&[project.join("my_filter.inx").as_os_str()]);
    assert_eq!(status, 0, "{verdict:#}");
    assert!(found(&verdict, "findings").is_empty(), "{verdict:#}");
    assert!(found(&verdict, "advice").is_empty(), "{verdict:#}");
    // The INX was compared with the project's testbench.toml.
    let answers = verdict["answers"].as_str().unwrap();
    assert!(answers.ends_with("testbench.toml"), "{answers}");
}

/// The INX, with the instance entries for later systems moved to another section.
fn with_instances_in(heading: &str, inx: &str) -> String {
    let is_moved = |line: &str| line.starts_with(r#"HKR,"Parameters\Instances"#);
    let (moved, kept): (Vec<_>, Vec<_>) = inx.split("\r\n").partition(|line| is_moved(line));
    let entries = format!("{heading}\r\n{}", moved.join("\r\n"));
    // Comments replace the moved lines, so that the numbers of later lines do not change.
    let kept = kept.join("\r\n").replace(
        "\r\n; Windows 10 version",
        "\r\n;\r\n;\r\n;\r\n; Windows 10 version",
    );
    kept.replacen(heading, &entries, 1)
}

#[test]
fn moved_instances_and_another_group_are_found_with_their_lines() {
    let (_place, project) = emit(&[("altitude", "370030.5")]);
    let file = project.join("my_filter.inx");
    let good = read(&project, "my_filter.inx");
    let group = "LoadOrderGroup = \"FSFilter Activity Monitor\"";
    let [later, earlier] = lines(&good, group)[..] else {
        panic!("{good}")
    };

    let default = "\"DefaultInstance\"";
    let [later_default, earlier_default] = lines(&good, default)[..] else {
        panic!("{good}")
    };
    let earlier_list = lines(&good, "AddReg         = ")[1];
    let of_install = good
        .replace("AddReg         = Driver.Registry\r\n", "\r\n")
        .replace(
            "25952]\r\nCopyFiles",
            "25952]\r\nAddReg = Driver.Registry\r\nCopyFiles",
        );
    let [of_event_source, of_event_log] = ["[EventLog.Registry]", "[Driver.EventLog]"]
        .map(|heading| with_instances_in(heading, &good));

    // Each case: the INX, the line of the finding of `instances`, and the line of the group that is changed.
    for (moved, line, which) in [
        (
            good.replace(r#"HKR,"Parameters\Instances"#, r#"HKR,"Instances"#),
            later_default,
            earlier,
        ),
        (
            good.replace(r#"HKR,"Instances"#, r#"HKR,"Parameters\Instances"#),
            earlier_default,
            later,
        ),
        (
            good.replace(r#"HKR,"Instances"#, r#"HKR,"Settings\Instances"#),
            earlier_list,
            later,
        ),
        // The install section names the registry section, and the service no longer does.
        (
            of_install.clone(),
            lines(&of_install, default)[0],
            lines(&of_install, group)[1],
        ),
        // The entries are in the registry section of the event source, and in a section that cannot have such entries.
        (
            of_event_source.clone(),
            lines(&of_event_source, default)[1],
            earlier,
        ),
        (
            of_event_log.clone(),
            lines(&of_event_log, default)[1],
            earlier,
        ),
    ] {
        assert_ne!(moved, good);
        let number = usize::try_from(which).unwrap();
        let mut text: Vec<_> = moved.split("\r\n").collect();
        assert_eq!(text[number - 1], group);
        text[number - 1] = "LoadOrderGroup = \"FSFilter Anti-Virus\"";
        fs::write(&file, text.join("\r\n")).unwrap();

        let (verdict, status) = verdict(&[file.as_os_str()]);
        assert_eq!(status, 1);
        let findings = found(&verdict, "findings");
        assert!(has(&findings, "instances", line), "{line}: {verdict:#}");
        assert!(has(&findings, "load-order-group", which), "{verdict:#}");
        if line == earlier_default {
            for part in ["\"Altitude\"", "\"Flags\""] {
                assert!(
                    has(&findings, "instances", lines(&good, part)[1]),
                    "{verdict:#}"
                );
            }
        }
        for (rule, _) in &findings {
            let known = ["instances", "load-order-group", "parameters-key"];
            assert!(known.contains(&rule.as_str()), "{verdict:#}");
        }

        // The text output has the file and the line, the rule, and the sentence.
        let output = xtask(&[OsStr::new("inf"), file.as_os_str()]);
        assert_eq!(output.status.code(), Some(1));
        let said = said(&output);
        for part in [
            format!("{}:{which}", file.display()),
            format!("{}:{line}", file.display()),
            "finding load-order-group".to_owned(),
            "the class ActivityMonitor belongs to the group FSFilter Activity Monitor, and not to FSFilter Anti-Virus"
                .to_owned(),
            "finding instances".to_owned(),
        ] {
            assert!(said.contains(&part), "{part}\n{said}");
        }
    }
}

#[test]
fn a_code_is_reported_as_seen_or_documented() {
    let (_place, project) = emit(&[]);
    let file = project.join("my_filter.inx");
    let text = read(&project, "my_filter.inx")
        .replace("PnpLockdown = 1\r\n", "")
        .replace("$WINDOWS NT$", "$WINDOWS 95$");
    fs::write(&file, text).unwrap();
    let (verdict, _) = verdict(&[file.as_os_str()]);
    let findings = verdict["findings"].as_array().unwrap();
    let code = |rule: &str| {
        let finding = findings.iter().find(|it| it["rule"] == rule).unwrap();
        finding["infverif"].clone()
    };
    assert_eq!(
        code("pnp-lockdown"),
        serde_json::json!({ "number": 1324, "seen": true })
    );
    assert_eq!(
        code("signature"),
        serde_json::json!({ "number": 1001, "seen": false })
    );
    let said = said(&judged(&file));
    assert!(said.contains("1324, seen\n"), "{said}");
    assert!(said.contains("1001, documented and not seen\n"), "{said}");
}

// ---------------------------------------------------------------------------------------------------------------------
// Comparison with testbench.toml

#[test]
fn an_inf_is_compared_with_testbench_toml() {
    let (_place, project) = emit(&[("operations", "read")]);
    let inx = project.join("my_filter.inx");
    let other = |edits: &[(&str, &str)]| {
        let text = read(&project, "testbench.toml");
        let text = edits.iter().fold(text, |text, (from, to)| {
            assert!(text.contains(from), "{text}");
            text.replace(from, to)
        });
        let file = project.join("other.toml");
        fs::write(&file, text).unwrap();
        let answers = [inx.as_os_str(), OsStr::new("--answers"), file.as_os_str()];
        verdict(&answers)
    };
    let text = read(&project, "my_filter.inx");
    let services = lines(&text, "AddService = ");
    let binaries = lines(&text, "ServiceBinary ");
    let features = lines(&text, "\"SupportedFeatures\"");
    for (edit, rule, where_) in [
        (
            ("driver = \"my_filter\"", "driver = \"filter\""),
            "expected-driver",
            [services.clone(), binaries].concat(),
        ),
        (
            ("error-log = \"event-log\"", "error-log = \"debugger\""),
            "expected-error-log",
            services,
        ),
        (
            (
                "operations = [\"read\"]",
                "operations = [\"read\", \"write\"]",
            ),
            "expected-operations",
            features,
        ),
    ] {
        let (good, status) = other(&[]);
        assert_eq!(status, 0, "{good:#}");
        let (verdict, status) = other(&[edit]);
        assert_eq!(status, 1, "{verdict:#}");
        let findings = found(&verdict, "findings");
        assert!(
            findings.iter().all(|(found, _)| found == rule),
            "{verdict:#}"
        );
        let mut lines: Vec<_> = findings.iter().map(|(_, line)| *line).collect();
        let mut expected = where_;
        lines.sort_unstable();
        expected.sort_unstable();
        assert_eq!(lines, expected, "{verdict:#}");
    }

    // Conversely, a driver that logs errors has an event source.
    let (_place, project) = emit(&[("error_log", "debugger")]);
    let answers = project.join("testbench.toml");
    let text = read(&project, "testbench.toml").replace("debugger", "event-log");
    fs::write(&answers, text).unwrap();
    let inx = project.join("my_filter.inx");
    let (verdict, status) = verdict(&[inx.as_os_str()]);
    assert_eq!(status, 1);
    let findings = found(&verdict, "findings");
    assert_eq!(findings.len(), 2, "{verdict:#}");
    assert_eq!(findings[0].0, "expected-error-log");
    // Without testbench.toml, there are no findings.
    assert_eq!(judged(&inx).status.code(), Some(0));
}

// ---------------------------------------------------------------------------------------------------------------------
// An INF of another project

/// An INF in the style of Microsoft's samples: tabs, comments, mixed case, entries that continue on the next line,
/// string tokens, several instances, another destination for earlier systems, and a program besides the driver.
const FOREIGN: &str = r#"; a filter that somebody else wrote
[version]
signature	= "$Windows NT$"
Class		= "ContentScreener"	; a class
ClassGuid	= {3E3F0674-C83C-4558-BB26-9820E1EBA5C5}
Provider	= %ProviderString%
DriverVer	= 06/16/2025,1.0.0.0
CatalogFile	= watcher.cat
CatalogFile.NTarm64	= watcher64.cat
PNPLOCKDOWN	= 1

[DESTINATIONDIRS]
DefaultDestDir			= 13
Watcher.UserFiles		= 13,tools
WatcherDownlevel.CopyFiles	= 12
WatcherDownlevel.DelFiles	= 12

[SourceDisksNames]
1 = %DiskId1%,,,""

[SourceDisksFiles]
Watcher.sys	= 1,,
watch.exe	= 1,\tools

[DefaultInstall.NTamd64.10.0...25952]
OptionDesc	= %ServiceDescription%
CopyFiles	= Watcher.DriverFiles, \ ; the driver
		  Watcher.UserFiles

[defaultinstall.ntAMD64.10.0...25952.services]
addservice	= %ServiceName%,0x800,Watcher.Service
AddService	= watchhelper,,Helper.Service

[Watcher.Service]
DisplayName	= %ServiceName%
Description	= %ServiceDescription%
ServiceBinary	= %13%\%DriverName%.sys
Dependencies	= "FltMgr", RpcSs
ServiceType	= 0x00000002
StartType	= 0x3
ErrorControl	= 1
LoadOrderGroup	= "FSFilter Content Screener"
AddReg		= Watcher.AddRegistry

[Helper.Service]
DisplayName	= "Watch helper"
ServiceBinary	= %13%\tools\watch.exe
ServiceType	= 0x10
StartType	= 3
ErrorControl	= 1
RequiredPrivileges = SeChangeNotifyPrivilege
FailureActions	= Helper.Actions

[Helper.Actions]
ResetPeriod	= 86400
Action		= 1,60000
Action		= 0,0

[Watcher.AddRegistry]
HKR,"Parameters"	,"DebugFlags",0x00010001 ,0x0
HKR,"Parameters","SupportedFeatures",0x00010001,0x3
HKR,"Parameters","Extensions",0x00010000,"exe","doc",,"xls"
HKR,"Parameters","Salt",0x00000001,1f,2,AB
HKR,"Parameters","Altitude",0x00010001,8000
HKR,"Parameters\Instances","DefaultInstance",0x00000000,%DefaultInstance%
HKR,"Parameters\Instances\"%Instance1.Name%,"Altitude",,%Instance1.Altitude%
HKR,"Parameters\Instances\"%Instance1.Name%,"Flags",0x00010001,%Instance1.Flags%
HKR,"Parameters\Instances\"%Instance2.Name%,"Altitude",0x00000000,%Instance2.Altitude%
HKR,"Parameters\Instances\"%Instance2.Name%,"Flags",0x00010001,%Instance2.Flags%

[DefaultInstall.NTamd64]
OptionDesc	= %ServiceDescription%
CopyFiles	= WatcherDownlevel.CopyFiles
CopyFiles	= @watch.exe

[DefaultInstall.NTamd64.Services]
AddService	= %ServiceName%,,WatcherDownlevel.Service

[DefaultInstall.NTamd64.Events]
AddEventProvider = {071acb53-ccfb-42e0-9a68-5336b7301507},Watcher.Events

[Watcher.Events]
ProviderName	= Watcher
ResourceFile	= %13%\watch.exe

[WatcherDownlevel.Service]
DisplayName	= %ServiceName%
Description	= %ServiceDescription%
ServiceBinary	= %12%\%DriverName%.sys
Dependencies	= "FltMgr","RpcSs"
ServiceType	= 2
StartType	= 3
ErrorControl	= 1
LoadOrderGroup	= "FSFilter Content Screener"
AddReg		= WatcherDownlevel.AddRegistry

[WatcherDownlevel.AddRegistry]
HKR,,"DebugFlags",0x00010001 ,0x0
HKR,,"SupportedFeatures",0x00010001,0x3
HKR,"Instances","DefaultInstance",0x00000000,%DefaultInstance%
HKR,"Instances\"%Instance1.Name%,"Altitude",0x00000000,%Instance1.Altitude%
HKR,"Instances\"%Instance1.Name%,"Flags",0x00010001,%Instance1.Flags%
HKR,"Instances\"%Instance2.Name%,"Altitude",0x00000000,%Instance2.Altitude%
HKR,"Instances\"%Instance2.Name%,"Flags",0x00010001,%Instance2.Flags%

[DefaultUninstall.NTamd64]
LegacyUninstall = 1
DelFiles	= WatcherDownlevel.DelFiles

[DefaultUninstall.NTamd64.Services]
DelService	= %ServiceName%,0x200

[Watcher.DriverFiles]
%DriverName%.sys

[Watcher.UserFiles]
watch.exe

[WatcherDownlevel.CopyFiles]
%DriverName%.sys

[WatcherDownlevel.DelFiles]
%DriverName%.sys

[Strings]
ProviderString	= "Contoso"
ServiceDescription = "Watches; and tells"
ServiceName	= "Watcher"
DriverName	= "watcher"
DiskId1		= "Watcher ""Device"" Installation Disk"
DefaultInstance	= "Watcher - Top Instance"
Instance1.Name	= "Watcher - Top Instance"
Instance1.Altitude = "265000"
Instance1.Flags	= 0x0	; attach
Instance2.Name	= "Watcher - Bottom Instance"
Instance2.Altitude = "261000.75"
Instance2.Flags	= 0x1

[Strings.0407]
ServiceDescription = "Beobachtet"
"#;

#[test]
fn an_inf_of_another_project_has_no_findings() {
    let windows = FOREIGN.replace('\n', "\r\n");
    let german = windows.replace("Beobachtet", "Beobachtet – für Sie");
    let inx = windows
        .replace("NTamd64.10", "NT$ARCH$.10")
        .replace("ntAMD64", "NT$ARCH$")
        .replace("NTamd64", "NT$ARCH$")
        .replace("06/16/2025,1.0.0.0", "");
    for (text, encoding) in [
        (FOREIGN.to_owned(), Encoding::Ansi),
        (windows.clone(), Encoding::Ansi),
        (windows, Encoding::Utf16),
        (german, Encoding::Utf16),
        (inx, Encoding::Utf16),
    ] {
        let (verdict, status) = of_bytes(&reader::encode(&text, encoding));
        assert_eq!(status, 0, "{encoding:?}: {verdict:#}");
        assert!(verdict["answers"].is_null());
        // The files for earlier systems are not copied to the driver store, which is advice and not a finding.
        let advice = found(&verdict, "advice");
        let line = lines(&text, "WatcherDownlevel.CopyFiles\t=")[0];
        assert_eq!(advice, [("driver-store".to_owned(), line)], "{verdict:#}");
    }
}

/// Groups without a documented class have altitude ranges, too.
#[test]
fn altitudes_are_judged_in_groups_without_a_class() {
    let of = |group: &str, altitude: &str| {
        let text = FOREIGN
            .replace("ContentScreener\"", "Ours\"")
            .replace("3E3F0674", "3E3F0675")
            .replace("FSFilter Content Screener", group)
            .replace("265000", altitude)
            .replace("261000.75", altitude);
        of_text(&text)
    };
    for (group, inside, outside) in [
        ("Filter", "420000", "419999"),
        ("FSFilter Top", "409999.5", "410000"),
        ("FSFilter Imaging", "170000", "175001"),
        ("FSFilter Bottom", "40000", "39999"),
        ("fsfilter hsm", "180000", "190000"),
    ] {
        let (verdict, status) = of(group, inside);
        assert_eq!(status, 0, "{verdict:#}");
        let advice = found(&verdict, "advice");
        assert!(
            advice.iter().any(|(rule, _)| rule == "filter-class"),
            "{verdict:#}"
        );
        let (verdict, status) = of(group, outside);
        assert_eq!(status, 1, "{verdict:#}");
        let findings = found(&verdict, "findings");
        assert!(
            findings.len() == 4 && findings.iter().all(|(rule, _)| rule == "altitude"),
            "{verdict:#}"
        );
    }
    let (verdict, _) = of("FSFilter Nothing", "370000");
    let findings = found(&verdict, "findings");
    assert!(
        findings.iter().all(|(rule, _)| rule == "load-order-group"),
        "{verdict:#}"
    );
}

/// "Creating an INF File for a Minifilter Driver" has one install section for all systems, with the instances below
/// Parameters. Older drivers have one section with the instances in the key of the service.
#[test]
fn one_section_may_have_either_layout() {
    let [later, earlier] = [
        "[DefaultInstall.NTamd64.10.0...25952]",
        "[DefaultInstall.NTamd64]",
    ]
    .map(|heading| FOREIGN.find(heading).unwrap());
    let end = FOREIGN.find("[DefaultInstall.NTamd64.Events]").unwrap();
    let below = [&FOREIGN[..earlier], &FOREIGN[end..]]
        .concat()
        .replace("NTamd64.10.0...25952", "NTamd64")
        .replace("ntAMD64.10.0...25952", "NTamd64");
    let beside = [&FOREIGN[..later], &FOREIGN[earlier..]].concat();
    for text in [&below, &beside] {
        let (verdict, _) = of_text(text);
        let findings = found(&verdict, "findings");
        // The sections that the removed install section named are unused.
        assert!(
            findings.iter().all(|(rule, _)| rule == "sections-used"),
            "{verdict:#}"
        );
        let advice = found(&verdict, "advice");
        assert!(
            advice.iter().any(|(rule, _)| rule == "layouts"),
            "{verdict:#}"
        );
        // Instances in any other key are a finding.
        let moved = text.replace("Instances\"", "Elsewhere\"");
        let (verdict, status) = of_text(&moved);
        assert_eq!(status, 1);
        let findings = found(&verdict, "findings");
        assert!(
            findings.iter().any(|(rule, _)| rule == "instances"),
            "{verdict:#}"
        );
    }
}

/// stampinf fills in the version, also in an INX for one architecture.
#[test]
fn an_inx_may_leave_its_version_to_stampinf() {
    let text = FOREIGN.replace("06/16/2025,1.0.0.0", "");
    let place = folder();
    for (name, status) in [("watcher.inx", 0), ("watcher.INX", 0), ("watcher.inf", 1)] {
        let file = place.path().join(name);
        fs::write(&file, &text).unwrap();
        let (verdict, found_status) = verdict(&[file.as_os_str(), OsStr::new("--no-answers")]);
        assert_eq!(found_status, status, "{name}: {verdict:#}");
    }
}

#[test]
fn a_finding_in_an_inf_of_another_project_has_its_line() {
    for (from, to, rule, part) in [
        // Of two entries that do not match, the finding has the line of the second.
        (
            "Class\t\t= \"ContentScreener\"",
            "Class = \"AntiVirus\"",
            "class",
            "ClassGuid",
        ),
        ("= 13,tools", "= 13,programs", "destinations", "13,programs"),
        (
            "ServiceBinary\t= %12%",
            "ServiceBinary\t= %11%",
            "service-binary",
            "%11%",
        ),
        (
            "\"FltMgr\",\"RpcSs\"",
            "\"RpcSs\"",
            "service-kind",
            "= \"RpcSs\"",
        ),
        (
            "ServiceType\t= 0x00000002",
            "ServiceType\t= 0x1",
            "service-kind",
            "= 0x1\n",
        ),
        (
            "\"261000.75\"",
            "\"365000\"",
            "altitude",
            "Instances\\\"%Instance2.Name%,\"Altitude\"",
        ),
        (
            "0x00000001,1f,2,AB",
            "0x00000001,1f,200",
            "registry-types",
            "1f,200",
        ),
        (
            "HKR,\"Parameters\"\t,\"DebugFlags\"",
            "HKR,,\"DebugFlags\"",
            "parameters-key",
            "HKR,,\"DebugFlags\"",
        ),
        ("= 0x0\t; attach", "= 0x8", "instances", "%Instance1.Flags%"),
        (
            "Watcher.Events\n\n",
            "Other.Events\n\n",
            "sections-used",
            "[Watcher.Events]",
        ),
        (
            "Dependencies\t= \"FltMgr\", RpcSs\n",
            "",
            "service-kind",
            "[Watcher.Service]",
        ),
        ("06/16/2025", "16/06/2025", "driver-version", "16/06/2025"),
        ("%DiskId1%", "%DiskId2%", "string-defined", "%DiskId2%"),
        (
            "[Watcher.UserFiles]\n",
            "[Watcher.UserFiles]\nhelp.chm\n",
            "sources",
            "help.chm",
        ),
        (
            "WatcherDownlevel.DelFiles\t= 12",
            "WatcherDownlevel.DelFiles\t= 13",
            "deleted-files",
            "[WatcherDownlevel.DelFiles]",
        ),
    ] {
        assert!(FOREIGN.contains(from), "{from}");
        let text = FOREIGN.replacen(from, to, 1);
        let (verdict, status) = of_text(&text);
        assert_eq!(status, 1, "{to}: {verdict:#}");
        let findings = found(&verdict, "findings");
        let lines = lines(&text, part.trim_end());
        assert!(
            lines.iter().any(|line| has(&findings, rule, *line)),
            "{rule} in one of {lines:?}: {verdict:#}"
        );
    }
}

/// A line that cannot be read does not hide the findings in other lines.
#[test]
fn all_findings_are_reported_at_once() {
    let text = FOREIGN
        .replace("[SourceDisksNames]", "[SourceDisksNames")
        .replace("%ProviderString%", "100% Contoso")
        .replace("PNPLOCKDOWN\t= 1", "<<<<<<< ours\nPnpLockdown = 0")
        .replace("= \"FSFilter Content Screener\"", "= \"Boot Bus Extender\"");
    let (verdict, _) = of_text(&text);
    let findings = found(&verdict, "findings");
    for (rule, part) in [
        ("line", "[SourceDisksNames"),
        ("percent-signs", "100%"),
        ("line", "<<<<<<<"),
        ("pnp-lockdown", "PnpLockdown"),
        ("load-order-group", "Boot Bus Extender"),
    ] {
        for line in lines(&text, part) {
            assert!(has(&findings, rule, line), "{rule} {line}: {verdict:#}");
        }
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// Files that are not an INF

#[test]
fn a_file_that_is_not_an_inf_is_refused_in_a_sentence() {
    let place = folder();
    let path = |name: &str| place.path().join(name);
    let files: [(&str, &[u8], &str); 6] = [
        (
            "empty.inf",
            b"",
            "cannot be read as an INF: it has no [Version] section, which every INF has",
        ),
        (
            "program.sys",
            b"MZ\x90\0\x03\0\0\0",
            "cannot be read as an INF: it contains NUL bytes: an INF is a text file, and UTF-16 begins with a byte order mark",
        ),
        (
            "settings.ini",
            b"[General]\nVersion=1\n",
            "cannot be read as an INF: it has no [Version] section, which every INF has",
        ),
        (
            "big.inf",
            b"\xfe\xff\0[\0V",
            "cannot be read as an INF: it is big-endian UTF-16: save it as little-endian UTF-16 with a byte order mark",
        ),
        (
            "half.inf",
            b"\xff\xfe[\0V",
            "cannot be read as an INF: it is UTF-16 with an odd number of bytes",
        ),
        (
            "odd.inf",
            b"\xff\xfe[\0\x00\xd8]\0",
            "cannot be read as an INF: it begins as UTF-16 but is not valid UTF-16: unpaired surrogate found: d800",
        ),
    ];
    for (name, bytes, sentence) in files {
        fs::write(path(name), bytes).unwrap();
        let output = judged(&path(name));
        assert_eq!(output.status.code(), Some(2), "{name}");
        let expected = format!("error: {} {sentence}\n", path(name).display());
        assert_eq!(said(&output), expected);
    }
    for (name, reason) in [("missing.inf", "No such file"), (".", "Is a directory")] {
        let output = judged(&path(name));
        assert_eq!(output.status.code(), Some(2), "{name}");
        let said = said(&output);
        assert!(
            said.contains("cannot be read") && said.contains(reason),
            "{said}"
        );
    }
    let answers = path("missing.toml");
    fs::write(path("good.inf"), FOREIGN).unwrap();
    let output = xtask(&[
        OsStr::new("inf"),
        path("good.inf").as_os_str(),
        OsStr::new("--answers"),
        answers.as_os_str(),
    ]);
    assert_eq!(output.status.code(), Some(2));
    let said = said(&output);
    assert!(said.contains("missing.toml cannot be read"), "{said}");
}

/// A file with any bytes is judged or refused, and control characters are escaped for the terminal.
#[test]
fn damaged_files_are_judged_or_refused() {
    let mut random = fastrand::Rng::with_seed(1);
    let bytes = FOREIGN.as_bytes();
    let mut judged_files = 0;
    for _ in 0..500 {
        let mut text = bytes.to_vec();
        for _ in 0..random.usize(1..20) {
            let at = random.usize(0..text.len());
            match random.u8(0..20) {
                0 => text.truncate(at.max(1)),
                1..5 => {
                    let end = text.len().min(at + random.usize(0..100));
                    drop(text.drain(at.max(1)..end.max(at.max(1))));
                }
                5..10 => text[at] = random.u8(1..),
                _ => {
                    let marks = b"\"%[]=,;\\.\n\x1b";
                    text.insert(at, marks[random.usize(0..marks.len())]);
                }
            }
        }
        if let Ok(inf) = reader::Inf::decode(&text) {
            judged_files += 1;
            for finding in xtask::commands::inf::broken_rules(&inf) {
                let last = inf.text.lines().count().max(1);
                assert!(finding.line.is_none_or(|line| (1..=last).contains(&line)));
            }
        }
    }
    assert!(judged_files > 300, "{judged_files}");

    let place = folder();
    let file = place.path().join("x.inf");
    fs::write(&file, "[Version]\nSignature = \"\x1b[31m\"\n").unwrap();
    let output = judged(&file);
    assert!(!output.stdout.contains(&0x1b));
    assert!(said(&output).contains("\\u{1b}[31m"), "{}", said(&output));
}

#[test]
fn the_rules_are_listed() {
    let output = xtask(&["inf", "--list-rules"]);
    assert_eq!(output.status.code(), Some(0));
    let said = said(&output);
    for rule in xtask::commands::inf::all_rules() {
        assert!(said.contains(&format!(" {}\n", rule.name)), "{}", rule.name);
        assert!(said.contains(rule.asks), "{}", rule.asks);
    }
    assert!(said.contains(&format!("InfVerif {}: ", xtask::commands::inf::INFVERIF)));
    let output = xtask(&["inf"]);
    assert_eq!(output.status.code(), Some(2));
}

// ---------------------------------------------------------------------------------------------------------------------
// The package

/// `cargo xtask build --package`, and the folder of the packages.
fn packaged(project: &Path) -> (Output, PathBuf) {
    let output = xtask(&[
        OsStr::new("build"),
        project.as_os_str(),
        OsStr::new("--release"),
        OsStr::new("--package"),
        OsStr::new("--no-setup"),
    ]);
    (output, project.join("target/package"))
}

fn with_version(project: &Path, version: &str) {
    for name in ["Cargo.toml", "Cargo.lock"] {
        let text = read(project, name);
        let start = text.find("name = \"my-filter\"\nversion = \"").unwrap();
        let from = start + "name = \"my-filter\"\nversion = \"".len();
        let to = from + text[from..].find('"').unwrap();
        fs::write(
            project.join(name),
            [&text[..from], version, &text[to..]].concat(),
        )
        .unwrap();
    }
}

#[test]
fn no_package_is_made_of_an_inx_that_breaks_the_rules() {
    let (_place, project) = emit(&[]);
    let inx = project.join("my_filter.inx");
    let good = read(&project, "my_filter.inx");
    let (output, packages) = packaged(&project);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(names(&packages), ["my-filter-0.1.0-amd64-release"]);

    // An INX in UTF-16 gives an INF in UTF-16.
    fs::write(&inx, reader::encode(&good, Encoding::Utf16)).unwrap();
    let (output, _) = packaged(&project);
    assert!(output.status.success(), "{}", said(&output));
    let inf = packages.join("my-filter-0.1.0-amd64-release/driver/my_filter.inf");
    let (inf, encoding) = reader::decode(&fs::read(inf).unwrap()).unwrap();
    assert_eq!(encoding, Encoding::Utf16);
    assert!(inf.contains("[DefaultInstall.NTamd64]\r\n"), "{inf}");

    // Advice does not prevent a package.
    fs::write(
        &inx,
        good.replace("ErrorControl   = 1", "ErrorControl   = 0"),
    )
    .unwrap();
    let (output, _) = packaged(&project);
    assert!(output.status.success(), "{}", said(&output));

    let broken = good
        .replace(r#"HKR,"Instances"#, r#"HKR,"Parameters\Instances"#)
        .replacen("FSFilter Activity Monitor", "FSFilter Anti-Virus", 1);
    fs::write(&inx, &broken).unwrap();
    let (output, _) = packaged(&project);
    assert_eq!(output.status.code(), Some(2));
    let said = said(&output);
    let at =
        |part: &str, which: usize| format!("{}:{}", inx.display(), lines(&broken, part)[which]);
    for sentence in [
        format!(
            "{}: load-order-group: the class ActivityMonitor belongs to the group FSFilter Activity Monitor, and not to FSFilter Anti-Virus\n",
            at("LoadOrderGroup", 0)
        ),
        format!(
            "{}: instances: DefaultInstance is written to Parameters\\Instances: on the systems of [DefaultInstall.NT$ARCH$], the filter manager reads it from Instances\n",
            at("DefaultInstance", 1)
        ),
        format!("cargo xtask inf {} shows each in full", inx.display()),
    ] {
        assert!(said.contains(&sentence), "{sentence}\n{said}");
    }
    // The package of the earlier build is deleted, because it is not the result of this one.
    assert!(names(&packages).is_empty(), "{:?}", names(&packages));
}

/// The sentence that refuses a version. It is the same in all places.
fn refusal(number: &str, version: &str) -> String {
    format!(
        "{number} in the version {version} is too large: each number of a driver's version must be below 65535"
    )
}

#[test]
fn numbers_of_a_version_are_below_65535() {
    // In an INF of another project.
    let with =
        |version: &str| of_text(&FOREIGN.replace("2025,1.0.0.0", &format!("2025,{version}")));
    for version in ["0.0.0.1", "65534.65534.65534.65534"] {
        assert_eq!(with(version).1, 0, "{version}");
    }
    for (number, version) in [
        ("65535", "65535.0.0.0"),
        ("65536", "1.2.65536.0"),
        ("4294967296", "1.2.3.4294967296"),
    ] {
        let (verdict, status) = with(version);
        assert_eq!(status, 1, "{version}");
        let text = verdict["findings"][0]["text"].as_str().unwrap();
        assert_eq!(
            text,
            format!("[Version] DriverVer: {}", refusal(number, version))
        );
    }
    assert_eq!(with("0.0.0.0").1, 1);

    // In a build: the resource compiler would use only the lower 16 bits of a number.
    let (_place, project) = emit(&[]);
    for (number, version) in [("65535", "1.2.65535"), ("65536", "65536.0.0-rc.1")] {
        with_version(&project, version);
        let (output, packages) = packaged(&project);
        assert_eq!(output.status.code(), Some(2));
        let said = said(&output);
        let sentence = refusal(number, version) + ". Write a smaller one in Cargo.toml.";
        assert!(said.contains(&sentence), "{said}");
        assert!(!packages.exists());
    }
    with_version(&project, "1.65534.3");
    let (output, packages) = packaged(&project);
    assert!(output.status.success(), "{}", said(&output));
    let inf = read(
        &packages,
        "my-filter-1.65534.3-amd64-release/driver/my_filter.inf",
    );
    assert!(inf.contains(",1.65534.3.0\r\n"), "{inf}");

    // If a changed build script accepts the version, the package is still refused.
    let script = read(&project, "build/resources.rs")
        .replace("number.parse::<u64>()? >= 65535", "false")
        .replace("numbers.push(number)", "numbers.push(\"1\".to_owned())");
    fs::write(project.join("build/resources.rs"), script).unwrap();
    for (version, sentence) in [
        ("1.2.65536", refusal("65536", "1.2.65536.0")),
        ("0.0.0", "DriverVer has the version 0.0.0.0".to_owned()),
    ] {
        with_version(&project, version);
        let (output, _) = packaged(&project);
        assert_eq!(output.status.code(), Some(2));
        let said = said(&output);
        assert!(said.contains(&sentence), "{said}");
        let from = format!("the version {version} of Cargo.toml is not valid as DriverVer");
        assert!(said.contains(&from), "{said}");
        let left = names(&packages);
        assert_eq!(left, ["my-filter-1.65534.3-amd64-release"], "{version}");
    }
}

/// Runs the emitted script with a stub of cargo-wdk that only writes an INF with the given version.
#[cfg(unix)]
#[test]
fn the_script_refuses_the_same_versions() {
    use std::os::unix::fs::PermissionsExt as _;

    let refused = [
        ("1.2.65535", refusal("65535", "1.2.65535")),
        ("1.2.65536", refusal("65536", "1.2.65536")),
        ("65536.0.0-rc.1", refusal("65536", "65536.0.0-rc.1")),
        (
            "18446744073709551615.0.0",
            refusal("18446744073709551615", "18446744073709551615.0.0"),
        ),
        (
            "0.0.0",
            "0.0.0 cannot be the version of a driver".to_owned(),
        ),
    ];
    let Some(powershell) = tools::powershell() else {
        skipped(refused.len() + 1, "there is no pwsh in PATH");
        return;
    };
    let path = env::var_os("PATH").unwrap_or_default();
    let (_place, project) = emit(&[]);
    let tools = folder();
    let cargo_wdk = tools.path().join("cargo-wdk");
    fs::write(
        &cargo_wdk,
        "#!/bin/sh\n\
         if [ \"$2\" = --version ]; then echo cargo-wdk 0.2.0; exit; fi\n\
         made=target/x86_64-pc-windows-msvc/release/my_filter_package\n\
         mkdir -p $made\n\
         touch $made/my_filter.sys $made/my_filter.cat $made/my_filter.pdb\n\
         printf 'DriverVer = 11/20/2026,%s\\r\\n' \"$STAMPINF_VERSION\" > $made/my_filter.inf\n",
    )
    .unwrap();
    fs::set_permissions(&cargo_wdk, fs::Permissions::from_mode(0o755)).unwrap();
    let folders = [tools.path().to_owned()].into_iter();
    let path = env::join_paths(folders.chain(env::split_paths(&path))).unwrap();
    let run = |version: &str| {
        with_version(&project, version);
        Command::new(&powershell)
            .args(["-NoProfile", "-NonInteractive", "-File"])
            .arg(project.join("scripts/New-Package.ps1"))
            .arg("-Unsigned")
            .env("PATH", &path)
            .env("NO_COLOR", "1")
            .output()
            .unwrap()
    };
    let one_line = |output: &Output| {
        let said = said(output).replace(['|', '\n'], " ");
        said.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    for (version, sentence) in refused {
        let output = run(version);
        assert!(!output.status.success(), "{version}: {}", said(&output));
        let said = one_line(&output);
        assert!(said.contains(&sentence), "{said}");
        assert!(!project.join("target").exists(), "{version}");
    }
    let output = run("65534.1.2");
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(
        names(&project.join("target/package")),
        ["my-filter-65534.1.2-amd64-release"]
    );
}
