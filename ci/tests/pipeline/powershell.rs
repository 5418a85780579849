//! The PowerShell scripts: syntax, calls and variables, and the parameters that the pipelines pass.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use regex::Regex;
use tree_sitter::{Node, Parser};

use crate::{
    commands,
    emitting::{emit, read},
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

/// The PowerShell files of the projects, by name. Two files differ by policy, attachment or pipeline.
fn scripts() -> BTreeMap<String, String> {
    let mut scripts = BTreeMap::new();
    for (policy, pipeline) in [
        ("always", "github"),
        ("refuse-non-mandatory", "azure"),
        ("never", "github"),
    ] {
        for attach in ["automatic", "manual"] {
            let (_place, project) = emit(&[
                ("unload_policy", policy),
                ("attach", attach),
                ("pipeline", pipeline),
            ]);
            for entry in fs::read_dir(project.join("scripts")).unwrap() {
                let name = entry.unwrap().file_name().into_string().unwrap();
                let text = read(&project, &format!("scripts/{name}"));
                let key = match name.as_str() {
                    "Test-Driver.psd1" => format!("{policy} {attach} {name}"),
                    "Install-BuildTools.ps1" => format!("{pipeline} {name}"),
                    _ => name,
                };
                scripts.insert(key, text);
            }
        }
    }
    scripts
}

#[test]
fn the_powershell_is_parsed() {
    let scripts = scripts();
    assert_eq!(scripts.len(), 10);
    for (name, text) in scripts {
        assert!(text.is_ascii(), "{name}");
        assert_eq!(mistakes(&text), Vec::<String>::new(), "{name}");
    }
    assert!(!mistakes("if ($true) { 'no end'\n").is_empty());
}

/// Commands that the scripts do not define.
const BUILT_IN: &str = "Add-Content ConvertFrom-Json ConvertTo-Json Copy-Item Format-List Get-Acl \
    Get-AuthenticodeSignature Get-ChildItem Get-CimInstance Get-Command Get-Content Get-Date Get-ItemProperty Get-WinEvent \
    Import-Certificate Import-PowerShellDataFile Join-Path New-Item Out-File Pop-Location Push-Location Receive-Job \
    Remove-Item Remove-Job Rename-Item Resolve-Path Set-Content Set-Item Set-StrictMode Split-Path Start-Job \
    Start-Sleep Stop-Job Test-Path Wait-Job Where-Object Write-Host Write-Output cargo nuget winget";

/// Variables that PowerShell sets by itself.
const AUTOMATIC: &str =
    "_ DryRun ErrorActionPreference LASTEXITCODE PSCommandPath PSScriptRoot Resume false null true";

/// Finds frequent mistakes without running PowerShell: calls of functions that do not exist, variables that are never
/// set, functions that are never called.
fn dangling(text: &str) -> Vec<String> {
    let known: BTreeSet<&str> = BUILT_IN.split_whitespace().collect();
    let word = Regex::new(r"(?i)\$(?:script:)?([a-z_]\w*)").unwrap();
    let tree = parse(text);
    let mut all = Vec::new();
    nodes(tree.root_node(), &mut all);
    let of = |node: Node| text[node.byte_range()].to_owned();
    let kind = |kind: &'static str| all.iter().filter(move |node| node.kind() == kind);
    let mut found = Vec::new();

    let functions: BTreeSet<String> = kind("function_name").map(|node| of(*node)).collect();
    // The grammar parses a range such as 1..20 as a command.
    let called: BTreeSet<String> = kind("command_name")
        .map(|node| of(*node))
        .filter(|name| !name.starts_with(|first: char| first.is_ascii_digit()))
        .collect();
    for name in &called {
        if !known.contains(name.as_str()) && !functions.contains(name) {
            found.push(format!("{name} does not exist"));
        }
    }
    for name in functions.difference(&called) {
        found.push(format!("{name} is never called"));
    }

    // A variable is set anywhere in the text, by an assignment, as a parameter or by a loop.
    let mut set: BTreeSet<String> = AUTOMATIC.split(' ').map(str::to_lowercase).collect();
    for assignment in kind("left_assignment_expression") {
        let text = of(*assignment);
        set.extend(
            word.captures_iter(&text)
                .map(|found| found[1].to_lowercase()),
        );
    }
    for parameter in kind("script_parameter") {
        for index in 0..parameter.child_count() {
            let child = parameter.child(index).unwrap();
            if child.kind() == "variable" {
                set.insert(of(child).trim_start_matches('$').to_lowercase());
            }
        }
    }
    let loops = Regex::new(r"(?i)foreach \(\$(\w+) in ").unwrap();
    set.extend(
        loops
            .captures_iter(text)
            .map(|found| found[1].to_lowercase()),
    );
    for variable in kind("variable") {
        let plain = of(*variable)
            .trim_start_matches(['$', '{', '@'])
            .trim_end_matches('}')
            .to_lowercase();
        let plain = plain.strip_prefix("script:").unwrap_or(&plain);
        if !plain.starts_with("env:") && !set.contains(plain) {
            found.push(format!("${plain} is never set"));
        }
    }
    found
}

#[test]
fn the_powershell_has_no_undefined_and_no_unused_names() {
    for (name, text) in scripts() {
        if Path::new(&name).extension().is_some_and(|it| it == "ps1") {
            assert_eq!(dangling(&text), Vec::<String>::new(), "{name}");
        }
    }
    assert_eq!(
        dangling("function Get-This { $here = $there }\nGet-That\n"),
        [
            "Get-That does not exist",
            "Get-This is never called",
            "$there is never set"
        ]
    );
}

/// The scripts have the parameters that the pipelines pass.
#[test]
fn the_scripts_have_the_parameters_that_the_pipelines_pass() {
    let call = Regex::new(r"^\./(scripts/[\w-]+\.ps1)(.*)$").unwrap();
    let parameter = Regex::new(r" -(\w+)").unwrap();
    let [[_, driver], _] = commands("true");
    let windows = read_yaml(&xtask::repository().join(".github/workflows/windows.yml"));
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
        let script = read(&xtask::repository().join("template"), &found[1]);
        for given in parameter.captures_iter(&found[2]) {
            let declared = Regex::new(&format!(r"\] \${}\b", &given[1])).unwrap();
            assert!(declared.is_match(&script), "{step}");
        }
    }
    assert_eq!(calls, 7);
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
