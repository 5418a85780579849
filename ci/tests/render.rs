//! The rendering in memory is the same as that of cargo-generate, and also reports faults that cargo-generate ignores.

mod emitting;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    time::Instant,
};

use emitting::{
    HOSTILE_TEXTS, Tree, assert_same, cargo_generate, folder, names, said, tree, xtask_new,
};
use tempfile::TempDir;
use xtask::{
    checks::{
        matrix::combinations::{Axis, Combination, Reason, chosen},
        render::{Failure, Rendered, Renderer, compare},
    },
    commands::options,
};

fn combinations() -> Vec<Combination> {
    let axes: Vec<_> = options::declared().unwrap().iter().map(Axis::of).collect();
    chosen(&axes)
}

fn files(rendered: &Rendered) -> Tree {
    rendered
        .files
        .iter()
        .map(|(path, bytes)| (path.clone(), bytes.to_vec()))
        .collect()
}

/// A copy of the template with text appended to a file, and its renderer.
fn spoiled(file: &str, more: &str) -> anyhow::Result<(TempDir, Renderer)> {
    let place = xtask::commands::new::staged().unwrap();
    let path = place.path().join(file);
    let text = fs::read_to_string(&path).unwrap();
    fs::write(path, text + more).unwrap();
    let renderer = Renderer::of(place.path(), Path::new("/tmp"))?;
    Ok((place, renderer))
}

/// The matrix compares all combinations; this test compares some of them, each with a different name.
#[test]
fn combinations_are_rendered_as_they_are_emitted() {
    let place = folder();
    let renderer = Renderer::new(place.path()).unwrap();
    for (number, combination) in combinations().iter().enumerate() {
        if combination.reason == Reason::Alone
            || (combination.reason == Reason::Pairs && number % 16 != 0)
        {
            continue;
        }
        let answers = combination.given();
        let name = format!("filter-{number}");
        let project = xtask::commands::new::emit(&name, &answers, place.path()).unwrap();
        let memory = renderer.render(&name, &answers).unwrap();
        assert_same(&tree(&project), &files(&memory), &format!("{answers:?}"));
        memory.is_in(&project).unwrap();

        fs::write(project.join("README.md"), "").unwrap();
        let said = memory.is_in(&project).unwrap_err().to_string();
        let (says, _) = said.split_once(". ").unwrap();
        assert_eq!(
            says,
            format!(
                "README.md is emitted otherwise than it is rendered: line 1 is `` and not `# {name}`"
            )
        );
        fs::remove_file(project.join("README.md")).unwrap();
        assert!(memory.is_in(&project).is_err());
        fs::remove_dir_all(project).unwrap();
    }
}

#[test]
fn the_matrix_compares_each_project_with_its_rendering() {
    let combinations = combinations();
    let (defaults, other) = (&combinations[0], &combinations[1]);
    let place = folder();
    let project = xtask::commands::new::emit("my-filter", &defaults.given(), place.path()).unwrap();
    compare(&project, "my-filter", &defaults.given()).unwrap();
    let said = compare(&project, "my-filter", &other.given()).unwrap_err();
    assert!(said.to_string().contains(" emitted "), "{said}");
}

#[test]
fn free_text_is_rendered_as_the_released_program_emits_it() {
    for (name, text) in ["a", "MyDRV2", "wdk-tests", "zzz"]
        .iter()
        .zip(HOSTILE_TEXTS)
    {
        let place = folder();
        let define = [format!("provider={text}"), format!("description={text}")];
        let output = cargo_generate(name, &["-d", &define[0], "-d", &define[1]], place.path());
        assert!(output.status.success(), "{}", said(&output));
        let renderer = Renderer::new(place.path()).unwrap();
        let memory = renderer
            .render(name, &[("provider", text), ("description", text)])
            .unwrap();
        assert_eq!(names(place.path()), [memory.name.as_str()]);
        let expected = tree(&place.path().join(&memory.name));
        assert_same(&expected, &files(&memory), text);
    }
}

#[test]
fn the_hooks_print_the_same_lines() {
    for (name, answers) in [
        ("my-filter", vec![]),
        (
            "other",
            vec![("unload_policy", "never"), ("altitude", "360001.5")],
        ),
    ] {
        let place = folder();
        let define: Vec<String> = answers
            .iter()
            .map(|(name, value)| format!("-d{name}={value}"))
            .collect();
        let define: Vec<&str> = define.iter().map(String::as_str).collect();
        let renderer = Renderer::new(&fs::canonicalize(place.path()).unwrap()).unwrap();
        let notes = renderer.render(name, &answers).unwrap().notes;
        let output = xtask_new(&[&[name], define.as_slice()].concat(), place.path());
        let said = said(&output);
        let lines: Vec<&str> = said.lines().collect();
        assert_eq!(lines[..lines.len() - 1], notes);
    }
}

#[test]
fn refusals_have_the_same_sentences() {
    let place = folder();
    let renderer = Renderer::new(place.path()).unwrap();
    let long = "x".repeat(300);
    for (name, answers) in [
        ("9lives", vec![]),
        ("", vec![]),
        ("nul", vec![]),
        ("../..", vec![]),
        ("my-filter", vec![("altitude", "1")]),
        ("my-filter", vec![("altitude", "one")]),
        ("my-filter", vec![("provider", "Microsoft's friend")]),
        ("my-filter", vec![("description", long.as_str())]),
        ("my-filter", vec![("operations", ",,")]),
        ("my-filter", vec![("operations", "read,,read")]),
        ("my-filter", vec![("license", "mit")]),
        ("my-filter", vec![("testbench", "1")]),
        ("my-filter", vec![("colour", "red")]),
    ] {
        let expected = xtask::commands::new::emit(name, &answers, place.path()).unwrap_err();
        let Err(Failure::Refused(sentence)) = renderer.render(name, &answers) else {
            panic!("{name} {answers:?} is not refused")
        };
        assert_eq!(sentence, format!("{expected:#}"));
        assert!(names(place.path()).is_empty(), "{name} {answers:?}");
    }
}

#[test]
fn every_combination_defines_what_it_uses_and_uses_what_hooks_define() {
    let renderer = Renderer::new(Path::new("/tmp")).unwrap();
    let start = Instant::now();
    let combinations = combinations();
    let (mut set, mut used) = (BTreeSet::new(), BTreeSet::new());
    for combination in &combinations {
        let memory = renderer.render("my-filter", &combination.given()).unwrap();
        set.extend(memory.set);
        used.extend(memory.used);
    }
    println!(
        "{:?} each",
        start.elapsed() / u32::try_from(combinations.len()).unwrap()
    );
    let unused: Vec<_> = set.difference(&used).collect();
    assert!(
        unused.is_empty(),
        "set by a hook and never used: {unused:?}"
    );
    let unused: Vec<_> = renderer
        .options()
        .iter()
        .filter(|option| !used.contains(&option.name))
        .collect();
    assert!(unused.is_empty(), "asked and never used: {unused:?}");
}

#[test]
fn an_undefined_name_is_a_fault_in_an_output_and_in_a_tag() {
    for (file, more, fault) in [
        (
            "template/README.md",
            "{{ nobody }}",
            "template/README.md: nothing sets nobody",
        ),
        (
            "template/README.md",
            "{% if nobody %}{% endif %}",
            "template/README.md: nothing sets nobody",
        ),
        (
            "template/README.md",
            "{% unless nobody == 'x' %}{% endunless %}",
            "template/README.md: nothing sets nobody",
        ),
        (
            "template/README.md",
            "{% for a in nobody %}{% endfor %}",
            "template/README.md: nothing sets nobody",
        ),
        (
            "template/README.md",
            "{% assign x = nobody %}",
            "template/README.md: nothing sets nobody",
        ),
        (
            "hooks/pre.rhai",
            "\nvariable::get(\"nobody\");",
            "nothing sets nobody",
        ),
        (
            "hooks/pre.rhai",
            "\nvariable::set(\"year\", true);",
            "year has the type string",
        ),
        (
            "hooks/pre.rhai",
            "\nfile::rename(\"nowhere\", \"somewhere\");",
            "nowhere cannot be renamed",
        ),
        ("hooks/pre.rhai", "\nnobody();", "nobody"),
    ] {
        let (_place, renderer) = spoiled(file, more).unwrap();
        match renderer.render("my-filter", &[]) {
            Err(Failure::Template(said)) => assert!(said.contains(fault), "{more}: {said}"),
            other => panic!("{more}: {other:?}"),
        }
    }
    // Faults that are found before anything is rendered.
    for more in ["{{ year | shout }}", "{% if year %}", "{{ year"] {
        assert!(spoiled("template/README.md", more).is_err(), "{more}");
    }
    // Names that the template itself defines are no fault.
    let more = "{% assign x = year %}{{ x }}{% for y in operations %}{% if forloop.last %}{{ y }}{% endif %}{% endfor %}";
    let (_place, renderer) = spoiled("template/README.md", more).unwrap();
    renderer.render("my-filter", &[]).unwrap();
}

/// The released cargo-generate reports no error for such a project.
#[test]
fn two_files_with_the_same_name_are_a_fault() {
    let place = xtask::commands::new::staged().unwrap();
    fs::write(place.path().join("template/my_filter.inx"), "").unwrap();
    let renderer = Renderer::of(place.path(), Path::new("/tmp")).unwrap();
    let said = renderer.render("my-filter", &[]).unwrap_err().to_string();
    assert!(
        said.ends_with("another file is my_filter.inx, too"),
        "{said}"
    );
    let renamed: BTreeMap<_, _> = renderer.render("other", &[]).unwrap().files;
    assert!(renamed.contains_key("my_filter.inx"));
}
