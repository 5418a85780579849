//! `cargo xtask update`: brings projects to a newer version of the template, or changes an answer.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, bail, ensure};
use semver::Version;
use serde::Serialize;

use super::{
    merge::{Conflict, Trees, merge},
    project::{self, Place, Project, is_within},
    records,
    write::{self, Change, Kind},
};
use crate::git::{Store, color, run as run_git};
use crate::{
    commands::{
        kit::choice::{self, Choice},
        new::{
            answers::{Answers, judge, judged},
            ask, record,
            template::{ALTITUDE, Template},
        },
        options::{Kind as OptionKind, find, named, shown},
    },
    interruption,
};

/// Bring projects to a newer version of the template, or change their answers.
///
/// The record of a project, template.toml, names the version that emitted it and the answers. What that version emits and
/// what the new one emits are merged with the project by git: your lines stay, or stand in a conflict. The project must be
/// in a git repository, with all changes committed. Its files are changed; nothing is committed.
///
/// Options that are new take their defaults, or are asked at a terminal. A list keep in the record names files and
/// folders that are never changed. A kit that emitted the project must be committed; what has changed in it is merged, too.
#[derive(Debug, clap::Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The folders of the projects, or their records
    #[arg(required = true, value_name = "DIR", value_parser = project::folder())]
    folders: Vec<PathBuf>,

    /// The version of the template [default: that of this clone]
    #[arg(long, value_name = "VERSION")]
    to: Option<Version>,

    /// Change an answer. option+=value and option-=value change one element of a list
    #[arg(long, value_name = "OPTION=VALUE")]
    set: Vec<String>,

    /// Do without what the recorded version emits: each difference between the project and the new version is a conflict
    #[arg(long)]
    without_base: bool,

    /// Write nothing: list what would change
    #[arg(long)]
    dry_run: bool,

    /// Print the changes as a patch, too
    #[arg(long)]
    diff: bool,

    /// Ask nothing, also at a terminal: new options take their defaults
    #[arg(short, long)]
    silent: bool,

    /// Print the result as JSON, one line for each project
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    kit: Choice,

    /// The folder of the kit that emitted the project, if the project leaves it or moves to another one
    #[arg(long, value_name = "DIR")]
    old_kit: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  cargo xtask update ../my-filter
      to the version of this clone
  cargo xtask update ../my-filter --dry-run --diff
      what that would change
  cargo xtask update ../my-filter --set control_device=true --set operations+=read
      other answers
  cargo xtask update ../*/template.toml
      several projects
  cargo xtask update ../my-filter --no-kit --old-kit ../kit
      without the kit that emitted it
  cargo xtask update ../my-filter --kit ../new-kit --old-kit ../kit
      to another kit

In template.toml: keep = [\"deny.toml\", \"scripts/\"]

Exit status: 0 every project is up to date; 1 there are conflicts, which are listed; 2 a project was not updated.
git restore and git clean, in the folder of the project, undo an update.";

/// What an update makes of a project.
#[derive(Serialize)]
pub struct Plan {
    /// The folder, as the user wrote it.
    pub project: String,
    /// The version in the record.
    pub from: String,
    /// The new version.
    pub to: String,
    /// What the user should know of the answers.
    pub notes: Vec<String>,
    /// The files that change.
    pub changes: Vec<Change>,
    /// The files that the author must look at.
    pub conflicts: Vec<Conflict>,
    /// The files that `keep` names and the template changes.
    pub kept: Vec<String>,
    #[serde(skip)]
    answers: Answers,
    #[serde(skip)]
    contents: BTreeMap<String, PathBuf>,
    #[serde(skip)]
    trees: (String, String),
    #[serde(skip)]
    store: Store,
}

/// A project that was not updated, for a script.
#[derive(Serialize)]
struct Refused {
    project: String,
    from: Option<String>,
    error: String,
}

/// A change of an answer.
#[derive(Clone, Debug)]
pub struct Set {
    name: String,
    sign: Sign,
    value: String,
}

#[derive(Clone, Copy, Debug)]
enum Sign {
    Replace,
    Add,
    Remove,
}

/// The base of a merge.
pub enum Base {
    /// What the version in the record emits.
    Recorded,
    /// What a given version emits with the answers in the record.
    Of(Box<Template>),
    /// Nothing: all differences are conflicts.
    Nothing,
}

/// What an update is to reach.
pub struct Wanted {
    /// The version, with the kit.
    pub template: Template,
    /// The version without the kit, for projects whose records name no kit, unless the command line names one.
    pub plain: Option<Template>,
    /// The folder of the kit that emitted the projects.
    pub old_kit: Option<PathBuf>,
    /// The changes of answers.
    pub set: Vec<Set>,
    /// The base of the merge.
    pub base: Base,
    /// New options are asked for.
    pub asks: bool,
}

impl Wanted {
    /// Whether an update changes something besides the answers.
    #[must_use]
    pub fn is_ahead_of(&self, project: &Project) -> bool {
        let kit = self.template_for(project).kit();
        let other_kit = match (&project.kit, kit) {
            (Some(old), Some(kit)) => !kit.is_state(old),
            (None, Some(_)) | (Some(_), None) => true,
            (None, None) => false,
        };
        project.version != self.template.version || other_kit
    }

    /// The version for a project, with or without the kit.
    fn template_for(&self, project: &Project) -> &Template {
        let plain = self.plain.as_ref().filter(|_| project.kit.is_none());
        plain.unwrap_or(&self.template)
    }
}

/// A version with a kit, and the same without it unless the command line names the kit.
///
/// # Errors
///
/// All mistakes in the kit, or this clone does not have the version.
pub fn with_and_without(
    version: &Version,
    choice: &Choice,
    kit: Option<&Path>,
) -> anyhow::Result<(Template, Option<Template>)> {
    let with = Template::of(version)?.with_kit(kit)?;
    let is_implied = kit.is_some() && !choice.is_named();
    let plain = is_implied.then(|| Template::of(version)).transpose()?;
    Ok((with, plain))
}

/// Runs the verb.
///
/// # Errors
///
/// A sentence with what is refused, and what to do.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    interruption::survive()?;
    let kit = args.kit.folder()?;
    if let Some(folder) = &args.old_kit {
        choice::found(folder, "--old-kit")?;
    }
    let version = match &args.to {
        Some(version) => version.clone(),
        None => record::template_version()?,
    };
    let (template, plain) = with_and_without(&version, &args.kit, kit.as_deref())?;
    let wanted = Wanted {
        template,
        plain,
        old_kit: args.old_kit.clone().or(kit),
        set: args
            .set
            .iter()
            .map(|text| parsed(text))
            .collect::<anyhow::Result<_>>()?,
        base: if args.without_base {
            Base::Nothing
        } else {
            Base::Recorded
        },
        asks: !args.silent && !args.json && ask::possible(),
    };
    for set in &wanted.set {
        find(wanted.template.options(), &set.name)
            .with_context(|| format!("--set {}", set.name))?;
    }
    let mut worst = 0;
    for folder in &args.folders {
        let status = match update(folder, &wanted, args) {
            Ok(clean) => u8::from(!clean),
            Err(error) if args.json => {
                interruption::check()?;
                let refused = Refused {
                    project: folder.display().to_string(),
                    from: project::version_of(folder),
                    error: format!("{error:#}"),
                };
                println!("{}", serde_json::to_string(&refused)?);
                2
            }
            Err(error) if args.folders.len() == 1 => return Err(error),
            Err(error) => {
                let shown = folder.display();
                eprintln!("{shown}: error: {}", crate::visible(&format!("{error:#}")));
                2
            }
        };
        worst = worst.max(status);
    }
    Ok(ExitCode::from(worst))
}

/// Updates a project. Returns whether there are no conflicts.
fn update(folder: &Path, wanted: &Wanted, args: &Args) -> anyhow::Result<bool> {
    let (project, plan) = planned(folder, wanted)?;
    interruption::check()?;
    if !args.dry_run {
        write::write(&project, &plan.changes, &plan.contents)?;
        let template = wanted.template_for(&project);
        for line in template.take(&project.name, &plan.answers)? {
            eprintln!("{line}");
        }
    }
    if args.json {
        println!("{}", serde_json::to_string(&plan)?);
    } else {
        print(&plan, args.dry_run);
    }
    if args.diff {
        print_patch(&plan)?;
    }
    Ok(plan.conflicts.is_empty())
}

/// Updates a project, and prints nothing.
///
/// # Errors
///
/// A sentence with what is refused, and what to do. Nothing is written then.
pub fn apply(folder: &Path, wanted: &Wanted) -> anyhow::Result<Plan> {
    let (project, plan) = planned(folder, wanted)?;
    write::write(&project, &plan.changes, &plan.contents)?;
    Ok(plan)
}

/// A project whose changes are committed, and what an update makes of it.
fn planned(folder: &Path, wanted: &Wanted) -> anyhow::Result<(Project, Plan)> {
    let project = Project::read(folder)?;
    let place = Place::clean(&project)?;
    if let Some(file) = project.open_conflicts()?.first() {
        let shown = &project.shown;
        bail!(
            "{shown} has a conflict of an earlier update, {}: resolve it, or remove what the template left there, and commit",
            named(file)
        );
    }
    let plan = plan(&project, &place, wanted)?;
    Ok((project, plan))
}

/// Computes what an update makes of a project.
///
/// # Errors
///
/// A sentence with what is refused, and what to do.
pub fn plan(project: &Project, place: &Place, wanted: &Wanted) -> anyhow::Result<Plan> {
    let template = wanted.template_for(project);
    let shown = &project.shown;
    ensure!(
        project.version <= template.version,
        "{shown} is of version {}, which is newer than {}: an update does not go back",
        project.version,
        template.version
    );
    if let (Some(_), Some(kit)) = (&project.kit, template.kit()) {
        ensure!(
            kit.revision.is_some(),
            "the kit {} has changes that are not committed, and the record of {shown} names a state of it: commit the kit \
             first; a commit on a branch is enough",
            kit.folder.display()
        );
    }
    project.refuse_older_kit(template)?;
    let (answers, mut notes) = answers(project, wanted)?;
    let store = Store::new(&place.root)?;
    let ours = place.tree()?;
    let recorded;
    let old = match &wanted.base {
        Base::Recorded => {
            let template = Template::of(&project.version)?;
            recorded = project.with_its_kit(template, wanted.old_kit.as_deref())?;
            Some(&recorded)
        }
        Base::Of(template) => Some(&**template),
        Base::Nothing => None,
    };
    let base = match old {
        Some(old) => emitted_tree(&store, project, place, old, &project.answers)
            .with_context(|| format!("version {} and the record of {shown}", project.version))?,
        None => store.empty()?,
    };
    let theirs = emitted_tree(&store, project, place, template, &answers)
        .with_context(|| format!("{shown}, with these answers"))?;
    let name = format!("template-{}", template.version);
    let trees = Trees {
        base,
        ours: ours.clone(),
        theirs,
    };
    let trees = records::aligned(&store, project, template, trees)?;
    let merged = merge(&store, project, &trees, &name)?;
    notes.extend(merged.notes);
    notes.extend(needless_keeps(&store, project, &trees)?);
    let mut changes = write::changes(&store, &ours, &merged.tree)?;
    let mut conflicts = merged.conflicts;
    conflicts.extend(write::in_the_way(project, &mut changes));
    let contents = write::contents(&store, place, &merged.tree, &changes)?;
    Ok(Plan {
        project: shown.clone(),
        from: project.version.to_string(),
        to: template.version.to_string(),
        notes,
        changes,
        conflicts,
        kept: merged.kept,
        answers,
        contents,
        trees: (ours, merged.tree),
        store,
    })
}

/// A line for each entry of `keep` that is no file of the project or of the template.
fn needless_keeps(store: &Store, project: &Project, trees: &Trees) -> anyhow::Result<Vec<String>> {
    let mut files = Vec::new();
    for tree in [&trees.base, &trees.ours, &trees.theirs] {
        files.extend(store.files(tree)?.into_iter().map(|(path, _)| path));
    }
    let is_needless = |kept: &&String| !files.iter().any(|file| is_within(kept, file));
    let needless = project.keep.iter().filter(is_needless);
    Ok(needless
        .map(|kept| {
            format!(
                "{} in the list keep of the record is neither in the project nor in the template",
                named(kept)
            )
        })
        .collect())
}

/// The tree of what a version emits for a project, as git would add it at the place of the project.
///
/// # Errors
///
/// The sentence with which the template refuses an answer, or git fails.
pub fn emitted_tree(
    store: &Store,
    project: &Project,
    place: &Place,
    template: &Template,
    answers: &Answers,
) -> anyhow::Result<String> {
    let folder = crate::scratch_folder().context("no temporary folder can be made")?;
    let emitted = template.emit(&project.name, answers, folder.path(), None)?;
    interruption::check()?;
    let work = folder.path().join(".work");
    let target = work.join(&place.prefix);
    std::fs::create_dir_all(target.parent().unwrap_or(&work))?;
    std::fs::rename(emitted.path, &target)?;
    for (file, content) in place.attributes_above()? {
        std::fs::write(work.join(file), content)?;
    }
    store.tree(&work, &place.prefix, place.crlf()?)
}

/// The answers for the new version, and notes on those that are new and those that are dropped.
fn answers(project: &Project, wanted: &Wanted) -> anyhow::Result<(Answers, Vec<String>)> {
    let template = wanted.template_for(project);
    let options = template.options();
    let mut answers = Answers::new();
    let mut notes = Vec::new();
    let mut refused: Vec<(String, String)> = Vec::new();
    for (name, value) in &project.answers {
        let Some(option) = options.iter().find(|option| option.name == *name) else {
            notes.push(format!(
                "version {} has no option {name}: the answer {} is dropped",
                template.version,
                named(value)
            ));
            continue;
        };
        let replaced = wanted.set.iter().any(|set| set.name == *name);
        if let Err(error) = judge(option, value)
            && !replaced
        {
            let way = option.locked.as_ref().map_or("VALUE", |_| &option.default);
            refused.push((error.to_string(), format!("--set {name}={way}")));
        }
        answers.insert(name.clone(), value.clone());
    }
    if !refused.is_empty() {
        let (sentences, ways): (Vec<_>, Vec<_>) = refused.into_iter().unzip();
        let with = template.kit().map_or_else(String::new, |kit| {
            format!(" with the kit {}", kit.folder.display())
        });
        bail!(
            "the record of {} has answers that version {}{with} refuses: {}. Give others: cargo xtask update {} {}",
            project.shown,
            template.version,
            sentences.join("; "),
            project.shown,
            ways.join(" ")
        );
    }
    for set in &wanted.set {
        let old = answers.get(&set.name).cloned();
        let (new, note) = set.applied(template, old.as_deref())?;
        notes.extend(note);
        answers.insert(set.name.clone(), new);
    }
    let is_set = wanted.set.iter().any(|set| set.name == ALTITUDE);
    if answers.get(ALTITUDE).is_some_and(|it| it == "auto")
        && !is_set
        && let Some((altitude, place)) = template.altitude_of(&project.name, &answers)
    {
        notes.push(format!(
            "the altitude is {altitude} now: {place} gives it to this project"
        ));
        answers.insert(ALTITUDE.to_owned(), altitude.to_owned());
    }
    if wanted.asks {
        ask::the_rest(template, &project.name, &mut answers)?;
    }
    for option in options.iter().filter(|it| !answers.contains_key(&it.name)) {
        notes.push(format!(
            "{} has no answer in the record: it takes its default, {}",
            option.name,
            shown(&option.default)
        ));
    }
    Ok((answers, notes))
}

/// Reads `option=value`, `option+=value` or `option-=value`.
///
/// # Errors
///
/// It has no answer.
pub fn parsed(text: &str) -> anyhow::Result<Set> {
    let Some((name, value)) = text.split_once('=') else {
        bail!(
            "--set {} gives no answer: write --set option=value",
            named(text)
        );
    };
    let (name, sign) = match name.chars().last() {
        Some('+') => (&name[..name.len() - 1], Sign::Add),
        Some('-') => (&name[..name.len() - 1], Sign::Remove),
        _ => (name, Sign::Replace),
    };
    Ok(Set {
        name: name.trim().to_owned(),
        sign,
        value: value.trim_start().to_owned(),
    })
}

impl Set {
    /// The new answer, and a note if it is the old one.
    fn applied(
        &self,
        template: &Template,
        old: Option<&str>,
    ) -> anyhow::Result<(String, Vec<String>)> {
        let mut notes = Vec::new();
        let Self { name, sign, value } = self;
        let option = find(template.options(), name)?;
        judged(template.options(), name, value).with_context(|| "--set".to_owned())?;
        if matches!(sign, Sign::Replace) {
            return Ok((value.clone(), notes));
        }
        ensure!(
            matches!(option.kind, OptionKind::List(_)),
            "--set {name}: it is no list; write --set {name}=VALUE"
        );
        let old = old.unwrap_or(&option.default);
        let mut items: Vec<&str> = old.split(',').filter(|item| !item.is_empty()).collect();
        for item in value.split(',').filter(|item| !item.is_empty()) {
            let at = items.iter().position(|known| *known == item);
            match (sign, at) {
                (Sign::Add, None) => items.push(item),
                (Sign::Add, Some(_)) => notes.push(format!("{name} has {item} already")),
                (_, Some(at)) => {
                    items.remove(at);
                }
                (_, None) => notes.push(format!(
                    "{name} does not have {item}; the answer is {}",
                    shown(old)
                )),
            }
        }
        Ok((items.join(","), notes))
    }
}

/// Prints what an update does, or would do.
fn print(plan: &Plan, dry_run: bool) {
    if plan.from == plan.to {
        println!("{}: version {}", plan.project, plan.from);
    } else {
        println!("{}: version {} -> {}", plan.project, plan.from, plan.to);
    }
    for note in &plan.notes {
        println!("  note      {note}");
    }
    print_files(plan);
    let would = if dry_run { " Nothing was written." } else { "" };
    if plan.conflicts.is_empty() && plan.changes.is_empty() {
        println!("  There is nothing to do.{would}");
    } else if dry_run {
        println!(" {would}");
    } else if plan.conflicts.is_empty() {
        println!("  Look at the changes with git diff, build and test the driver, and commit.");
    } else {
        println!(
            "  {}, build and test the driver, and commit. git restore and git clean undo the update.",
            match plan.conflicts.len() {
                1 => "There is 1 conflict. Resolve it".to_owned(),
                count => format!("There are {count} conflicts. Resolve them"),
            }
        );
    }
}

/// The folder of the test bench, whose files are printed as one: they are not the author's.
const BENCH: &str = "testbench/bench/";

/// Prints the files that change, and those that the author must look at.
pub fn print_files(plan: &Plan) {
    let mut bench = 0;
    for Change { path, kind, .. } in &plan.changes {
        if plan.conflicts.iter().any(|it| it.path == *path) {
            continue;
        }
        if path.starts_with(BENCH) {
            bench += 1;
            continue;
        }
        let kind = match kind {
            Kind::Added => "added  ",
            Kind::Changed => "changed",
            Kind::Removed => "removed",
        };
        println!("  {kind}   {path}");
    }
    if bench != 0 {
        println!("  changed   {BENCH}: {bench} files");
    }
    for path in &plan.kept {
        println!("  kept      {path}: the template has changed it");
    }
    for conflict in &plan.conflicts {
        println!("  conflict  {}: {}", conflict.path, conflict.what);
        for line in conflict.difference.lines() {
            println!("              {line}");
        }
    }
}

/// Prints the changes as a patch.
fn print_patch(plan: &Plan) -> anyhow::Result<()> {
    let mut diff = plan.store.git();
    diff.args([
        "diff",
        "--no-ext-diff",
        color(),
        &plan.trees.0,
        &plan.trees.1,
    ]);
    print!("{}", String::from_utf8_lossy(&run_git(&mut diff, None)?));
    Ok(())
}
