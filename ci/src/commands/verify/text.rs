//! Prints the verdict as text.

use std::path::Path;

use console::style;
use testbench::{Finding, report::one_line, rules, trace::Place};

use super::verdict::Verdict;

/// Prints the verdict: the driver, the findings, and a summary.
pub fn print(verdict: &Verdict, page: Option<&Path>) {
    let report = &verdict.report;
    let name = file_name(&report.driver);
    head(verdict, name);
    for finding in &report.findings {
        println!();
        println!(
            "{} {}",
            style("finding").red().bold(),
            style(finding.rule).bold()
        );
        details(finding, name);
    }
    for advice in &report.advice {
        println!();
        println!(
            "{}  {}",
            style("advice").yellow().bold(),
            style(advice.rule).bold()
        );
        details(advice, name);
    }
    for part in &report.not_judged {
        println!();
        println!(
            "{} {}",
            style("not judged").yellow().bold(),
            style(&part.what).bold()
        );
        detail("called in", &part.within);
        if let Some(place) = &part.place {
            detail("where", &place_in(place, name));
        }
        detail("scenario", &one_line(&part.scenarios));
    }
    println!();
    let sum = match report.findings.len() {
        0 => style("no findings".to_owned()).green().bold(),
        1 => style("1 finding".to_owned()).red().bold(),
        many => style(format!("{many} findings")).red().bold(),
    };
    let advice = match report.advice.len() {
        0 => String::new(),
        1 => ", 1 piece of advice".to_owned(),
        many => format!(", {many} pieces of advice"),
    };
    let not_judged = match report.not_judged.len() {
        0 => String::new(),
        1 => ", 1 call not judged".to_owned(),
        many => format!(", {many} calls not judged"),
    };
    println!(
        "{name}: {} scenarios, {} faults injected, unload policy {}: {sum}{advice}{not_judged}",
        report.scenarios,
        report.faults_injected,
        policy(verdict),
    );
    if !report.not_judged.is_empty() {
        println!(
            "The result is incomplete: the test bench does not model these calls. How far the driver came: {}.",
            report.reached
        );
        println!(
            "To go on after such a call: --assume NAME=RESULT, or [assume] in testbench.toml."
        );
    }
    if report.truncated {
        println!("The result is incomplete: scenarios did not end, or there were too many.");
    }
    if let Some(page) = page {
        println!("The page is {}.", page.display());
    }
}

fn head(verdict: &Verdict, name: &str) {
    let report = &verdict.report;
    println!(
        "{}  {} bytes, SHA-256 {}",
        style(name).bold(),
        report.size,
        verdict.sha256
    );
    let line = |title: &str, text: String| println!("  {title:<12}{text}");
    line(
        "unload",
        format!("{}, {}", policy(verdict), service_stop(verdict)),
    );
    let operations = &report.observed.operations;
    line(
        "operations",
        if operations.is_empty() {
            "none".to_owned()
        } else {
            operations.join(", ")
        },
    );
    let missing: Vec<String> = report
        .unmodelled()
        .map(|import| format!("{}!{}", import.dll, import.name))
        .collect();
    line(
        "imports",
        if missing.is_empty() && report.assume.is_empty() {
            format!("{}, all modelled", report.imports.len())
        } else if missing.is_empty() {
            format!("{}, all modelled or assumed", report.imports.len())
        } else {
            format!(
                "{}, not modelled: {}",
                report.imports.len(),
                missing.join(", ")
            )
        },
    );
    line("can fail", fault_points(verdict));
    if let Some(file) = &verdict.expectations_file {
        line("expected", file.display().to_string());
    }
    for setting in report.registry.all() {
        line("registry", format!("{} = {}", setting.name, setting.text));
    }
    for assumption in report.assume.all() {
        line(
            "assumed",
            format!("{} = {}", assumption.name, assumption.text),
        );
    }
    let mut sentences = report
        .log
        .iter()
        .filter_map(|entry| entry.sentence.as_ref());
    if let Some(first) = sentences.next() {
        let more = match sentences.count() {
            0 => String::new(),
            more => format!(" (and {more} like it)"),
        };
        line("event log", format!("\"{first}\"{more}"));
    }
}

/// The calls that were made to fail, by name and number of places.
pub fn fault_points(verdict: &Verdict) -> String {
    let mut counted: Vec<(&str, usize)> = Vec::new();
    for point in &verdict.report.fault_points {
        match counted.iter_mut().find(|(name, _)| *name == point.function) {
            Some((_, count)) => *count += 1,
            None => counted.push((&point.function, 1)),
        }
    }
    if counted.is_empty() {
        return "nothing".to_owned();
    }
    let names: Vec<String> = counted
        .into_iter()
        .map(|(name, count)| {
            if count == 1 {
                name.to_owned()
            } else {
                format!("{name} ({count} places)")
            }
        })
        .collect();
    names.join(", ")
}

fn details(finding: &Finding, driver: &str) {
    detail("seen", &finding.seen);
    detail("asked", finding.asks);
    if let Some(place) = &finding.place {
        detail("where", &place_in(place, driver));
    }
    detail("scenario", &one_line(&finding.scenarios));
    detail("see", &finding.documents.join("; "));
}

fn detail(title: &str, text: &str) {
    println!("  {}{text}", style(format!("{title:<10}")).dim());
}

/// A place, with the name of the driver.
pub fn place_in(place: &Place, driver: &str) -> String {
    place.to_string().replacen('+', &format!("{driver}+"), 1)
}

/// The unload policy, as text.
pub fn policy(verdict: &Verdict) -> String {
    let observed = verdict.report.observed.unload_policy;
    observed.map_or_else(|| "not seen".to_owned(), |policy| policy.to_string())
}

/// The effect of a service stop, as text.
pub fn service_stop(verdict: &Verdict) -> &'static str {
    match verdict.report.observed.service_stop {
        Some(true) => "a service stop reaches the driver",
        Some(false) => "a service stop does not reach the driver",
        None => "no filter was registered",
    }
}

/// The file name of a path.
pub fn file_name(path: &str) -> &str {
    Path::new(path)
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or(path)
}

/// Prints the rules.
pub fn rules() {
    for rule in rules::all() {
        let level = match rule.level {
            rules::Level::Must => style("must  ").red(),
            rules::Level::Should => style("should").yellow(),
        };
        println!("{level} {}", style(rule.name).bold());
        println!("       {}", rule.asks);
        println!("       {}", style(rule.documents.join("; ")).dim());
    }
}
