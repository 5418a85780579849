//! The workflow that brings a project to the newest version of the template, with a repository and a `gh` of the test.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;
use tempfile::TempDir;
use xtask::commands::new::template::Template;

use crate::{
    emitting::{emit, folder, has_version, said},
    read_yaml,
};

const UPDATES: &str = ".github/workflows/template-update.yml";

/// Writes what it is called with to a file, and answers as GitHub does. `open` has the number of the pull request that is
/// open; with a file `denied`, a run may not create one.
const GH: &str = r#"#!/bin/sh
echo "$@" >> "$HOME/gh.txt"
case "$1 $2" in
    "pr list") cat "$HOME/open" 2> /dev/null ;;
    "pr create")
        if [ -f "$HOME/denied" ]; then
            echo "GitHub Actions is not permitted to create or approve pull requests" >&2
            exit 1
        fi
        echo 7 > "$HOME/open" ;;
esac
exit 0
"#;

/// GitHub refuses the push of a workflow with the token of a run.
const HOOK: &str = r#"#!/bin/sh
[ -f "$HOME/may-push-workflows" ] && exit 0
while read -r old new name; do
    if git diff --name-only "$(cat "$HOME/main")" "$new" | grep -q '^.github/workflows/'; then
        echo "refusing to allow a GitHub App to create or update workflow without workflows permission" >&2
        exit 1
    fi
done
"#;

/// A repository on GitHub, with a project of an earlier version.
struct Hosted {
    place: TempDir,
    workflow: Value,
}

impl Hosted {
    fn new(answers: &[(&str, &str)]) -> Self {
        let (_emitted, latest) = emit(&[
            ("update_workflow", "https://github.com/example/template"),
            ("pipeline", "none"),
        ]);
        let hosted = Self {
            place: folder(),
            workflow: read_yaml(&latest.join(UPDATES)),
        };
        let answers = answers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let old = Template::of(&"0.2.0".parse().unwrap()).unwrap();
        let emitted = old
            .emit("my-filter", &answers, hosted.place.path(), None)
            .unwrap();
        assert_eq!(emitted.path, hosted.project());
        hosted.git(&["init", "--quiet", "--initial-branch=main"]);
        hosted.commit();
        let bare = hosted.path("bare.git");
        hosted.git(&["clone", "--quiet", "--bare", ".", bare.to_str().unwrap()]);
        let programs = hosted.path("programs");
        fs::create_dir(&programs).unwrap();
        let xtask = env!("CARGO_BIN_EXE_xtask");
        let cargo = format!("#!/bin/sh\nshift\nexec '{xtask}' \"$@\"\n");
        for (file, text) in [
            (bare.join("hooks/pre-receive"), HOOK),
            (programs.join("gh"), GH),
            (programs.join("cargo"), &cargo),
        ] {
            fs::write(&file, text).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        }
        hosted
    }

    fn path(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    fn project(&self) -> PathBuf {
        self.path("my-filter")
    }

    fn git(&self, arguments: &[&str]) -> String {
        let output = Command::new("git")
            .args(["-c", "user.name=author", "-c", "user.email=a@localhost"])
            .args(arguments)
            .current_dir(self.project())
            .output()
            .unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", said(&output));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn commit(&self) {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "-m", "Commit"]);
        fs::write(self.path("main"), self.git(&["rev-parse", "HEAD"])).unwrap();
    }

    /// What the branch of the updates has in the repository.
    fn branch(&self, what: &str) -> String {
        let bare = self.path("bare.git");
        let name = format!("template-update{what}");
        self.git(&["--git-dir", bare.to_str().unwrap(), "show", &name])
    }

    /// The calls of `gh` in the last run.
    fn calls(&self) -> String {
        let file = self.path("gh.txt");
        let calls = fs::read_to_string(&file).unwrap_or_default();
        let _ = fs::remove_file(file);
        calls
    }

    /// Runs the steps that have a script, as GitHub does, in a fresh checkout.
    fn run(&self, has_secret: bool) -> Output {
        self.git(&["checkout", "--quiet", "--force", "--detach", "main"]);
        self.git(&["clean", "--quiet", "-d", "--force"]);
        self.git(&["branch", "--quiet", "--force", "template-update", "main"]);
        self.git(&["branch", "--quiet", "-D", "template-update"]);
        let output = self.path("output.txt");
        let _ = fs::remove_file(&output);
        fs::create_dir_all(self.path("temp/template")).unwrap();
        let environment = &self.workflow["jobs"]["update"]["env"];
        let steps = self.workflow["jobs"]["update"]["steps"].as_array().unwrap();
        let mut last = None;
        for id in ["merge", ""] {
            let step = steps.iter().find(|step| match step["id"].as_str() {
                Some(found) => found == id,
                None => id.is_empty() && step["name"] == "The pull request",
            });
            let script = step.unwrap()["run"].as_str().unwrap();
            let bare = self.path("bare.git");
            let url = format!("url.{}.insteadOf", bare.display());
            let written = fs::read_to_string(&output).unwrap_or_default();
            let conflicts = written.trim().trim_start_matches("conflicts=").to_owned();
            let folder = if id == "merge" {
                "temp/template"
            } else {
                "my-filter"
            };
            let path = std::env::var("PATH").unwrap();
            let result = Command::new("bash")
                .args(["-e", "-c", script])
                .current_dir(self.path(folder))
                .env("HOME", self.place.path())
                .env(
                    "PATH",
                    format!("{}:{path}", self.path("programs").display()),
                )
                .env("BRANCH", environment["BRANCH"].as_str().unwrap())
                .env("AUTHOR", environment["AUTHOR"].as_str().unwrap())
                .env("GITHUB_WORKSPACE", self.project())
                .env("GITHUB_OUTPUT", &output)
                .env("RUNNER_TEMP", self.path("temp"))
                .env("GITHUB_SERVER_URL", "https://github.test")
                .env("GITHUB_REPOSITORY", "o/r")
                .env("GH_TOKEN", "t0ken")
                .env("HAS_SECRET", has_secret.to_string())
                .env("CONFLICTS", conflicts)
                .env("GIT_CONFIG_COUNT", "1")
                .env("GIT_CONFIG_KEY_0", url)
                .env(
                    "GIT_CONFIG_VALUE_0",
                    "https://x-access-token:t0ken@github.test/o/r.git",
                )
                .output()
                .unwrap();
            let passed = result.status.success();
            last = Some(result);
            if !passed {
                break;
            }
        }
        last.unwrap()
    }
}

fn passed(output: &Output) {
    assert!(output.status.success(), "{}", said(output));
}

fn has_line(file: &Path, line: &str) -> bool {
    fs::read_to_string(file)
        .unwrap()
        .lines()
        .any(|it| it == line)
}

#[test]
fn an_update_is_one_pull_request() {
    if !has_version("0.2.0") {
        return;
    }
    let hosted = Hosted::new(&[("pipeline", "none")]);
    passed(&hosted.run(false));
    let calls = hosted.calls();
    assert!(
        calls.contains("pr create --head template-update --title Update to version "),
        "{calls}"
    );
    assert!(!calls.contains("--draft"), "{calls}");
    let version = Template::own().unwrap().version;
    let line = format!("template_version = \"{version}\"");
    assert!(hosted.branch(":template.toml").contains(&line));
    let body = hosted.path("temp/body.md");
    assert!(
        has_line(&body, "      added     CHANGELOG.md"),
        "{}",
        fs::read_to_string(&body).unwrap()
    );

    // A week later it is still open: it is refreshed, and there is no second one.
    passed(&hosted.run(false));
    let calls = hosted.calls();
    assert!(
        calls.contains("pr edit 7 ") && calls.contains("pr ready 7\n"),
        "{calls}"
    );
    assert!(!calls.contains("pr create"), "{calls}");

    // Somebody has added a commit: it is left.
    hosted.git(&["checkout", "--quiet", "template-update"]);
    hosted.git(&["commit", "--quiet", "--allow-empty", "-m", "By hand"]);
    let bare = hosted.path("bare.git");
    hosted.git(&["push", "--quiet", bare.to_str().unwrap(), "template-update"]);
    let output = hosted.run(false);
    passed(&output);
    assert!(
        said(&output).contains("has a commit of somebody else"),
        "{}",
        said(&output)
    );
    assert!(hosted.branch("").contains("By hand"));
    assert_eq!(hosted.calls(), "");
}

#[test]
fn conflicts_make_a_draft() {
    if !has_version("0.2.0") {
        return;
    }
    let hosted = Hosted::new(&[("pipeline", "none")]);
    fs::write(hosted.project().join("README.md"), "# Ours\n").unwrap();
    hosted.commit();
    passed(&hosted.run(false));
    let calls = hosted.calls();
    assert!(
        calls.contains("(with conflicts)") && calls.contains("--draft"),
        "{calls}"
    );
    assert!(hosted.branch(":README.md").contains("<<<<<<< project"));
    let body = fs::read_to_string(hosted.path("temp/body.md")).unwrap();
    assert!(body.contains("conflict  README.md"), "{body}");
    passed(&hosted.run(false));
    assert!(hosted.calls().contains("pr ready 7 --undo"));
}

#[test]
fn what_a_run_may_not_do_is_said_with_the_setting() {
    if !has_version("0.2.0") {
        return;
    }
    // A workflow has changed, and there is no secret.
    let hosted = Hosted::new(&[("pipeline", "github")]);
    let output = hosted.run(false);
    assert!(!output.status.success());
    assert!(
        said(&output).contains("add it as the secret TEMPLATE_UPDATE_TOKEN"),
        "{}",
        said(&output)
    );
    assert_eq!(hosted.calls(), "");
    // The token of the secret may not push workflows either.
    let output = hosted.run(true);
    assert!(!output.status.success());
    assert!(
        said(&output).contains("the token lacks the permission"),
        "{}",
        said(&output)
    );
    fs::write(hosted.path("may-push-workflows"), "").unwrap();
    fs::write(hosted.path("denied"), "").unwrap();
    let output = hosted.run(true);
    assert!(!output.status.success());
    assert!(
        said(&output).contains("Allow GitHub Actions to create and approve pull requests"),
        "{}",
        said(&output)
    );
    assert!(!said(&output).contains("t0ken"), "{}", said(&output));
    fs::remove_file(hosted.path("denied")).unwrap();
    passed(&hosted.run(true));
    assert!(hosted.branch(":.github/workflows/ci.yml").contains("SBOM"));
}

#[test]
fn nothing_is_done_for_a_project_of_the_newest_version() {
    if !has_version("0.2.0") {
        return;
    }
    let hosted = Hosted::new(&[("pipeline", "none")]);
    passed(&hosted.run(false));
    hosted.calls();
    hosted.git(&["checkout", "--quiet", "-B", "main", "template-update"]);
    let output = hosted.run(false);
    passed(&output);
    assert_eq!(said(&output), "The project is of the newest version.\n");
    assert_eq!(hosted.calls(), "");
}

#[test]
fn it_has_no_permission_that_github_does_not_know() {
    let (_place, project) = emit(&[("update_workflow", "https://github.com/example/template")]);
    crate::yaml::lint_workflows(&project)
        .iter()
        .for_each(crate::must_pass);
    let workflow = read_yaml(&project.join(UPDATES));
    let permissions = workflow["jobs"]["update"]["permissions"]
        .as_object()
        .unwrap();
    assert_eq!(
        permissions.keys().collect::<Vec<_>>(),
        ["contents", "pull-requests"]
    );
}
