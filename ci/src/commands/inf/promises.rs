//! Compares what an INF installs with what `testbench.toml` of an emitted project promises of the driver.

use testbench::{Expectations, expect::ErrorLog};

use super::{
    answers,
    finding::{Finding, Level, Rule},
    installed::number,
    reader::{Entry, Inf},
    rules::{Install, Package},
};

static DRIVER: Rule = Rule {
    name: "expected-driver",
    level: Level::Must,
    seen: &[],
    documented: &[],
    asks: "The service and its file have the driver's name.",
    document: "testbench.toml",
};
static ERROR_LOG: Rule = Rule {
    name: "expected-error-log",
    level: Level::Must,
    seen: &[],
    documented: &[],
    asks: "A driver that logs errors has an event source, and any other driver has none.",
    document: "testbench.toml",
};
static OPERATIONS: Rule = Rule {
    name: "expected-operations",
    level: Level::Must,
    seen: &[],
    documented: &[],
    asks: "SupportedFeatures declares no offloaded copy that the driver does not see.",
    document: "testbench.toml; Offloaded Data Transfers",
};

/// The rules for differences between an INF and `testbench.toml`.
pub static RULES: [&Rule; 3] = [&DRIVER, &ERROR_LOG, &OPERATIONS];

/// The differences between an INF and what the driver promises. A value is compared only if it is promised and is in
/// the INF; the rules report a missing value.
#[must_use]
pub fn findings(inf: &Inf, promised: &Expectations) -> Vec<Finding> {
    let mut findings = vec![];
    for install in Package::of(inf).installs() {
        if let Some(driver) = &promised.driver {
            names(&install, driver, &mut findings);
        }
        if let Some(log) = promised.error_log {
            event_source(&install, log, &mut findings);
        }
        if let Some(operations) = &promised.operations {
            features(&install, operations, &mut findings);
        }
    }
    findings
}

fn finding(rule: &'static Rule, entry: &Entry, text: String) -> Finding {
    Finding {
        rule,
        line: Some(entry.line),
        code: None,
        text,
    }
}

fn names(install: &Install, driver: &str, findings: &mut Vec<Finding>) {
    let Some(filter) = &install.filter else {
        return;
    };
    let name = filter.entry.value(0);
    if !name.is_empty() && !name.eq_ignore_ascii_case(driver) {
        let text = format!("the service is {name}, but the driver is {driver}");
        findings.push(finding(&DRIVER, filter.entry, text));
    }
    if let Some(entry) = filter
        .section
        .and_then(|section| section.entry("ServiceBinary"))
    {
        let file = entry.value(0).rsplit('\\').next().unwrap_or_default();
        if !file.is_empty() && !file.eq_ignore_ascii_case(&format!("{driver}.sys")) {
            let text = format!("the service runs {file}, but the driver is {driver}.sys");
            findings.push(finding(&DRIVER, entry, text));
        }
    }
}

fn event_source(install: &Install, log: ErrorLog, findings: &mut Vec<Finding>) {
    let Some(filter) = &install.filter else {
        return;
    };
    let text = match (log, filter.entry.value(3).is_empty()) {
        (ErrorLog::EventLog, true) => {
            "AddService names no section for the event log, but the driver logs errors"
        }
        (ErrorLog::Debugger, false) => {
            "AddService names a section for the event log, but the driver logs nothing there"
        }
        _ => return,
    };
    findings.push(finding(&ERROR_LOG, filter.entry, text.to_owned()));
}

fn features(install: &Install, operations: &[String], findings: &mut Vec<Finding>) {
    const OFFLOADED: u32 = 0x3;
    let supported = answers::supported_features(operations.iter().map(String::as_str));
    let mut values = install.filter_values();
    let Some((.., entry)) =
        values.find(|(_, name, _)| name.eq_ignore_ascii_case("SupportedFeatures"))
    else {
        return;
    };
    let Some(declared) = number(entry.value(4)) else {
        return;
    };
    let unseen = declared & OFFLOADED & !supported;
    if unseen != 0 {
        let text = format!(
            "SupportedFeatures 0x{declared:x} declares offloaded copies (0x{unseen:x}): they are file-system controls, \
             which the driver does not filter, and they bypass the reads or writes that it filters"
        );
        findings.push(finding(&OPERATIONS, entry, text));
    }
}
