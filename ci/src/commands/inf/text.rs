//! Prints the verdict as text.

use console::style;

use super::{
    finding::{Finding, INFVERIF, Level},
    verdict::{Verdict, all_rules},
};
use crate::visible;

/// Prints the verdict: the file, the findings, and a summary.
pub(super) fn print(verdict: &Verdict) {
    let name = visible(&verdict.file.display().to_string());
    println!("{}", style(&name).bold());
    if let Some(answers) = &verdict.answers {
        println!(
            "  {:<12}{}",
            "answers",
            visible(&answers.display().to_string())
        );
    }
    for finding in &verdict.findings {
        println!();
        println!(
            "{} {}",
            style("finding").red().bold(),
            style(finding.rule.name).bold()
        );
        details(finding, &name);
    }
    for advice in &verdict.advice {
        println!();
        println!(
            "{}  {}",
            style("advice").yellow().bold(),
            style(advice.rule.name).bold()
        );
        details(advice, &name);
    }
    println!();
    let sum = match verdict.findings.len() {
        0 => style("no findings".to_owned()).green().bold(),
        1 => style("1 finding".to_owned()).red().bold(),
        many => style(format!("{many} findings")).red().bold(),
    };
    let advice = match verdict.advice.len() {
        0 => String::new(),
        1 => ", 1 piece of advice".to_owned(),
        many => format!(", {many} pieces of advice"),
    };
    println!("{name}: {sum}{advice}");
}

fn details(finding: &Finding, name: &str) {
    let line =
        |title: &str, text: &str| println!("  {}{text}", style(format!("{title:<10}")).dim());
    line("seen", &visible(&finding.text));
    line("asked", finding.rule.asks);
    match finding.line {
        Some(number) => line("where", &format!("{name}:{number}")),
        None => line("where", name),
    }
    if let Some(code) = finding.code {
        line("InfVerif", &code.to_string());
    }
    line("see", finding.rule.document);
}

/// Prints the rules.
pub(super) fn rules() {
    for rule in all_rules() {
        let level = match rule.level {
            Level::Must => style("must  ").red(),
            Level::Should => style("should").yellow(),
        };
        println!("{level} {}", style(rule.name).bold());
        println!("       {}", rule.asks);
        println!("       {}", style(rule.document).dim());
        let codes = |codes: &[u16]| {
            let codes: Vec<_> = codes.iter().map(u16::to_string).collect();
            codes.join(", ")
        };
        if !rule.seen.is_empty() {
            println!("       InfVerif {INFVERIF}: {}", codes(rule.seen));
        }
        if !rule.documented.is_empty() {
            println!("       documented: {}", codes(rule.documented));
        }
    }
}
