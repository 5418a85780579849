//! Projects that follow the template: `cargo xtask update`, `check`, `diff` and `adopt`, with git.

mod emitting;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use emitting::has_version;
use tempfile::TempDir;
use xtask::{
    checks::driver,
    commands::{
        follow::update::{self, Base, Plan, Wanted},
        new::template::Template,
    },
    openwdk::target::{Arch, Profile},
};

/// A repository of a user with a project, which the tests change.
struct Repository {
    folder: TempDir,
    /// The folder of the project.
    project: PathBuf,
}

impl Repository {
    /// A project of a version, committed at the root of its repository.
    fn new(version: &str, answers: &[(&str, &str)]) -> Self {
        Self::at("", version, answers)
    }

    /// A project of a version, in a folder of a repository.
    fn at(prefix: &str, version: &str, answers: &[(&str, &str)]) -> Self {
        let folder = xtask::scratch_folder().unwrap();
        let project = folder.path().join("repository").join(prefix);
        emit(version, answers, &project);
        let repository = Self { folder, project };
        repository.git(&["init", "--quiet"]);
        repository.commit("Emit");
        repository
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("repository")
    }

    /// Runs git as the user.
    fn git(&self, arguments: &[&str]) -> String {
        let output = Command::new("git")
            .args([
                "-c",
                "user.name=author",
                "-c",
                "user.email=author@localhost",
            ])
            .args([
                "-c",
                "commit.gpgsign=false",
                "-c",
                "core.hooksPath=/dev/null",
            ])
            .args(arguments)
            .current_dir(self.root())
            .output()
            .unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", said(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    fn commit(&self, subject: &str) {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "-m", subject]);
    }

    fn path(&self, file: &str) -> PathBuf {
        self.project.join(file)
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.path(file)).unwrap()
    }

    fn write(&self, file: &str, text: &str) {
        fs::create_dir_all(self.path(file).parent().unwrap()).unwrap();
        fs::write(self.path(file), text).unwrap();
    }

    /// Replaces a text, which is there once, and commits.
    fn edit(&self, file: &str, find: &str, replace: &str) {
        let text = self.read(file);
        assert_eq!(text.matches(find).count(), 1, "{find:?} in {file}");
        self.write(file, &text.replace(find, replace));
        self.commit("Edit");
    }

    fn xtask(&self, verb: &str, arguments: &[&str]) -> Output {
        xtask(&self.project, verb, arguments)
    }

    /// An update that must end with an exit status.
    fn update(&self, arguments: &[&str], status: i32) -> String {
        let output = self.xtask("update", arguments);
        assert_eq!(output.status.code(), Some(status), "{}", said(&output));
        said(&output)
    }

    /// What git says of the working tree.
    fn status(&self) -> String {
        self.git(&["status", "--porcelain", "--untracked-files=all"])
    }
}

/// Emits what a version of the template emits into a folder.
fn emit(version: &str, answers: &[(&str, &str)], to: &Path) {
    let template = Template::of(&version.parse().unwrap()).unwrap();
    let place = xtask::scratch_folder().unwrap();
    let answers: BTreeMap<String, String> = answers
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let emitted = template
        .emit("my-filter", &answers, place.path(), None)
        .unwrap()
        .path;
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    fs::rename(emitted, to).unwrap();
}

fn xtask(project: &Path, verb: &str, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_xtask"))
        .arg(verb)
        .arg(project)
        .args(arguments)
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    let [out, err] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    format!("{out}{err}")
}

/// The files below a folder, without those of git.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let files = xtask::files_below(folder).unwrap();
    let read = |file: PathBuf| (file.clone(), fs::read(folder.join(file)).unwrap());
    files.into_iter().map(read).collect()
}

/// The version of this clone.
fn own() -> String {
    Template::own().unwrap().version.to_string()
}

#[test]
fn an_unchanged_project_becomes_what_the_new_version_emits() {
    if !has_version("0.1.0") {
        return;
    }
    for (answers, prefix) in [
        (&[][..], ""),
        (&[("control_device", "true")][..], "drivers/a"),
    ] {
        let repository = Repository::at(prefix, "0.2.0", answers);
        let said = repository.update(&[], 0);
        assert!(
            said.contains(&format!("version 0.2.0 -> {}", own())),
            "{said}"
        );
        assert!(
            said.contains("dev_drive has no answer in the record"),
            "{said}"
        );
        let fresh = xtask::scratch_folder().unwrap();
        emit(&own(), answers, &fresh.path().join("fresh"));
        assert_eq!(
            files(&repository.project),
            files(&fresh.path().join("fresh"))
        );
        repository.commit("Update");
        let output = repository.xtask("check", &[]);
        assert_eq!(output.status.code(), Some(0), "{}", self::said(&output));
    }
}

#[test]
fn the_authors_lines_stay_or_stand_in_a_conflict() {
    if !has_version("0.1.0") {
        return;
    }
    let repository = Repository::new("0.2.0", &[]);
    // A line that the new version leaves, one in a file that it moves or rewrites, and a file of the author's.
    repository.edit(
        "README.md",
        "## Build\n",
        "## Build\n\nOur builds are signed by the release team.\n",
    );
    repository.edit(
        "Cargo.toml",
        "[dependencies]\n",
        "[dependencies]\n# our own\n",
    );
    repository.write("src/rules.rs", "//! Our rules.\n");
    repository.commit("Add rules");
    let before = repository.git(&["rev-parse", "HEAD"]);
    let said = repository.update(&[], 0);
    assert!(said.contains("added     src/flt/"), "{said}");
    assert!(
        repository
            .read("README.md")
            .contains("signed by the release team")
    );
    assert!(repository.read("Cargo.toml").contains("# our own\n"));
    assert_eq!(repository.read("src/rules.rs"), "//! Our rules.\n");
    assert!(repository.read("template.toml").contains(&own()));
    // Nothing is committed, and nothing but the working tree is changed.
    assert_eq!(repository.git(&["rev-parse", "HEAD"]), before);
    assert_eq!(repository.git(&["diff", "--cached", "--name-only"]), "");
    assert_eq!(repository.git(&["stash", "list"]), "");
}

#[test]
fn both_sides_of_a_line_are_in_a_conflict() {
    if !has_version("0.1.0") {
        return;
    }
    let repository = Repository::new("0.2.0", &[]);
    let title = repository
        .read("README.md")
        .lines()
        .next()
        .unwrap()
        .to_owned();
    repository.edit("README.md", &title, "# Our filter");
    let description = "the description of the company";
    let set = format!("description={description}");
    let before = files(&repository.project);
    let said = repository.update(&["--set", &set, "--dry-run", "--diff"], 0);
    assert!(said.contains("Nothing was written."), "{said}");
    assert!(
        said.contains(&format!("+description = \"{description}\"")),
        "{said}"
    );
    assert_eq!(files(&repository.project), before);

    // The template writes the description in the manifest, and so does the author.
    repository.edit(
        "Cargo.toml",
        &line_with(&repository.read("Cargo.toml"), "description ="),
        "description = \"the author's\"",
    );
    let said = repository.update(&["--set", &set], 1);
    assert!(
        said.contains("conflict  Cargo.toml: both have changed it"),
        "{said}"
    );
    let manifest = repository.read("Cargo.toml");
    for part in [
        "<<<<<<< project\n",
        "description = \"the author's\"\n",
        "=======\n",
        &format!("description = \"{description}\"\n"),
        &format!(">>>>>>> template-{}\n", own()),
    ] {
        assert!(manifest.contains(part), "{part:?} is not in\n{manifest}");
    }
    repository.commit("Update");
    let output = repository.xtask("check", &["--json"]);
    assert_eq!(output.status.code(), Some(1));
    let row: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(row["state"], "conflicts");
    assert_eq!(row["open"], serde_json::json!(["Cargo.toml"]));
}

fn line_with(text: &str, part: &str) -> String {
    let line = text.lines().find(|line| line.contains(part));
    line.unwrap().to_owned()
}

#[test]
fn a_removed_file_stays_removed() {
    if !has_version("0.1.0") {
        return;
    }
    let repository = Repository::new("0.2.0", &[]);
    for file in ["scripts/Test-Driver.ps1", "LICENSE-MIT"] {
        fs::remove_file(repository.path(file)).unwrap();
    }
    repository.commit("Remove");
    let said = repository.update(&[], 1);
    let conflict = "conflict  scripts/Test-Driver.ps1: you have removed it, and the template has changed it: it stays removed";
    assert!(said.contains(conflict), "{said}");
    assert!(said.contains("              @@ "), "{said}");
    assert!(!said.contains("LICENSE-MIT"), "{said}");
    for file in ["scripts/Test-Driver.ps1", "LICENSE-MIT"] {
        assert!(!repository.path(file).exists());
    }
    repository.commit("Update");
    let said = repository.update(&["--set", "pipeline=none"], 0);
    assert!(!said.contains("Test-Driver.ps1"), "{said}");
}

#[test]
fn a_file_that_the_template_removes_stays_if_the_author_changed_it() {
    let repository = Repository::new(&own(), &[("pipeline", "github")]);
    repository.edit(".github/workflows/ci.yml", "jobs:\n", "jobs: # ours\n");
    let said = repository.update(&["--set", "pipeline=none"], 1);
    assert!(
        said.contains("ci.yml: you have changed it, and the template has removed it: it stays"),
        "{said}"
    );
    assert!(
        repository
            .read(".github/workflows/ci.yml")
            .contains("jobs: # ours")
    );
    assert!(!repository.path(".github/dependabot.yml").exists());
}

#[test]
fn kept_files_are_not_changed() {
    if !has_version("0.1.0") {
        return;
    }
    let repository = Repository::new("0.2.0", &[]);
    let record = repository.read("template.toml");
    repository.write(
        "template.toml",
        &format!("keep = [\"scripts/\", \"deny.toml\", \"src/lib.rs\"]\n{record}"),
    );
    repository.edit("src/lib.rs", "#![no_std]\n", "#![no_std]\n// ours\n");
    let before = files(&repository.project);
    let said = repository.update(&[], 0);
    assert!(
        said.contains("kept      scripts/Test-Driver.ps1: the template has changed it"),
        "{said}"
    );
    assert!(
        said.contains("kept      src/lib.rs: the template has changed it"),
        "{said}"
    );
    let after = files(&repository.project);
    for (file, content) in &before {
        if file.starts_with("scripts") || file == Path::new("src/lib.rs") {
            assert_eq!(after.get(file), Some(content), "{}", file.display());
        }
    }
    assert!(!repository.path("scripts/Windows.ps1").exists());
    let updated = repository.read("template.toml");
    assert!(updated.starts_with("keep = [\"scripts/\", "), "{updated}");
    assert!(!updated.contains("<<<<<<<"), "{updated}");
    assert!(repository.read("template.toml").contains(&own()));

    for (keep, why) in [
        (
            "keep = \"deny.toml\"",
            "keep is a list of files and folders of the project",
        ),
        ("keep = [\"../x\"]", "../x is no path in the project"),
        (
            "keep = [\"/etc/passwd\"]",
            "/etc/passwd is no path in the project",
        ),
    ] {
        repository.write("template.toml", &format!("{keep}\n{record}"));
        let output = repository.xtask("update", &[]);
        assert_eq!(
            output.status.code(),
            Some(2),
            "{keep}: {}",
            self::said(&output)
        );
        assert!(
            self::said(&output).contains(why),
            "{keep}: {}",
            self::said(&output)
        );
    }

    // The list stands below the comment.
    let repository = Repository::new("0.2.0", &[]);
    repository.edit(
        "template.toml",
        "project-name",
        "\n# Ours.\nkeep = [\n  \"deny.toml\",\n]\n\nproject-name",
    );
    repository.update(&[], 0);
    let record = repository.read("template.toml");
    let list = "\n# Ours.\nkeep = [\n  \"deny.toml\",\n]\n\nproject-name";
    assert!(record.contains(list), "{record}");
    assert!(!record.contains("<<<<<<<"), "{record}");
}

#[test]
fn an_answer_is_changed() {
    let repository = Repository::new(&own(), &[]);
    repository.edit("src/lib.rs", "#![no_std]\n", "#![no_std]\n// ours\n");
    let said = repository.update(
        &[
            "--set",
            "control_device=true",
            "--set",
            "operations+=read,write",
            "--set",
            "operations-=create",
        ],
        0,
    );
    assert!(said.contains("added     src/operations/read.rs"), "{said}");
    assert!(
        said.contains("removed   src/operations/create.rs"),
        "{said}"
    );
    assert!(repository.read("src/lib.rs").contains("// ours"));
    let record = repository.read("template.toml");
    assert!(
        record.contains("operations = [\"read\", \"write\"]"),
        "{record}"
    );
    assert!(record.contains("control_device = true"), "{record}");
    repository.commit("Update");
    assert_eq!(repository.xtask("check", &[]).status.code(), Some(0));
}

#[test]
fn an_element_that_is_there_already_is_noted() {
    // One command for many projects does not fail for those that have it.
    let repository = Repository::new(&own(), &[]);
    for (set, note) in [
        (
            "operations+=create",
            "note      operations has create already",
        ),
        (
            "operations-=read",
            "note      operations does not have read; the answer is \"create\"",
        ),
    ] {
        let text = repository.update(&["--set", set], 0);
        assert!(text.contains(note), "{text}");
        assert_eq!(repository.status(), "");
    }
}

#[test]
fn a_wrong_answer_is_refused_with_the_rule() {
    let repository = Repository::new(&own(), &[]);
    let before = files(&repository.project);
    for (set, why) in [
        (
            "control_device",
            "--set control_device gives no answer: write --set option=value",
        ),
        (
            "controldevice=true",
            "controldevice is no option: did you mean control_device?",
        ),
        (
            "control_device=yes",
            "control_device \"yes\": write true or false",
        ),
        ("load_order_group=bottom", "The choices are"),
        (
            "control_device+=true",
            "it is no list; write --set control_device=VALUE",
        ),
        ("operations+=reed", "did you mean read?"),
        ("altitude=999999", "999999"),
    ] {
        let output = repository.xtask("update", &["--set", set]);
        assert_eq!(output.status.code(), Some(2), "{set}: {}", said(&output));
        assert!(said(&output).contains(why), "{set}: {}", said(&output));
        assert_eq!(files(&repository.project), before, "{set}");
    }
}

#[test]
fn a_project_that_cannot_be_updated_is_refused_with_the_way_out() {
    if !has_version("0.1.0") {
        return;
    }
    let repository = Repository::new("0.2.0", &[]);
    let refused = |arguments: &[&str], why: &str| {
        let before = files(&repository.project);
        let output = repository.xtask("update", arguments);
        assert_eq!(output.status.code(), Some(2), "{why}: {}", said(&output));
        assert!(said(&output).contains(why), "{why}: {}", said(&output));
        assert_eq!(files(&repository.project), before);
    };
    repository.write("notes.txt", "notes");
    refused(
        &[],
        "has changes that are not committed: notes.txt. Commit them first",
    );
    fs::remove_file(repository.path("notes.txt")).unwrap();
    refused(&["--to", "0.1.0"], "an update does not go back");
    refused(
        &["--to", "7.0.0"],
        "version 7.0.0 is newer than this clone of the template",
    );
    refused(
        &["--to", "0.2.1"],
        "0.2.1 is no version of the template: they are",
    );

    let record = repository.read("template.toml");
    let newer = record.replace("\"0.2.0\"", "\"7.0.0\"");
    repository.write("template.toml", &newer);
    refused(
        &[],
        "version 7.0.0 is newer than this clone of the template",
    );
    repository.write("template.toml", "project-name = \"x\"\n");
    refused(
        &[],
        "has no template_version in a table [values]: it is no record of a project",
    );
    let wrong = record.replace("load_order_group = \"", "load_order_group = \"x-");
    repository.write("template.toml", &wrong);
    refused(&[], "load_order_group \"x-");
    fs::remove_file(repository.path("template.toml")).unwrap();
    refused(&[], "cargo xtask adopt");

    let folder = xtask::scratch_folder().unwrap();
    let project = folder.path().join("project");
    emit("0.2.0", &[], &project);
    let output = xtask(&project, "update", &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        said(&output).contains("is in no git repository"),
        "{}",
        said(&output)
    );
    let init = Command::new("git")
        .args(["init", "--quiet"])
        .current_dir(&project)
        .status();
    assert!(init.unwrap().success());
    let output = xtask(&project, "update", &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        said(&output).contains("is not committed: commit it first"),
        "{}",
        said(&output)
    );
}

#[test]
fn the_rest_of_the_repository_is_not_touched() {
    if !has_version("0.1.0") {
        return;
    }
    let repository = Repository::at("drivers/a", "0.2.0", &[]);
    let other = repository.root().join("drivers/b");
    emit("0.2.0", &[], &other);
    repository.commit("Add b");
    for project in ["a", "b"] {
        let readme = repository
            .root()
            .join("drivers")
            .join(project)
            .join("README.md");
        let text = fs::read_to_string(&readme).unwrap();
        fs::write(readme, format!("{text}\n## Our own\n")).unwrap();
    }
    repository.commit("Edit");
    // What is not committed elsewhere does not matter.
    fs::write(other.join("README.md"), "changed").unwrap();
    let before = files(&other);
    let drivers = repository.root().join("drivers");
    for (from, named) in [
        (repository.root(), "drivers/a"),
        (drivers.join("a"), "."),
        (drivers, "a"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
            .args(["update", named, "--dry-run"])
            .current_dir(from)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        assert!(
            said(&output).starts_with(&format!("{named}: version 0.2.0")),
            "{}",
            said(&output)
        );
    }
    repository.update(&[], 0);
    assert_eq!(files(&other), before);
    assert!(repository.read("README.md").ends_with("\n## Our own\n"));
    assert!(repository.read("template.toml").contains(&own()));
}

#[test]
fn the_users_settings_hooks_and_environment_change_nothing() {
    if !has_version("0.1.0") {
        return;
    }
    let repository = Repository::new("0.2.0", &[]);
    let home = repository.folder.path().join("home");
    let hooks = home.join("hooks");
    fs::create_dir_all(&hooks).unwrap();
    let ran = home.join("ran");
    let script = format!("#!/bin/sh\ntouch {}\nexit 1\n", ran.display());
    for hook in [
        "pre-commit",
        "post-checkout",
        "post-index-change",
        "reference-transaction",
        "gpg",
    ] {
        let file = hooks.join(hook);
        fs::write(&file, &script).unwrap();
        executable(&file);
    }
    let settings = format!(
        "[commit]\n gpgsign = true\n[gpg]\n program = {0}/gpg\n[core]\n hooksPath = {0}\n excludesFile = {1}\n[init]\n templateDir = {1}\n\
         [merge]\n conflictStyle = diff3\n renames = false\n[diff]\n noprefix = true\n external = /bin/false\n",
        hooks.display(),
        home.join("nothing").display()
    );
    fs::write(home.join(".gitconfig"), settings).unwrap();
    let index = fs::read(repository.root().join(".git/index")).unwrap();
    let references = repository.git(&["for-each-ref"]);
    let objects = repository.git(&["count-objects", "-v"]);
    for verb in ["check", "diff", "update"] {
        let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
            .arg(verb)
            .arg(&repository.project)
            .env("HOME", &home)
            .env("GIT_DIR", "/nonexistent")
            .env("GIT_INDEX_FILE", "/nonexistent/index")
            .env("GIT_AUTHOR_DATE", "no date")
            .output()
            .unwrap();
        assert_ne!(output.status.code(), Some(2), "{verb}: {}", said(&output));
    }
    assert!(!ran.exists(), "a hook or gpg ran");
    assert_eq!(
        fs::read(repository.root().join(".git/index")).unwrap(),
        index
    );
    assert_eq!(repository.git(&["for-each-ref"]), references);
    assert_eq!(repository.git(&["count-objects", "-v"]), objects);
    repository.git(&["fsck", "--strict"]);
    let fresh = xtask::scratch_folder().unwrap();
    emit(&own(), &[], &fresh.path().join("fresh"));
    assert_eq!(
        files(&repository.project),
        files(&fresh.path().join("fresh"))
    );
}

#[cfg(unix)]
fn executable(file: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
}

#[cfg(not(unix))]
fn executable(_: &Path) {}

#[test]
fn ends_of_lines_are_those_of_the_working_tree() {
    for autocrlf in ["false", "true"] {
        let repository = Repository::new(&own(), &[]);
        repository.git(&["config", "core.autocrlf", autocrlf]);
        // What has no attribute has the ends of lines that git's setting gives it.
        fs::remove_file(repository.path(".gitattributes")).unwrap();
        repository.write(".gitattributes", "*.inx text eol=crlf\n");
        repository.commit("Edit the attributes");
        repository.git(&["rm", "--quiet", "--cached", "-r", "."]);
        repository.git(&["reset", "--quiet", "--hard"]);
        let is_crlf = |file: &str| {
            let text = repository.read(file);
            let count = text.matches("\r\n").count();
            assert!(count == 0 || count == text.matches('\n').count(), "{file}");
            count != 0
        };
        assert!(is_crlf("my_filter.inx"));
        assert_eq!(is_crlf("src/lib.rs"), autocrlf == "true");
        let inx = repository.read("my_filter.inx");
        let provider = line_with(&inx, "[Strings]");
        repository.edit("my_filter.inx", &provider, &format!("; ours\r\n{provider}"));
        let said = repository.update(
            &[
                "--set",
                "load_order_group=encryption",
                "--set",
                "control_device=true",
            ],
            0,
        );
        assert!(said.contains("changed   my_filter.inx"), "{said}");
        for file in ["my_filter.inx", "src/lib.rs", "Cargo.toml"] {
            assert_eq!(
                is_crlf(file),
                file == "my_filter.inx" || autocrlf == "true",
                "{file}"
            );
        }
        assert!(repository.read("my_filter.inx").contains("; ours\r\n"));
        let changed = repository.git(&["diff", "--numstat", "--", "my_filter.inx"]);
        let lines: u32 = changed.split('\t').next().unwrap().parse().unwrap();
        assert!(lines < 12, "{changed}");
        repository.commit("Update");

        let inx = repository.read("my_filter.inx");
        repository.write(
            "my_filter.inx",
            &inx.replace("LoadOrderGroup = ", "LoadOrderGroup =  "),
        );
        repository.commit("Edit");
        repository.update(&["--set", "load_order_group=replication"], 1);
        assert!(is_crlf("my_filter.inx"));
        assert!(
            repository
                .read("my_filter.inx")
                .contains("<<<<<<< project\r\n")
        );
    }
}

#[test]
fn what_git_ignores_and_what_is_behind_a_link_is_left() {
    if !has_version("0.1.0") {
        return;
    }
    let repository = Repository::new("0.2.0", &[]);
    let ignore = repository.read(".gitignore");
    repository.write(".gitignore", &format!("{ignore}/src/flt/\n"));
    repository.commit("Ignore");
    repository.write("src/flt/mod.rs", "// ours\n");
    let said = repository.update(&[], 1);
    assert!(
        said.contains("conflict  src/flt/mod.rs: the template adds it, and git ignores what is there: it is left"),
        "{said}"
    );
    assert_eq!(repository.read("src/flt/mod.rs"), "// ours\n");

    #[cfg(unix)]
    {
        let repository = Repository::new(&own(), &[]);
        let outside = repository.folder.path().join("outside");
        fs::rename(repository.path("scripts"), &outside).unwrap();
        std::os::unix::fs::symlink(&outside, repository.path("scripts")).unwrap();
        repository.commit("Move the scripts");
        let before = files(&outside);
        repository.update(
            &["--set", "attach=manual", "--set", "unload_policy=never"],
            1,
        );
        assert_eq!(files(&outside), before);
        assert!(
            fs::symlink_metadata(repository.path("scripts"))
                .unwrap()
                .is_symlink()
        );
    }
}

#[test]
fn several_projects_are_updated_and_one_that_fails_is_named() {
    if !has_version("0.1.0") {
        return;
    }
    let first = Repository::new("0.2.0", &[]);
    let second = Repository::new("0.2.0", &[]);
    second.write("notes.txt", "notes");
    let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .arg("update")
        .args([&second.project, &first.project])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(
        said(&output).contains("not committed: notes.txt"),
        "{}",
        said(&output)
    );
    assert!(first.read("template.toml").contains(&own()));
    assert!(second.read("template.toml").contains("0.2.0"));

    let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(["check", "--json"])
        .args([&second.project, &first.project])
        .arg("/nonexistent")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8(output.stdout).unwrap();
    let rows: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let states: Vec<_> = rows.iter().map(|row| &row["state"]).collect();
    assert_eq!(states, ["behind", "current", "error"]);
    assert!(rows[0]["changes"].as_array().unwrap().len() > 50);
    assert!(
        rows[0]["notes"]
            .to_string()
            .contains("dev_drive has no answer in the record")
    );
    assert!(
        rows[2]["error"]
            .as_str()
            .unwrap()
            .contains("has no template.toml")
    );
}

#[test]
fn without_a_base_each_difference_is_a_conflict() {
    if !has_version("0.1.0") {
        return;
    }
    let repository = Repository::new("0.2.0", &[]);
    let before = files(&repository.project);
    let said = repository.update(&["--without-base"], 1);
    let fresh = xtask::scratch_folder().unwrap();
    emit(&own(), &[], &fresh.path().join("fresh"));
    let new = files(&fresh.path().join("fresh"));
    for (file, content) in &before {
        let shown = file.display().to_string();
        let named = said.contains(&format!("conflict  {shown}: both"));
        let differs = new.get(file).is_some_and(|other| other != content);
        assert_eq!(named, differs, "{shown}: {said}");
        // Each line of the project is still there.
        let after =
            String::from_utf8_lossy(&fs::read(repository.path(&shown)).unwrap()).into_owned();
        for line in String::from_utf8_lossy(content).lines() {
            assert!(after.contains(line), "{shown}: {line}");
        }
    }
}

#[test]
fn a_project_without_a_record_is_adopted_and_compared() {
    if !has_version("0.1.0") {
        return;
    }
    let repository = Repository::new("0.1.0", &[("attach", "manual")]);
    assert!(!repository.path("template.toml").exists());
    repository.edit("src/lib.rs", "#![no_std]\n", "#![no_std]\n// ours\n");
    let arguments = ["--from", "0.1.0", "-d", "attach=manual"];
    let output = repository.xtask("adopt", &[&arguments[..], &["--dry-run"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(
        said(&output).contains("  different             src/lib.rs\n1 file differs"),
        "{}",
        said(&output)
    );
    assert_eq!(repository.status(), "");
    let output = repository.xtask("adopt", &arguments);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    repository.commit("Add a record");
    let output = repository.xtask("adopt", &arguments);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        said(&output).contains("has a record already"),
        "{}",
        said(&output)
    );

    let output = repository.xtask("diff", &[]);
    assert_eq!(output.status.code(), Some(1));
    let added: Vec<String> = said(&output)
        .lines()
        .filter(|line| line.starts_with('+') && !line.starts_with("+++"))
        .map(str::to_owned)
        .collect();
    assert!(added.contains(&"+// ours".to_owned()), "{added:?}");
    // That version emits no record: the new one replaces the one that was written.
    let output = repository.xtask("update", &[]);
    assert!(
        !said(&output).contains("conflict  template.toml"),
        "{}",
        said(&output)
    );
    assert!(repository.read("src/lib.rs").contains("// ours"));
    let record: toml::Table = repository.read("template.toml").parse().unwrap();
    assert_eq!(record["values"]["template_version"].as_str(), Some(&*own()));

    let fresh = Repository::at("drivers/a", &own(), &[]);
    let output = fresh.xtask("diff", &[]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
}

/// A version that is not released: this clone's, changed.
fn synthetic(version: &str, change: impl FnOnce(&Path)) -> Template {
    let folder = xtask::commands::new::staged().unwrap();
    change(folder.path());
    Template::in_folder(version.parse().unwrap(), folder).unwrap()
}

/// Updates a project from one version to another.
fn between(
    repository: &Repository,
    old: Template,
    new: Template,
    set: &[&str],
) -> anyhow::Result<Plan> {
    let set = set.iter().map(|text| update::parsed(text));
    let wanted = Wanted {
        template: new,
        plain: None,
        old_kit: None,
        set: set.collect::<anyhow::Result<_>>()?,
        base: Base::Of(Box::new(old)),
        asks: false,
    };
    update::apply(&repository.project, &wanted)
}

fn replace(file: &Path, find: &str, replace: &str) {
    let text = fs::read_to_string(file).unwrap();
    assert!(text.contains(find), "{find:?} is not in {}", file.display());
    fs::write(file, text.replace(find, replace)).unwrap();
}

#[test]
fn a_file_that_is_no_text_has_no_conflict_markers() {
    for changed_by_author in [false, true] {
        let repository = Repository::new(&own(), &[]);
        let logo = |content: &'static [u8]| {
            move |folder: &Path| fs::write(folder.join("template/logo.ico"), content).unwrap()
        };
        fs::write(repository.path("logo.ico"), b"old\0").unwrap();
        repository.commit("Add a logo");
        if changed_by_author {
            fs::write(repository.path("logo.ico"), b"ours\0").unwrap();
            repository.commit("Change the logo");
        }
        let (old, new) = (
            synthetic("8.0.0", logo(b"old\0")),
            synthetic("9.0.0", logo(b"new\0")),
        );
        let plan = between(&repository, old, new, &[]).unwrap();
        let read = |file: &str| fs::read(repository.path(file)).unwrap();
        if changed_by_author {
            assert_eq!(plan.conflicts.len(), 1);
            assert_eq!(
                plan.conflicts[0].what,
                "both have changed it, and it is no text: the template's is logo.ico.template-9.0.0"
            );
            assert_eq!(read("logo.ico"), b"ours\0");
            assert_eq!(read("logo.ico.template-9.0.0"), b"new\0");
            let output = repository.xtask("check", &[]);
            assert!(
                said(&output).contains("open      logo.ico.template-9.0.0"),
                "{}",
                said(&output)
            );
        } else {
            assert!(plan.conflicts.is_empty());
            assert_eq!(read("logo.ico"), b"new\0");
        }
    }
}

#[test]
fn renamed_added_and_executable_files_arrive() {
    let repository = Repository::new(&own(), &[]);
    let instance = repository.read("src/instance.rs");
    repository.write("src/instance.rs", &format!("{instance}// ours\n"));
    repository.write("src/helpers.rs", "// helpers of the author\n");
    repository.commit("Add helpers");
    let old = synthetic("8.0.0", |_| ());
    let new = synthetic("9.0.0", |folder| {
        let source = folder.join("template/src");
        fs::rename(source.join("instance.rs"), source.join("attachment.rs")).unwrap();
        fs::write(source.join("helpers.rs"), "// helpers of the template\n").unwrap();
        fs::write(folder.join("template/build.sh"), "#!/bin/sh\n").unwrap();
        executable(&folder.join("template/build.sh"));
        fs::remove_file(folder.join("template/deny.toml")).unwrap();
    });
    let plan = between(&repository, old, new, &[]).unwrap();
    assert!(!repository.path("src/instance.rs").exists());
    assert!(repository.read("src/attachment.rs").contains("// ours\n"));
    assert!(!repository.path("deny.toml").exists());
    let conflicts: Vec<&str> = plan.conflicts.iter().map(|it| it.path.as_str()).collect();
    assert_eq!(conflicts, ["src/helpers.rs"]);
    for part in [
        "// helpers of the author\n",
        "// helpers of the template\n",
        "<<<<<<< project",
    ] {
        assert!(repository.read("src/helpers.rs").contains(part));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(repository.path("build.sh"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o111, 0o111);
    }
}

#[test]
fn an_answer_that_a_newer_version_refuses_is_named_with_the_way_out() {
    let repository = Repository::new(&own(), &[("attach", "manual")]);
    let without_manual = || {
        synthetic("9.0.0", |folder| {
            replace(
                &folder.join("cargo-generate.toml"),
                "value = \"manual\"",
                "value = \"on-request\"",
            );
        })
    };
    let before = files(&repository.project);
    let error = between(
        &repository,
        synthetic("8.0.0", |_| ()),
        without_manual(),
        &[],
    )
    .err()
    .unwrap();
    let sentence = format!("{error:#}");
    for part in [
        "attach \"manual\"",
        "The choices are",
        "Give others: cargo xtask update",
        "--set attach=VALUE",
    ] {
        assert!(sentence.contains(part), "{part:?} is not in {sentence}");
    }
    assert_eq!(files(&repository.project), before);
    let old = synthetic("8.0.0", |_| ());
    between(&repository, old, without_manual(), &["attach=automatic"]).unwrap();
    assert!(
        repository
            .read("template.toml")
            .contains("attach = \"automatic\"")
    );
}

/// The number of projects in a run, and its seed: `UPDATE_RUNS`, `UPDATE_SEED`.
fn asked(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).map_or(otherwise, |text| text.parse().unwrap())
}

#[test]
fn each_line_of_random_edits_stays_or_stands_in_a_conflict() {
    let seed = asked("UPDATE_SEED", 1);
    let mut conflicts = 0;
    let runs = asked("UPDATE_RUNS", 24);
    for run in 0..runs {
        let mut random = fastrand::Rng::with_seed(seed + run);
        conflicts += random_update(
            &mut random,
            &format!("UPDATE_SEED={} UPDATE_RUNS=1", seed + run),
        );
    }
    println!("{runs} projects, {conflicts} of them with conflicts");
}

/// Updates a project with random edits. Returns 1 if it has conflicts.
fn random_update(random: &mut fastrand::Rng, again: &str) -> u64 {
    let policies = ["always", "refuse-non-mandatory", "never"];
    let operations = [
        "create",
        "create,read,write",
        "cleanup,close",
        "set-information",
    ];
    let answers = [
        ("unload_policy", policies[random.usize(..3)]),
        ("operations", operations[random.usize(..4)]),
        (
            "control_device",
            if random.bool() { "true" } else { "false" },
        ),
    ];
    let real = random.bool() && has_version("0.1.0");
    let versions = xtask::checks::versions::read().unwrap();
    let released: Vec<String> = versions
        .iter()
        .filter(|it| it.released && it.commit.is_some())
        .map(|it| it.number.to_string())
        .collect();
    let at = random.usize(..released.len());
    let version = if real { released[at].clone() } else { own() };
    let repository = Repository::new(&version, &answers);
    if version == "0.1.0" {
        // It has no record.
        let define = answers
            .iter()
            .map(|(name, value)| format!("-d{name}={value}"));
        let arguments: Vec<String> = ["--from", &version]
            .map(str::to_owned)
            .into_iter()
            .chain(define)
            .collect();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let output = repository.xtask("adopt", &arguments);
        assert!(output.status.success(), "{again}: {}", said(&output));
        repository.commit("Adopt");
    }
    let lines = random_edits(&repository, random);
    repository.commit("Edit");
    let planned = if real {
        // To the version of this clone, or to a released one.
        let later: Vec<&String> = released[at + 1..].iter().collect();
        let template = match later.get(random.usize(..=later.len())) {
            Some(version) => Template::of(&version.parse().unwrap()),
            None => Template::own(),
        };
        let wanted = Wanted {
            template: template.unwrap(),
            plain: None,
            old_kit: None,
            set: Vec::new(),
            base: Base::Recorded,
            asks: false,
        };
        update::apply(&repository.project, &wanted)
    } else {
        let mut changes = fastrand::Rng::with_seed(random.u64(..));
        let new = synthetic("9.0.0", |folder| random_template(folder, &mut changes));
        between(&repository, Template::own().unwrap(), new, &[])
    };
    let plan = planned.unwrap_or_else(|error| panic!("{again}: {error:#}"));
    println!(
        "{} -> {}: {} files, {} conflicts",
        plan.from,
        plan.to,
        plan.changes.len(),
        plan.conflicts.len()
    );
    let mut text: String = plan
        .conflicts
        .iter()
        .map(|it| it.difference.clone())
        .collect();
    for content in files(&repository.project).into_values() {
        text.push_str(&String::from_utf8_lossy(&content));
    }
    for line in &lines {
        assert!(text.contains(line.as_str()), "{again}: {line} is lost");
    }
    u64::from(!plan.conflicts.is_empty())
}

/// Changes files of a project. Returns the lines that were added.
fn random_edits(repository: &Repository, random: &mut fastrand::Rng) -> Vec<String> {
    let mut added: Vec<(String, String)> = Vec::new();
    for number in 0..random.usize(1..12) {
        let all: Vec<String> = files(&repository.project)
            .keys()
            .map(|file| file.to_string_lossy().replace('\\', "/"))
            .filter(|file| {
                // A change of the attributes makes files differ from what is committed.
                let special = ["template.toml", ".gitattributes"].contains(&file.as_str());
                !special && !file.starts_with("testbench/bench/")
            })
            .collect();
        let file = random.choice(&all).unwrap().clone();
        let text = repository.read(&file);
        let line = format!("// the author's line {number} {}", random.u32(..));
        match random.u8(..10) {
            0 => {
                fs::remove_file(repository.path(&file)).unwrap();
                added.retain(|(place, _)| *place != file);
            }
            1 => {
                let to = format!("{file}.moved");
                fs::rename(repository.path(&file), repository.path(&to)).unwrap();
                for (place, _) in added.iter_mut().filter(|(place, _)| *place == file) {
                    place.clone_from(&to);
                }
            }
            2 => {
                let new = format!("src/own_{number}.rs");
                repository.write(&new, &format!("{line}\n"));
                added.push((new, line));
            }
            kind => {
                let mut lines: Vec<&str> = text.split('\n').collect();
                let at = random.usize(..lines.len());
                if kind < 6 && !lines[at].contains("the author's line") {
                    lines[at] = &line;
                } else {
                    lines.insert(at, &line);
                }
                repository.write(&file, &lines.join("\n"));
                added.push((file, line));
            }
        }
    }
    added.into_iter().map(|(_, line)| line).collect()
}

/// Changes the sources of the template: renames, removes, adds and changes files that are not rendered into conditions.
fn random_template(folder: &Path, random: &mut fastrand::Rng) {
    let sources = folder.join("template/src");
    let names = ["instance.rs", "driver.rs", "state.rs", "unload/always.rs"];
    for name in names {
        let file = sources.join(name);
        if !file.exists() {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        let mut lines: Vec<&str> = text.split('\n').collect();
        let at = random.usize(..lines.len());
        match random.u8(..4) {
            0 => lines.insert(at, "// a line of the template"),
            1 if !lines[at].contains('{') => lines[at] = "// another line of the template",
            _ => continue,
        }
        fs::write(file, lines.join("\n")).unwrap();
    }
    if random.bool() {
        fs::rename(
            folder.join("template/deny.toml"),
            folder.join("template/licenses.toml"),
        )
        .unwrap();
    }
    if random.bool() {
        fs::write(sources.join("own_1.rs"), "// the template's\n").unwrap();
    }
    if random.bool() {
        fs::remove_file(folder.join("template/rust-toolchain.toml")).unwrap();
    }
}

#[test]
fn conflicts_that_are_open_or_committed_are_named() {
    // A conflict in the record itself.
    let repository = Repository::new(&own(), &[]);
    let record = repository.read("template.toml");
    repository.write(
        "template.toml",
        &format!("<<<<<<< project\na = 1\n=======\n>>>>>>> template-9.0.0\n{record}"),
    );
    let sentence = "template.toml has a conflict of an update: resolve it, and commit";
    for verb in ["check", "update", "diff"] {
        let output = repository.xtask(verb, &[]);
        assert_eq!(output.status.code(), Some(2), "{verb}");
        assert!(
            said(&output).contains(sentence),
            "{verb}: {}",
            said(&output)
        );
    }
    repository.write("template.toml", &record);

    // Markers that were committed, and the template's version of a file that is no text.
    for (file, text) in [
        (
            "src/lib.rs",
            "<<<<<<< project\n=======\n>>>>>>> template-9.0.0\n",
        ),
        ("logo.ico.template-9.0.0", "x"),
    ] {
        let repository = Repository::new(&own(), &[]);
        repository.write(file, text);
        repository.commit("Commit a conflict");
        let before = files(&repository.project);
        let text = repository.update(&["--set", "attach=manual"], 2);
        assert!(
            text.contains(&format!(
                "has a conflict of an earlier update, {file}: resolve it"
            )),
            "{text}"
        );
        assert_eq!(files(&repository.project), before);
        let output = repository.xtask("check", &[]);
        assert_eq!(output.status.code(), Some(1));
        assert!(said(&output).contains(file), "{}", said(&output));
    }
}

#[test]
fn a_record_is_a_place_and_needless_entries_of_keep_are_named() {
    let repository = Repository::new(&own(), &[]);
    repository.edit(
        "template.toml",
        "project-name",
        "keep = [\"deny.toml\", \"scrpts/\"]\nproject-name",
    );
    let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(["update", "template.toml", "--set", "attach=manual"])
        .current_dir(&repository.project)
        .output()
        .unwrap();
    let text = said(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(
        text.contains(
            "note      scrpts/ in the list keep of the record is neither in the project nor"
        ),
        "{text}"
    );
    assert!(!text.contains("deny.toml in the list"), "{text}");
}

#[test]
#[cfg(unix)]
fn an_update_that_is_killed_can_be_undone_and_repeated() {
    if !has_version("0.2.0") {
        return;
    }
    let repository = Repository::new("0.2.0", &[]);
    repository.write("src/own.rs", "// ours\n");
    repository.commit("Edit");
    let before = files(&repository.project);
    let references = repository.git(&["for-each-ref"]);
    let arguments = ["--set", "control_device=true", "--set", "operations+=read"];
    let start = std::time::Instant::now();
    repository.update(&arguments, 0);
    let whole = start.elapsed();
    let after = files(&repository.project);
    let is_changed = |path: &&PathBuf| before.get(*path) != after.get(*path);
    let first = after.keys().find(is_changed).unwrap();
    let undo = || {
        repository.git(&["restore", "."]);
        repository.git(&["clean", "-d", "--force", "--quiet", "."]);
        assert_eq!(files(&repository.project), before);
    };
    undo();
    let mut interrupted = 0;
    for moment in 1..=10 {
        let mut child = Command::new(env!("CARGO_BIN_EXE_xtask"))
            .arg("update")
            .arg(&repository.project)
            .args(arguments)
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        if moment < 4 {
            std::thread::sleep(whole * moment / 4);
        } else {
            // When the first file is written.
            while fs::read(repository.path(first.to_str().unwrap())).ok()
                != after.get(first).cloned()
                && child.try_wait().unwrap().is_none()
            {}
            std::thread::sleep(std::time::Duration::from_millis(u64::from(moment - 4)));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let now = files(&repository.project);
        if now != before && now != after {
            interrupted += 1;
            // The record is written last.
            let record = Path::new("template.toml");
            assert_eq!(now[record], before[record]);
            let text = repository.update(&arguments, 2);
            assert!(
                text.contains("If an update was interrupted, git -C"),
                "{text}"
            );
        }
        // Each file is the old one or the new one.
        for (file, content) in &now {
            let is_temporary = file
                .file_name()
                .unwrap()
                .to_string_lossy()
                .starts_with(".template-");
            let is_whole = before.get(file) == Some(content) || after.get(file) == Some(content);
            assert!(is_whole || is_temporary, "{}", file.display());
        }
        undo();
    }
    println!("{interrupted} of 10 updates were interrupted while files were written");
    assert!(interrupted > 0);
    repository.git(&["fsck", "--strict"]);
    assert_eq!(repository.git(&["for-each-ref"]), references);
    repository.update(&arguments, 0);
    assert_eq!(files(&repository.project), after);
}

/// A text with random mistakes of somebody who means harm.
fn spoiled(record: &str, random: &mut fastrand::Rng) -> String {
    let places = [
        "../outside",
        "/etc/passwd",
        "C:\\\\outside",
        "a/../../outside",
        "link/file",
        "\\u0000",
        "",
    ];
    let place = random.choice(places).unwrap();
    let lines: Vec<&str> = record.lines().collect();
    let at = random.usize(..lines.len());
    let line = match random.u8(..8) {
        0 => format!("keep = [\"{place}\"]"),
        1 => format!("project-name = \"{place}\""),
        2 => format!("kit = \"{place}\""),
        3 => "kit = \"0123456789abcdef0123456789abcdef01234567\"".to_owned(),
        4 => format!("template_version = \"{place}\""),
        5 => match lines[at].split_once('=') {
            Some((name, _)) => format!("{name}= \"{place}\""),
            None => place.to_string(),
        },
        6 => String::new(),
        _ => {
            let mut text = lines[at].to_owned();
            let character = random
                .choice(['"', '=', '[', '\0', '\u{202e}', '{', '%'])
                .unwrap();
            text.insert(random.usize(..=text.len()), character);
            text
        }
    };
    let key = line.split('=').next().unwrap_or_default().to_owned();
    let same = lines
        .iter()
        .position(|it| !key.trim().is_empty() && it.starts_with(&key));
    let mut lines: Vec<String> = lines.into_iter().map(str::to_owned).collect();
    match same {
        Some(same) => lines[same] = line,
        None if key.trim() == "keep" || key.trim() == "kit" => lines.insert(0, line),
        None => lines[at] = line,
    }
    lines.join("\n")
}

#[test]
fn hostile_records_touch_nothing_outside_the_project() {
    let (seed, runs) = (asked("RECORD_SEED", 1), asked("RECORD_RUNS", 60));
    let repository = Repository::at("drivers/a", &own(), &[]);
    repository.write("../b/outside.txt", "outside\n");
    #[cfg(unix)]
    std::os::unix::fs::symlink("../b", repository.path("link")).unwrap();
    repository.commit("Add neighbours");
    let record = repository.read("template.toml");
    let outside = |repository: &Repository| {
        let mut all = files(repository.folder.path());
        all.retain(|file, _| {
            let file = file.to_string_lossy();
            !file.starts_with("repository/drivers/a/") && !file.contains("/.git/")
        });
        all
    };
    let before = outside(&repository);
    let mut refused = 0;
    for run in 0..runs {
        let again = format!("RECORD_SEED={} RECORD_RUNS=1", seed + run);
        let mut random = fastrand::Rng::with_seed(seed + run);
        repository.write("template.toml", &spoiled(&record, &mut random));
        repository.commit("Spoil the record");
        let committed = files(&repository.project);
        let new = synthetic("9.0.0", |folder| {
            fs::create_dir(folder.join("template/link")).unwrap();
            fs::write(folder.join("template/link/outside.txt"), "template\n").unwrap();
        });
        match between(&repository, Template::own().unwrap(), new, &[]) {
            Ok(_) => {}
            Err(error) => {
                refused += 1;
                assert!(format!("{error:#}").len() > 20, "{again}: {error:#}");
                assert_eq!(files(&repository.project), committed, "{again}");
            }
        }
        assert_eq!(outside(&repository), before, "{again}");
        repository.git(&["reset", "--quiet", "--hard", "HEAD~1"]);
        repository.git(&["clean", "-d", "--force", "--quiet"]);
    }
    println!("{runs} hostile records, {refused} of them refused");
    assert!(refused > 0 && refused < runs);
}

/// Each option with each of its values that is not the default.
fn other_answers() -> Vec<(String, String)> {
    let texts = [
        ("description", "Not the default"),
        ("provider", "Contoso"),
        ("license_year", "1999"),
        ("altitude", "370123.5"),
        ("update_workflow", "https://github.com/example/template"),
    ];
    let texts = texts.map(|(option, value)| (option.to_owned(), value.to_owned()));
    let axes = xtask::checks::matrix::axes().unwrap();
    for axis in axes.iter().filter(|axis| axis.values.len() == 1) {
        assert!(texts.iter().any(|(option, _)| *option == axis.name));
    }
    let values = axes.iter().flat_map(|axis| {
        let others = axis.values[1..].iter();
        others.map(|value| (axis.name.clone(), value.clone()))
    });
    values.chain(texts).collect()
}

/// Adds a line after the first line that begins with a text.
fn add_after(repository: &Repository, file: &str, start: &str, line: &str) {
    let text = repository.read(file);
    let found = text.lines().find(|it| it.starts_with(start)).unwrap();
    repository.write(file, &text.replacen(found, &format!("{found}\n{line}"), 1));
}

#[test]
fn each_answer_is_changed_later() {
    let all = other_answers();
    let from = usize::try_from(asked("ANSWER_FROM", 0)).unwrap();
    let runs = usize::try_from(asked("ANSWER_RUNS", 0)).unwrap();
    let some: Vec<_> = if runs == 0 {
        all.iter().step_by(all.len() / 3).collect()
    } else {
        all.iter().skip(from).take(runs).collect()
    };
    for (option, value) in &some {
        let repository = Repository::new(&own(), &[]);
        repository.write(
            "src/own.rs",
            "//! The author's module.\n\npub const OWN: u32 = 1;\n",
        );
        let lines = [
            ("src/lib.rs", "mod state;", "mod own;"),
            (
                "src/instance.rs",
                "use ",
                "// the author's line in instance.rs",
            ),
            ("src/state.rs", "//! ", "//! the author's line in state.rs"),
            ("README.md", "## ", "The author's line in README.md."),
            (
                "Cargo.toml",
                "[dependencies]",
                "# the author's line in Cargo.toml",
            ),
        ];
        for (file, start, line) in lines {
            add_after(&repository, file, start, line);
        }
        repository.commit("Edit");
        let set = format!("{option}={value}");
        let text = repository.update(&["--set", &set], 0);
        for (file, _, line) in lines {
            assert!(
                repository.read(file).contains(line),
                "{set}: {file}\n{text}"
            );
        }
        let record: toml::Table = repository.read("template.toml").parse().unwrap();
        let answer = match &record["values"][option] {
            toml::Value::Array(items) => {
                let items = items.iter().map(|item| item.as_str().unwrap());
                items.collect::<Vec<_>>().join(",")
            }
            toml::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        assert_eq!(answer, *value, "{option}");
        let sys = driver::build(&repository.project, Profile::Release, Arch::Amd64)
            .unwrap_or_else(|error| panic!("{set}: {error:#}"));
        let report = driver::judge_as_expected(&sys).unwrap();
        driver::must_be_clean(&report).unwrap_or_else(|error| panic!("{set}: {error:#}"));
        println!("{set}: builds, no findings");
    }
    println!("{} of {} answers", some.len(), all.len());
}

#[test]
fn the_packages_of_both_sides_are_in_the_lock_file() {
    // The author adds a dependency to the tests; the template changes the lines beside its packages.
    let repository = Repository::new(&own(), &[]);
    let manifest = repository.read("testbench/Cargo.toml");
    let own = "testbench = { path = \"bench\" }\nautocfg-author = { package = \"fastrand\", version = \"2\" }\n";
    let manifest = manifest.replace("testbench = { path = \"bench\" }\n", own);
    repository.write("testbench/Cargo.toml", &manifest);
    let cargo = |arguments: &[&str]| {
        let output = Command::new("cargo")
            .args(arguments)
            .args(["--quiet", "--manifest-path"])
            .arg(repository.path("testbench/Cargo.toml"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", said(&output));
        said(&output)
    };
    cargo(&["update", "--workspace"]);
    repository.commit("Add a dependency");
    let lock = repository.read("testbench/Cargo.lock");
    assert!(lock.contains("name = \"fastrand\""), "{lock}");
    // The new version of the template adds a package at the same place.
    let older = |text: &str| {
        let start = text.find("[[package]]\nname = \"equivalent\"\n").unwrap();
        let end = start + text[start..].find("\n\n").unwrap() + 2;
        let text = format!("{}{}", &text[..start], &text[end..]);
        text.replace(" \"equivalent\",\n", "")
    };
    repository.write("testbench/Cargo.lock", &older(&lock));
    repository.commit("Take the packages of an older version");
    let old = synthetic("8.0.0", |folder| {
        let file = folder.join("template/testbench/Cargo.lock");
        let text = fs::read_to_string(&file).unwrap();
        fs::write(file, older(&text)).unwrap();
    });
    let plan = between(&repository, old, synthetic("9.0.0", |_| ()), &[]).unwrap();
    assert_eq!(plan.conflicts, []);
    assert!(
        plan.notes
            .iter()
            .any(|note| note.contains("changed the packages in testbench/Cargo.lock")),
        "{:?}",
        plan.notes
    );
    assert_eq!(repository.read("testbench/Cargo.lock"), lock);
    cargo(&["tree", "--locked"]);
}
