//! What the values of a kit mean together, and what they refuse.

use std::collections::{BTreeMap, BTreeSet};

use heck::ToKebabCase;

use super::model::{Altitude, Condition, Kit, Mistakes};
use crate::commands::{
    inf::groups::GROUPS,
    new::answers::Answers,
    options::{Declared, Kind, find, listed, named, shown},
};

impl Kit {
    /// The options, with the defaults of the kit, its locked answers, and without the choices that it removes; and all
    /// values of the kit that contradict each other.
    #[must_use]
    pub fn applied(&self, options: &[Declared]) -> (Vec<Declared>, Mistakes) {
        let mut options = options.to_vec();
        let mut mistakes = Vec::new();
        self.remove(&mut options, &mut mistakes);
        self.lock(&mut options, &mut mistakes);
        self.judge_altitudes(&options, &mut mistakes);
        self.judge_texts(&mut mistakes);
        (options, Mistakes::in_file(&self.shown, mistakes))
    }

    fn remove(&self, options: &mut [Declared], mistakes: &mut Vec<(usize, String)>) {
        for removed in &self.removed {
            let Some(option) = options.iter_mut().find(|it| it.name == removed.option) else {
                continue;
            };
            let (Kind::Choice(choices) | Kind::List(choices)) = &mut option.kind else {
                continue;
            };
            let before = choices.len();
            choices.retain(|choice| choice.value != removed.value);
            if choices.len() == before {
                mistakes.push((removed.line, format!("{} is removed twice", removed.value)));
            }
            if choices.is_empty() {
                let sentence = format!("no choice of {} is left: keep one", option.name);
                mistakes.push((removed.line, sentence));
            }
            let place = self.place(removed.line);
            option.removed.push((removed.value.clone(), place));
        }
    }

    fn lock(&self, options: &mut [Declared], mistakes: &mut Vec<(usize, String)>) {
        let is_locked = |name: &str| self.locked.iter().any(|it| it.option == name);
        for removed in &self.removed {
            if is_locked(&removed.option) {
                let sentence = format!(
                    "{} is locked, so removing choices has no effect: remove this line",
                    removed.option
                );
                mistakes.push((removed.line, sentence));
            }
        }
        for (answer, locks) in self
            .defaults
            .iter()
            .map(|answer| (answer, false))
            .chain(self.locked.iter().map(|answer| (answer, true)))
        {
            let Some(option) = options.iter_mut().find(|it| it.name == answer.option) else {
                continue;
            };
            if !locks && is_locked(&answer.option) {
                let sentence = format!(
                    "{} is locked, so a default has no effect: remove this line",
                    answer.option
                );
                mistakes.push((answer.line, sentence));
                continue;
            }
            if let Err(error) = crate::commands::new::answers::judge(option, &answer.value) {
                mistakes.push((answer.line, error.to_string()));
                continue;
            }
            option.default.clone_from(&answer.value);
            option.locked = locks.then(|| self.place(answer.line));
        }
        for option in options.iter() {
            let gone = option
                .removed
                .iter()
                .find(|(value, _)| option.default.split(',').any(|it| it == value));
            let line = gone.and_then(|(value, _)| {
                let mut removed = self.removed.iter();
                removed.find(|it| it.option == option.name && it.value == *value)
            });
            if let Some(removed) = line {
                let sentence = format!(
                    "{} is the default of {}: write another one to the table defaults",
                    removed.value, removed.option
                );
                mistakes.push((removed.line, sentence));
            }
        }
    }

    fn judge_altitudes(&self, options: &[Declared], mistakes: &mut Vec<(usize, String)>) {
        let mut known: BTreeSet<String> = BTreeSet::new();
        let mut owners: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        let locked = options
            .iter()
            .find(|it| it.name == "load_order_group" && it.locked.is_some());
        for Altitude {
            value,
            project,
            line,
            ..
        } in &self.altitudes
        {
            let Some(group) = GROUPS.iter().find(|group| group.has(value)) else {
                let sentence = format!(
                    "the altitude {} is in no load-order group: write a number such as 370030, or 370030.5",
                    named(value)
                );
                mistakes.push((*line, sentence));
                continue;
            };
            if !known.insert(number(value)) {
                mistakes.push((*line, format!("the altitude {value} is here twice")));
            }
            if let Some(locked) = locked.filter(|it| it.default != group.option) {
                let sentence = format!(
                    "the altitude {value} is of the group {}, and load_order_group is locked to {}",
                    group.option, locked.default
                );
                mistakes.push((*line, sentence));
            }
            if !project.is_empty()
                && let Some(other) = owners.insert((project, group.option), *line)
            {
                let sentence = format!(
                    "the project {project} has two altitudes of {}, this one and that in line {other}: keep one",
                    group.option
                );
                mistakes.push((*line, sentence));
            }
            if *project != project.to_kebab_case() {
                let sentence = format!(
                    "the project {} has the altitude {value}: write its name in lower-case letters, digits and hyphens",
                    named(project)
                );
                mistakes.push((*line, sentence));
            }
        }
    }

    fn judge_texts(&self, mistakes: &mut Vec<(usize, String)>) {
        if let Some(text) = &self.license_text {
            // An answer that is locked and refused has its own sentence.
            let mut locked = self.locked.iter();
            if !locked.any(|it| it.option == "license" && it.value == "proprietary") {
                let sentence = "license_text has an effect only if license is proprietary: lock it, with license = \
                    \"proprietary\" in the table locked";
                mistakes.push((text.line, sentence.to_owned()));
            }
        }
        if let Some(registry) = &self.registry {
            let address = registry.value.strip_prefix("sparse+https://");
            if !address.is_some_and(|it| it.len() > 1 && it.ends_with('/') && is_plain(it)) {
                let sentence = format!(
                    "{} is no address of a registry: write sparse+https://HOST/PATH/",
                    named(&registry.value)
                );
                mistakes.push((registry.line, sentence));
            }
        }
        for owner in &self.code_owners {
            let name = &owner.value;
            if !(is_plain(name) && name.len() > 1 && name.contains('@')) {
                let sentence = format!(
                    "{} is no code owner: write @user, @organization/team or an e-mail address",
                    named(name)
                );
                mistakes.push((owner.line, sentence));
            }
        }
        if let Some(arguments) = &self.signtool
            && (arguments.value.contains(['\\', '\n'])
                || arguments.value.chars().any(char::is_control))
        {
            let sentence = "the arguments for signtool sign are one line, without a backslash";
            mistakes.push((arguments.line, sentence.to_owned()));
        }
        if let Some(server) = &self.timestamp_server {
            let address = &server.value;
            let starts = ["http://", "https://"];
            let is_address = starts
                .iter()
                .any(|it| address.len() > it.len() && address.starts_with(it));
            if !is_address || !is_plain(address) || address.contains(['"', '\'']) {
                let sentence = format!(
                    "{} is no address of a time-stamp server: write http://HOST or https://HOST",
                    named(address)
                );
                mistakes.push((server.line, sentence));
            }
            let uses = self
                .signtool
                .as_ref()
                .is_some_and(|it| it.value.contains("/tr "));
            if uses {
                let sentence =
                    "the arguments have a time-stamp server, too (/tr): keep one of them";
                mistakes.push((server.line, sentence.to_owned()));
            }
        }
        let lines = [&self.security, &self.support].into_iter().flatten();
        for contact in lines {
            if contact.value.chars().any(char::is_control) {
                let sentence = "a contact is one line, without control characters";
                mistakes.push((contact.line, sentence.to_owned()));
            }
        }
        for text in [&self.header, &self.license_text].into_iter().flatten() {
            let mut characters = text.value.chars();
            if characters.any(|it| it.is_control() && it != '\n' && it != '\t') {
                let sentence = "the text has a control character: remove it";
                mistakes.push((text.line, sentence.to_owned()));
            }
        }
    }

    /// The sentence with which the kit refuses complete answers, if it does.
    #[must_use]
    pub fn refusal(
        &self,
        project: &str,
        answers: &Answers,
        options: &[Declared],
    ) -> Option<String> {
        let broken = self.rules.iter().find(|rule| {
            let is_answered = rule.then.iter().all(|(name, _)| answers.contains_key(name));
            is_answered
                && holds(&rule.when, answers, options)
                && !holds(&rule.then, answers, options)
        });
        if let Some(rule) = broken {
            let names = rule.when.iter().chain(&rule.then);
            let answers = names
                .filter_map(|(name, _)| Some(format!("{name} is {}", shown(answers.get(name)?))));
            return Some(format!(
                "{}: {} ({})",
                self.place(rule.line),
                rule.message,
                answers.collect::<Vec<_>>().join(", ")
            ));
        }
        self.altitude_refusal(project, answers)
    }

    fn altitude_refusal(&self, project: &str, answers: &Answers) -> Option<String> {
        let altitude = answers.get("altitude").filter(|it| *it != "auto")?;
        if self.altitudes.is_empty() {
            return None;
        }
        let same = |it: &&Altitude| number(&it.value) == number(altitude);
        let Some(entry) = self.altitudes.iter().find(same) else {
            return Some(format!(
                "the altitude {altitude} is none of those in {}. {}",
                self.shown,
                self.free(answers)
            ));
        };
        let is_other = !entry.project.is_empty() && entry.project != project.to_kebab_case();
        if is_other {
            return Some(format!(
                "{}: the project {} has the altitude {altitude}. {}",
                self.place(entry.line),
                entry.project,
                self.free(answers)
            ));
        }
        let own = self.entry_of(project, answers)?;
        (number(&own.value) != number(altitude)).then(|| self.keeps(own))
    }

    /// The sentence on a project that has an altitude of the kit, and is to have another one.
    #[must_use]
    pub fn keeps(&self, entry: &Altitude) -> String {
        format!(
            "{}: the project {} has the altitude {}. To free it, write project = \"\" there",
            self.place(entry.line),
            entry.project,
            entry.value
        )
    }

    /// A sentence with the altitudes that no project has.
    fn free(&self, answers: &Answers) -> String {
        let group = answers.get("load_order_group");
        let group = GROUPS
            .iter()
            .find(|it| Some(it.option) == group.map(String::as_str));
        let free: Vec<&str> = self
            .altitudes
            .iter()
            .filter(|it| it.project.is_empty() && group.is_none_or(|group| group.has(&it.value)))
            .map(|it| it.value.as_str())
            .collect();
        let name = group.map_or("any group", |group| group.option);
        if free.is_empty() {
            format!(
                "No altitude of {name} is free: write auto for a draft, and request one from Microsoft"
            )
        } else {
            format!(
                "Take another one: those of {name} that are free are {}; auto gives a draft",
                listed(free.into_iter())
            )
        }
    }

    /// The entry of an altitude that the project takes with these answers, because no project has it.
    #[must_use]
    pub fn taken(&self, answers: &Answers) -> Option<&Altitude> {
        let altitude = answers.get("altitude")?;
        self.altitudes
            .iter()
            .find(|it| number(&it.value) == number(altitude) && it.project.is_empty())
    }

    /// The altitude in the kit that a project has already, in its load-order group.
    #[must_use]
    pub fn entry_of(&self, project: &str, answers: &Answers) -> Option<&Altitude> {
        let group = answers.get("load_order_group")?;
        let group = GROUPS.iter().find(|it| it.option == group)?;
        let project = project.to_kebab_case();
        self.altitudes
            .iter()
            .find(|it| it.project == project && group.has(&it.value))
    }
}

/// An altitude without zeros that do not change the number.
fn number(altitude: &str) -> String {
    let (integer, fraction) = altitude.split_once('.').unwrap_or((altitude, ""));
    let integer = integer.trim_start_matches('0');
    let fraction = fraction.trim_end_matches('0');
    format!("{integer}.{fraction}")
}

/// Whether a text has no blank and no control character.
fn is_plain(text: &str) -> bool {
    !text.chars().any(|it| it.is_whitespace() || it.is_control())
}

/// Whether each of the options has one of its values. A list has those of its elements. Without all of these answers, it
/// does not hold.
fn holds(condition: &Condition, answers: &Answers, options: &[Declared]) -> bool {
    condition.iter().all(|(name, values)| {
        let Some(answer) = answers.get(name) else {
            return false;
        };
        let is_list = find(options, name).is_ok_and(|it| matches!(it.kind, Kind::List(_)));
        if is_list {
            let mut items = answer.split(',');
            items.any(|item| values.iter().any(|value| value == item))
        } else {
            values
                .iter()
                .any(|value| value.eq_ignore_ascii_case(answer))
        }
    })
}
