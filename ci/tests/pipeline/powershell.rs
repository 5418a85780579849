//! The PowerShell scripts: syntax, encoding, the parameters that the pipelines pass, and the expectations of the test.

use std::{collections::BTreeMap, path::Path};

use regex::Regex;
use tree_sitter::{Node, Parser};

use crate::{
    WINDOWS, commands,
    emitting::{self, emit, read, rendered},
    read_yaml, steps,
};

fn parse(text: &str) -> tree_sitter::Tree {
    let mut parser = Parser::new();
    parser
        .set_language(&tree_sitter_powershell::LANGUAGE.into())
        .unwrap();
    parser.parse(text, None).unwrap()
}

/// Collects a node and all nodes below it.
fn nodes<'a>(node: Node<'a>, found: &mut Vec<Node<'a>>) {
    found.push(node);
    for index in 0..node.child_count() {
        nodes(node.child(index).unwrap(), found);
    }
}

/// The lines that do not match the grammar.
fn mistakes(text: &str) -> Vec<String> {
    let tree = parse(text);
    let mut found = Vec::new();
    nodes(tree.root_node(), &mut found);
    found
        .into_iter()
        .filter(|node| node.is_error() || node.is_missing())
        .map(|node| {
            let line = node.start_position().row;
            format!("{}: {}", line + 1, text.lines().nth(line).unwrap_or(""))
        })
        .collect()
}

/// The PowerShell files that are emitted, by name. Test-Driver.psd1 differs by policy and attachment.
fn scripts() -> BTreeMap<String, String> {
    let mut scripts = BTreeMap::new();
    for policy in ["always", "refuse-non-mandatory", "never"] {
        for attach in ["automatic", "manual"] {
            for (name, bytes) in rendered(&[("unload_policy", policy), ("attach", attach)]) {
                let key = match name.strip_prefix("scripts/") {
                    Some("Test-Driver.psd1") => format!("{policy} {attach} {name}"),
                    Some(_) => name,
                    None => continue,
                };
                scripts.insert(key, String::from_utf8(bytes).unwrap());
            }
        }
    }
    scripts
}

/// Windows PowerShell reads a file without a byte order mark in the encoding of the system.
#[test]
fn the_powershell_is_parsed_and_ascii() {
    let scripts = scripts();
    assert!(scripts.len() > 12);
    for (name, text) in &scripts {
        assert!(text.is_ascii(), "{name}");
        assert_eq!(mistakes(text), Vec::<String>::new(), "{name}");
    }
    assert!(!mistakes("if ($true) { 'no end'\n").is_empty());
}

#[test]
fn the_scripts_are_emitted_byte_for_byte() {
    let template = emitting::tree(&xtask::repository().join("template/scripts"));
    let emitted = rendered(&[]);
    let mut count = 0;
    for (name, bytes) in &template {
        if Path::new(name).extension().is_some_and(|it| it == "ps1") {
            assert!(emitted[&format!("scripts/{name}")] == *bytes, "{name}");
            count += 1;
        }
    }
    assert!(count > 12);
}

#[test]
fn tests_of_the_scripts_that_are_not_ascii_have_a_byte_order_mark() {
    for (name, bytes) in emitting::tree(&xtask::repository().join("ci/tests/scripts")) {
        let script = Path::new(&name).extension().is_some_and(|it| it != "tsv");
        assert!(
            !script || bytes.is_ascii() || bytes.starts_with(b"\xEF\xBB\xBF"),
            "{name}"
        );
    }
}

/// The scripts have the parameters that the pipelines pass.
#[test]
fn the_scripts_have_the_parameters_that_the_pipelines_pass() {
    let call = Regex::new(r"(?:\./scripts/|-File (?:scripts\\)?)([\w-]+\.ps1)(.*)$").unwrap();
    let parameter = Regex::new(r" -(\w+)").unwrap();
    let [[_, driver], _] = commands("true");
    let windows = read_yaml(&xtask::repository().join(WINDOWS));
    let mut calls = 0;
    for step in driver
        .iter()
        .chain(&steps(&windows["jobs"]["project"]))
        .flat_map(|step| step.command.lines())
    {
        let Some(found) = call.captures(step) else {
            continue;
        };
        calls += 1;
        let script = read(&xtask::repository().join("template/scripts"), &found[1]);
        for given in parameter.captures_iter(&found[2]) {
            let declared = Regex::new(&format!(r"\] \${}\b", &given[1])).unwrap();
            assert!(declared.is_match(&script), "{step}");
        }
    }
    assert_eq!(calls, 8);
}

/// Test-Driver.psd1 has the results of the unload policy.
#[test]
fn the_expectations_of_test_driver_match_the_answers() {
    for (policy, service_stop, filter_unload, stop) in [
        ("always", "true", "$true; Codes = @()", "$true; Codes = @()"),
        (
            "always",
            "false",
            "$true; Codes = @()",
            "$false; Codes = @('1052')",
        ),
        (
            "refuse-non-mandatory",
            "true",
            "$false; Codes = @('0x801F0010')",
            "$true; Codes = @()",
        ),
        (
            "refuse-non-mandatory",
            "false",
            "$false; Codes = @('0x801F0010')",
            "$false; Codes = @('1052')",
        ),
        (
            "never",
            "true",
            "$false; Codes = @()",
            "$false; Codes = @('1052')",
        ),
    ] {
        let (_place, project) = emit(&[("unload_policy", policy), ("service_stop", service_stop)]);
        let text = read(&project, "scripts/Test-Driver.psd1");
        let line = |name: &str| {
            text.lines()
                .find(|line| line.trim().starts_with(name))
                .unwrap()
                .trim()
                .to_owned()
        };
        assert_eq!(line("Driver ="), "Driver = 'my_filter'");
        assert_eq!(
            line("FilterUnload"),
            format!("FilterUnload = @{{ Unloads = {filter_unload} }}"),
            "{policy}"
        );
        assert_eq!(
            line("ServiceStop"),
            format!("ServiceStop = @{{ Unloads = {stop} }}"),
            "{policy}"
        );
    }
}
