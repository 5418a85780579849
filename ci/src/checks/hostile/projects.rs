//! Checks a project: each file is valid in its format, and contains what was answered.
//!
//! Most files are the same in all projects; each different file is read once.

use std::{
    collections::{BTreeMap, HashSet},
    hash::{DefaultHasher, Hash, Hasher},
    path::Path,
    str,
};

use anyhow::{Context, anyhow, bail, ensure};
use heck::{ToKebabCase, ToSnakeCase};
use proc_macro2::{TokenStream, TokenTree};
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use time::OffsetDateTime;
use toml::{Table, Value};

use super::{answers::Case, refusals};
use crate::{
    checks::render::Rendered,
    commands::{
        inf,
        options::{Declared, Kind},
    },
};

/// Checks projects.
pub struct Projects {
    known: HashSet<u64>,
    powershell: tree_sitter::Parser,
}

/// A project, and the case that it was rendered from.
struct Project<'a> {
    rendered: &'a Rendered,
    case: &'a Case,
    options: &'a [Declared],
    driver: String,
}

impl Projects {
    pub fn new() -> anyhow::Result<Self> {
        let mut powershell = tree_sitter::Parser::new();
        powershell.set_language(&tree_sitter_powershell::LANGUAGE.into())?;
        Ok(Self {
            known: HashSet::new(),
            powershell,
        })
    }

    /// The number of different files that were read.
    pub fn read(&self) -> usize {
        self.known.len()
    }

    /// Checks a project.
    pub fn judge(
        &mut self,
        case: &Case,
        rendered: &Rendered,
        options: &[Declared],
    ) -> anyhow::Result<()> {
        for (path, bytes) in &rendered.files {
            let mut hasher = DefaultHasher::new();
            (path, bytes).hash(&mut hasher);
            if self.known.insert(hasher.finish()) {
                self.read_file(path, bytes)
                    .with_context(|| format!("{path} cannot be read"))?;
            }
        }
        let project = Project {
            rendered,
            case,
            options,
            driver: rendered.name.replace('-', "_"),
        };
        project.name()?;
        project.manifest().context("Cargo.toml")?;
        project.lock().context("Cargo.lock")?;
        project.inx().context("the INX")?;
        project.bench().context("testbench.toml")?;
        project.record().context("template.toml")?;
        project.updates().context("template-update.yml")?;
        project.readme().context("README.md")?;
        project.license().context("LICENSE")?;
        project.sources().context("src")?;
        project.script().context("scripts/Test-Driver.psd1")
    }

    fn read_file(&mut self, path: &str, bytes: &[u8]) -> anyhow::Result<()> {
        let text = str::from_utf8(bytes)?;
        let name = path.rsplit('/').next().unwrap_or(path);
        let extension = Path::new(name).extension().and_then(|it| it.to_str());
        match extension {
            Some("rs") => {
                syn::parse_file(text)?;
            }
            Some("toml" | "lock") => {
                toml::from_str::<Table>(text)?;
            }
            Some("yml") => {
                serde_saphyr::from_str::<serde_json::Value>(text).map_err(|it| anyhow!("{it}"))?;
            }
            Some("json") => {
                serde_json::from_str::<serde_json::Value>(text)?;
            }
            Some("ps1" | "psd1") => {
                let tree = self.powershell.parse(text, None).context("not parsed")?;
                ensure!(!tree.root_node().has_error(), "not valid PowerShell");
            }
            Some("inx") => ensure!(text.is_ascii(), "it is not ASCII"),
            Some("tsv") => {
                let fields = |line: &str| line.split('\t').count();
                let columns = text.lines().next().map_or(0, fields);
                let wrong = text.lines().position(|line| fields(line) != columns);
                ensure!(wrong.is_none(), "a line has other columns: {wrong:?}");
            }
            // Markdown, licenses and lists of patterns may contain any text.
            Some("md") => {}
            None if name.starts_with("LICENSE") || name.starts_with(".git") => {}
            _ => bail!("there is no check for such a file"),
        }
        Ok(())
    }
}

impl Project<'_> {
    fn text(&self, path: &str) -> anyhow::Result<&str> {
        let bytes = self.rendered.files.get(path);
        let bytes = bytes.with_context(|| format!("there is no {path}"))?;
        Ok(str::from_utf8(bytes)?)
    }

    fn table(&self, path: &str) -> anyhow::Result<Table> {
        Ok(toml::from_str(self.text(path)?)?)
    }

    /// The answer to an option, or its default.
    fn answer(&self, option: &str) -> anyhow::Result<&str> {
        let default = || {
            let declared = self.options.iter().find(|it| it.name == option)?;
            Some(declared.default.as_str())
        };
        let answer = self.case.answer(option).or_else(default);
        answer.with_context(|| format!("there is no option {option}"))
    }

    fn flag(&self, option: &str) -> anyhow::Result<bool> {
        Ok(self.answer(option)?.eq_ignore_ascii_case("true"))
    }

    fn operations(&self) -> anyhow::Result<Vec<&str>> {
        let answer = self.answer("operations")?;
        Ok(answer.split(',').filter(|it| !it.is_empty()).collect())
    }

    fn name(&self) -> anyhow::Result<()> {
        let (name, given) = (&self.rendered.name, &self.case.name);
        let snake = given.to_snake_case();
        let written = if snake == *given {
            snake
        } else {
            given.to_kebab_case()
        };
        ensure!(
            *name == written,
            "{name} is not the name that cargo-generate writes"
        );
        ensure!(refusals::well_formed(name), "{name} is not well formed");
        ensure!(!refusals::is_device(name), "{name} is a device");
        let identifier = syn::parse_str::<syn::Ident>(&self.driver);
        ensure!(identifier.is_ok(), "{name} is a Rust keyword");
        for option in ["description", "provider"] {
            let answer = self.answer(option)?;
            ensure!(refusals::is_line(answer), "{option} is not a valid line");
        }
        let microsoft = self.answer("provider")?.to_ascii_lowercase();
        ensure!(
            !microsoft.starts_with("microsoft"),
            "the provider is Microsoft"
        );
        let operations = self.operations()?;
        let different: HashSet<_> = operations.iter().collect();
        ensure!(
            !operations.is_empty() && different.len() == operations.len(),
            "{operations:?} is not a list of operations"
        );
        Ok(())
    }

    fn manifest(&self) -> anyhow::Result<()> {
        let manifest = self.table("Cargo.toml")?;
        let package = manifest.get("package").and_then(Value::as_table);
        let package = package.context("no [package]")?;
        let mut expected = Table::new();
        expected.insert("name".into(), self.rendered.name.as_str().into());
        expected.insert("description".into(), self.answer("description")?.into());
        expected.insert("authors".into(), vec![self.answer("provider")?].into());
        match self.answer("license")? {
            "proprietary" => expected.insert("license-file".into(), "LICENSE-PROPRIETARY".into()),
            license => expected.insert("license".into(), license.into()),
        };
        for (key, value) in expected {
            let found = package.get(&key);
            ensure!(found == Some(&value), "{key} is {found:?} and not {value}");
        }
        Ok(())
    }

    fn lock(&self) -> anyhow::Result<()> {
        let lock = self.table("Cargo.lock")?;
        let packages = lock.get("package").and_then(Value::as_array);
        let name = |package: &Value| Some(package.get("name")?.as_str()?.replace('-', "_"));
        let own = packages
            .into_iter()
            .flatten()
            .filter(|it| name(it).as_ref() == Some(&self.driver));
        let own: Vec<_> = own.collect();
        ensure!(
            own.len() == 1,
            "{} packages have the driver's name",
            own.len()
        );
        ensure!(
            own[0].get("source").is_none(),
            "the driver's name is that of another crate"
        );
        Ok(())
    }

    fn inx(&self) -> anyhow::Result<()> {
        let text = self.text(&format!("{}.inx", self.driver))?;
        let mut answers = BTreeMap::from([("project-name", self.rendered.name.as_str())]);
        let operations = self.operations()?.join(",");
        for option in self.options {
            let name = option.name.as_str();
            let answer = match option.kind {
                Kind::Flag if self.flag(name)? => "true",
                Kind::Flag => "false",
                Kind::List(_) => &operations,
                _ => self.answer(name)?,
            };
            answers.insert(name, answer);
        }
        inf::check(text, &answers)?;
        let altitude = self.answer("altitude")?;
        ensure!(refusals::is_altitude(altitude), "{altitude} is invalid");
        // A token that stampinf replaces may occur only in a heading that names an architecture.
        for line in text.lines() {
            let upper = line.to_ascii_uppercase();
            let replaced = refusals::STAMPED.iter().any(|it| upper.contains(it));
            ensure!(
                !replaced || line.starts_with("[Default"),
                "stampinf would change {line}"
            );
        }
        Ok(())
    }

    fn bench(&self) -> anyhow::Result<()> {
        if !self.flag("testbench")? {
            // The name of the driver may begin with `testbench`.
            let part = |it: &String| it.starts_with("testbench/") || it == "testbench.toml";
            ensure!(!self.rendered.files.keys().any(part), "it is emitted");
            return Ok(());
        }
        let mut expected = Table::new();
        expected.insert("driver".into(), self.driver.as_str().into());
        expected.insert("unload-policy".into(), self.answer("unload_policy")?.into());
        expected.insert("service-stop".into(), self.flag("service_stop")?.into());
        expected.insert("error-log".into(), self.answer("error_log")?.into());
        let operations = self.operations()?;
        let bypass_io = match self.answer("bypass_io")? {
            "auto" if operations.contains(&"read") => "veto",
            "auto" => "pass",
            other => other,
        };
        expected.insert("bypass-io".into(), bypass_io.into());
        let data = ["read", "write"].map(|name| operations.contains(&name).then_some(name));
        let data: Vec<&str> = data.into_iter().flatten().collect();
        let mut volumes = vec!["ntfs", "removable", "network"];
        if self.answer("dev_drive")? == "attach" {
            volumes.push("dev-drive");
        }
        if data.is_empty() {
            volumes.push("dax");
        }
        expected.insert("skip-paging-io".into(), data.into());
        let without_network = volumes.iter().filter(|it| **it != "network");
        let without_network: Vec<&str> = without_network.copied().collect();
        expected.insert("volumes".into(), volumes.into());
        expected.insert("detach".into(), true.into());
        let shutdown: Vec<&str> = operations
            .iter()
            .filter(|it| **it == "shutdown")
            .copied()
            .collect();
        expected.insert("pre-operation-only".into(), shutdown.into());
        let mut failures = vec!["FltRegisterFilter", "FltStartFiltering"];
        if self.flag("reinitialize")? {
            expected.insert("reinitialization".into(), "until-files-open".into());
            expected.insert("reinitialization-calls".into(), 16.into());
            failures.push("FltObjectReference");
        }
        if self.flag("control_device")? {
            let mut device = Table::new();
            for (key, folder) in [("name", "Device"), ("link", "DosDevices")] {
                device.insert(key.into(), format!("\\{folder}\\{}", self.driver).into());
            }
            let requests = ["create", "cleanup", "close", "flush-buffers", "shutdown"];
            device.insert("requests".into(), requests.to_vec().into());
            device.insert("class".into(), self.device_class()?.into());
            expected.insert("device".into(), device.into());
            failures.extend(["IoCreateDeviceSecure", "IoCreateSymbolicLink"]);
            failures.push("IoRegisterShutdownNotification");
        }
        if self.flag("parameters")? {
            let limits = |default: i64, least: i64, most: i64| {
                let mut limits = Table::new();
                for (key, value) in [("default", default), ("least", least), ("most", most)] {
                    limits.insert(key.into(), value.into());
                }
                Value::Table(limits)
            };
            let mut settings = Table::new();
            settings.insert("AttachToNetwork".into(), limits(1, 0, 1));
            settings.insert("MaximumInstances".into(), limits(1024, 1, 65536));
            expected.insert("settings".into(), settings.into());
            let mut refused = Table::new();
            refused.insert("type".into(), "STATUS_OBJECT_TYPE_MISMATCH".into());
            refused.insert("number".into(), "STATUS_INVALID_PARAMETER".into());
            expected.insert("refused-settings".into(), refused.into());
            let when = [
                ("AttachToNetwork", 0, without_network),
                ("MaximumInstances", 1, vec!["ntfs"]),
            ];
            let when = when.map(|(name, value, volumes)| {
                let settings = Table::from_iter([(name.to_owned(), Value::Integer(value))]);
                let mut when = Table::new();
                when.insert("settings".into(), settings.into());
                when.insert("volumes".into(), volumes.into());
                Value::Table(when)
            });
            expected.insert("when".into(), when.to_vec().into());
            failures.extend(["IoOpenDriverRegistryKey", "ZwQueryValueKey"]);
        }
        expected.insert("operations".into(), operations.into());
        let mut found = self.table("testbench.toml")?;
        // The numbers are those of the sources, which the test bench checks.
        let listed = found
            .remove("load-failures")
            .context("it has no [load-failures]")?;
        let listed = listed.as_table().context("[load-failures] is no table")?;
        failures.sort_unstable();
        let mut listed: Vec<&str> = listed.keys().map(String::as_str).collect();
        listed.sort_unstable();
        ensure!(listed == failures, "it lists the failures {listed:?}");
        ensure!(found == expected, "it contains {found}");
        Ok(())
    }

    /// The setup class of the control device in the sources, as a text.
    fn device_class(&self) -> anyhow::Result<String> {
        let source = self.text("src/control_device.rs")?;
        let digits: String = (1..=4)
            .filter_map(|number| {
                let (_, rest) = source.split_once(&format!("Data{number}: 0x"))?;
                let digits = rest
                    .chars()
                    .take_while(|it| it.is_ascii_hexdigit() || *it == '_');
                Some(digits.filter(|it| *it != '_').collect::<String>())
            })
            .collect();
        ensure!(
            digits.len() == 32,
            "the setup class has the digits {digits}"
        );
        let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| &digits[part]);
        Ok(parts.join("-"))
    }

    fn record(&self) -> anyhow::Result<()> {
        let record = self.table("template.toml")?;
        ensure!(
            record["project-name"].as_str() == Some(&self.rendered.name),
            "the name is another"
        );
        let values = record["values"].as_table().context("it has no [values]")?;
        for Declared { name, kind, .. } in self.options {
            let expected: Value = match kind {
                Kind::Text { .. } if name == "license_year" => self.year()?.into(),
                Kind::Text { .. } | Kind::Choice(_) => self.answer(name)?.into(),
                Kind::Flag => self.flag(name)?.into(),
                Kind::List(_) => self.operations()?.into(),
            };
            let found = values.get(name);
            ensure!(
                found == Some(&expected),
                "{name} is {found:?} and not {expected:?}"
            );
        }
        Ok(())
    }

    /// The address in the workflow that updates the project.
    fn updates(&self) -> anyhow::Result<()> {
        let address = self.answer("update_workflow")?;
        let path = ".github/workflows/template-update.yml";
        if ["", "none"].contains(&address) {
            ensure!(!self.rendered.files.contains_key(path), "it is there");
            return Ok(());
        }
        let workflow: serde_json::Value =
            serde_saphyr::from_str(self.text(path)?).map_err(|it| anyhow!("{it}"))?;
        let steps = workflow["jobs"]["update"]["steps"].as_array();
        let found = steps
            .into_iter()
            .flatten()
            .find_map(|step| step["env"]["TEMPLATE"].as_str());
        ensure!(found == Some(address), "the address is {found:?}");
        Ok(())
    }

    /// The year in the licenses.
    fn year(&self) -> anyhow::Result<String> {
        Ok(match self.answer("license_year")? {
            "auto" => OffsetDateTime::now_utc().year().to_string(),
            year => year.to_owned(),
        })
    }

    fn readme(&self) -> anyhow::Result<()> {
        let texts = readable(self.text("README.md")?);
        let title = texts.first().map(String::as_str);
        ensure!(title == Some(&self.rendered.name), "the title is {title:?}");
        let description = self.answer("description")?;
        let found = texts.get(1).map(String::as_str);
        ensure!(
            found == Some(description),
            "the description is {found:?} and not {description:?}"
        );
        Ok(())
    }

    fn license(&self) -> anyhow::Result<()> {
        let files: &[&str] = match self.answer("license")? {
            "MIT" => &["LICENSE-MIT"],
            "Apache-2.0" => &["LICENSE-APACHE"],
            "proprietary" => &["LICENSE-PROPRIETARY"],
            _ => &["LICENSE-APACHE", "LICENSE-MIT"],
        };
        let there = self
            .rendered
            .files
            .keys()
            .filter(|it| it.starts_with("LICENSE"));
        ensure!(there.eq(files), "the license files are not {files:?}");
        let holder = format!(" {} {}", self.year()?, self.answer("provider")?);
        for file in files {
            let named = self.text(file)?.lines().any(|line| {
                let notice = line.strip_suffix(&holder);
                notice.is_some_and(|it| it.trim_start().starts_with("Copyright"))
            });
            ensure!(named, "{file} does not name{holder}");
        }
        Ok(())
    }

    fn sources(&self) -> anyhow::Result<()> {
        let driver = &self.driver;
        let lib = self.text("src/lib.rs")?;
        ensure!(
            lib.starts_with(&format!(
                "//! The `{driver}` file-system minifilter driver."
            )),
            "src/lib.rs does not name the driver"
        );
        for operation in self.operations()? {
            self.text(&format!(
                "src/operations/{}.rs",
                operation.replace('-', "_")
            ))?;
        }
        let mut expected = Vec::new();
        // Cargo tells the other form of the log the driver's name.
        if self.answer("error_log")? == "event-log" {
            let said =
                "was not loaded: %2 failed with status %3. What had been set up has been undone.";
            expected.push(("src/messages.rs", format!("{driver} {said}")));
        }
        if self.flag("control_device")? {
            expected.push(("src/control_device.rs", format!("\\Device\\{driver}")));
            expected.push(("src/control_device.rs", format!("\\DosDevices\\{driver}")));
        }
        for (file, said) in expected {
            let tokens = self
                .text(file)?
                .parse()
                .map_err(|it| anyhow!("{file}: {it}"))?;
            ensure!(
                texts_of(tokens).contains(&said),
                "{file} does not contain {said:?}"
            );
        }
        Ok(())
    }

    fn script(&self) -> anyhow::Result<()> {
        let line = format!("    Driver = '{}'", self.driver);
        let there = self
            .text("scripts/Test-Driver.psd1")?
            .lines()
            .any(|it| it == line);
        ensure!(there, "it does not name the driver");
        Ok(())
    }
}

/// The string literals in Rust source, including those in arguments of macros.
fn texts_of(tokens: TokenStream) -> Vec<String> {
    let mut texts = Vec::new();
    for token in tokens {
        match token {
            TokenTree::Group(group) => texts.extend(texts_of(group.stream())),
            TokenTree::Literal(literal) => match syn::Lit::new(literal) {
                syn::Lit::Str(text) => texts.push(text.value()),
                syn::Lit::CStr(text) => texts.extend(text.value().into_string()),
                _ => {}
            },
            _ => {}
        }
    }
    texts
}

/// The rendered text of the first heading and of the first paragraph. Markup in them splits the text, so that it
/// differs from what is expected.
fn readable(markdown: &str) -> Vec<String> {
    let mut texts: Vec<String> = Vec::new();
    // GitHub and crates.io do not use smart punctuation, which changes the text.
    let options = Options::all() - Options::ENABLE_SMART_PUNCTUATION;
    for event in Parser::new_ext(markdown, options) {
        match event {
            Event::Start(Tag::Heading { .. } | Tag::Paragraph) => texts.push(String::new()),
            Event::Text(part) => {
                if let Some(text) = texts.last_mut() {
                    text.push_str(&part);
                }
            }
            Event::End(TagEnd::Heading(_)) => {}
            Event::End(TagEnd::Paragraph) => break,
            other => texts.push(format!("{other:?}")),
        }
    }
    texts
}
