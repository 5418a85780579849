//! The verdict as a self-contained HTML page.

use maud::{DOCTYPE, Markup, PreEscaped, html};
use testbench::{Finding, report::one_line};

use super::{text, verdict::Verdict};

const STYLE: &str = "
:root { color-scheme: light dark; --line: #8884; --bad: #c62828; --good: #2e7d32; --soft: #b26a00; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; margin-bottom: 0; } h2 { font-size: 1.2rem; margin-top: 2.5rem; }
code, .mono { font-family: ui-monospace, monospace; font-size: .9em; overflow-wrap: anywhere; }
.sum { font-size: 1.1rem; margin: .5rem 0 1.5rem; } .bad { color: var(--bad); } .good { color: var(--good); } .soft { color: var(--soft); }
table { border-collapse: collapse; width: 100%; } th { text-align: left; font-weight: 600; white-space: nowrap; }
th, td { padding: .35rem .75rem .35rem 0; vertical-align: top; border-bottom: 1px solid var(--line); }
article { border: 1px solid var(--line); border-left: .35rem solid var(--bad); border-radius: .35rem;
  padding: .75rem 1rem; margin: 1rem 0; }
article.advice { border-left-color: var(--soft); } article h3 { margin: 0 0 .35rem; font-size: 1.05rem; }
article p { margin: .35rem 0; } dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; margin: .5rem 0 0; }
dt { font-weight: 600; } dd { margin: 0; } details summary { cursor: pointer; } ul { margin: .35rem 0; padding-left: 1.2rem; }
";

/// Renders the page.
pub fn render(verdict: &Verdict) -> String {
    let report = &verdict.report;
    let name = text::file_name(&report.driver);
    let findings = report.findings.len();
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (name) ": " (findings) " findings" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { (name) }
                p.sum {
                    @if findings == 0 && !report.complete { strong.soft { "No findings, incomplete" } }
                    @else if findings == 0 { strong.good { "No findings" } }
                    @else if findings == 1 { strong.bad { "1 finding" } }
                    @else { strong.bad { (findings) " findings" } }
                    ": " (report.scenarios) " scenarios, " (report.faults_injected) " faults injected"
                }
                (facts(verdict))
                @if !report.findings.is_empty() {
                    h2 { "Findings" }
                    @for finding in &report.findings { (article(finding, "finding", name)) }
                }
                @if !report.not_judged.is_empty() {
                    h2 { "Not judged" }
                    p { "The test bench does not model these calls, so the code after them was not judged. How far the driver came: " (report.reached) "." }
                    table {
                        tr { th { "Call" } th { "Called in" } th { "Place" } th { "Scenarios" } }
                        @for part in &report.not_judged {
                            tr {
                                td { code { (part.what) } }
                                td { (part.within) }
                                td.mono { @if let Some(place) = &part.place { (text::place_in(place, name)) } }
                                td { (one_line(&part.scenarios)) }
                            }
                        }
                    }
                }
                @if !report.advice.is_empty() {
                    h2 { "Advice" }
                    @for advice in &report.advice { (article(advice, "advice", name)) }
                }
                h2 { "Calls that were made to fail" }
                table {
                    tr { th { "Function" } th { "Called in" } th { "Place" } }
                    @for point in &report.fault_points {
                        tr {
                            td { code { (point.function) } }
                            td { (point.within) }
                            td.mono { (name) "+0x" (format!("{:x}", point.site)) }
                        }
                    }
                }
                h2 { "Imports" }
                details {
                    summary { (report.imports.len()) " imports" }
                    ul {
                        @for import in &report.imports {
                            li.mono {
                                (import.dll) "!" (import.name)
                                @if !import.modelled { " " strong.bad { "not modelled" } }
                            }
                        }
                    }
                }
                p { "Made by testbench " (report.bench) " in " (report.milliseconds) " ms." }
            }
        }
    };
    page.into_string()
}

fn facts(verdict: &Verdict) -> Markup {
    let report = &verdict.report;
    html! {
        table {
            tr { th { "File" } td.mono { (report.driver) } }
            tr { th { "SHA-256" } td.mono { (verdict.sha256) } }
            tr { th { "Size" } td { (report.size) " bytes" } }
            tr { th { "Unload policy" } td { (text::policy(verdict)) "; " (text::service_stop(verdict)) } }
            tr { th { "Operations" } td {
                @if report.observed.operations.is_empty() { "none" }
                @for operation in &report.observed.operations { code { (operation) } " " }
            } }
            @if let Some(file) = &verdict.expectations_file {
                tr { th { "Expectations" } td.mono { (file.display()) } }
            }
            @for setting in report.registry.all() {
                tr { th { "Registry" } td.mono { (setting.name) " = " (setting.text) } }
            }
            @for assumption in report.assume.all() {
                tr { th { "Assumed" } td.mono { (assumption.name) " = " (assumption.text) } }
            }
            @for sentence in report.log.iter().filter_map(|entry| entry.sentence.as_ref()) {
                tr { th { "Event log" } td { (sentence) } }
            }
        }
    }
}

fn article(finding: &Finding, class: &str, driver: &str) -> Markup {
    html! {
        article class=(class) {
            h3 { code { (finding.rule) } }
            p { (finding.seen) }
            dl {
                dt { "Asked" } dd { (finding.asks) }
                @if let Some(place) = &finding.place {
                    dt { "Where" } dd.mono { (text::place_in(place, driver)) }
                }
                dt { "See" } dd { (finding.documents.join("; ")) }
                dt { "Scenarios" }
                dd {
                    @if let [one] = &finding.scenarios[..] { (one) }
                    @else {
                        details {
                            summary { (finding.scenarios.len()) " scenarios" }
                            ul { @for scenario in &finding.scenarios { li { (scenario) } } }
                        }
                    }
                }
            }
        }
    }
}
