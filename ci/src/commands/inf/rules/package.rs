//! The purpose of each section of an INF.

use super::super::{
    installed::number,
    reader::{self, Entry, Inf, Section},
};

/// The dirid of the package's folder in the driver store, from which a primitive driver runs ("Using Dirids").
pub const DRIVER_STORE: &str = "13";

/// The build from which the filter manager reads instances below `Parameters`: Windows 11 version 24H2.
pub const PARAMETERS_BUILD: u32 = 25952;

/// The purpose of a section, according to its name or to the directive that names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Version,
    DiskNames,
    DiskFiles,
    Destinations,
    Strings,
    Install,
    InstallServices,
    Uninstall,
    UninstallServices,
    CopiedFiles,
    DeletedFiles,
    Service,
    EventLog,
    ServiceRegistry,
    EventRegistry,
    /// A section that is used, but has no rule.
    Other,
}

impl Kind {
    /// Whether its entries are `key = value`.
    pub fn has_keys(self) -> bool {
        !matches!(
            self,
            Self::CopiedFiles
                | Self::DeletedFiles
                | Self::ServiceRegistry
                | Self::EventRegistry
                | Self::Other
        )
    }
}

/// A reference to a section.
pub struct Reference<'a> {
    pub kind: Kind,
    pub directive: &'static str,
    pub name: &'a str,
    pub line: usize,
}

/// A kind of section, a directive in it, and the kinds and positions of the values that name sections.
type Names = (Kind, &'static str, &'static [(Kind, usize)]);

/// Position 0 stands for all values.
const NAMES: [Names; 18] = [
    (Kind::Install, "CopyFiles", &[(Kind::CopiedFiles, 0)]),
    (Kind::Install, "DelFiles", &[(Kind::DeletedFiles, 0)]),
    (Kind::Install, "RenFiles", &[(Kind::Other, 0)]),
    (Kind::Install, "AddReg", &[(Kind::Other, 0)]),
    (Kind::Install, "DelReg", &[(Kind::Other, 0)]),
    (Kind::Install, "BitReg", &[(Kind::Other, 0)]),
    (Kind::Install, "AddProperty", &[(Kind::Other, 0)]),
    (Kind::Uninstall, "DelFiles", &[(Kind::DeletedFiles, 0)]),
    (Kind::Uninstall, "DelReg", &[(Kind::Other, 0)]),
    (
        Kind::InstallServices,
        "AddService",
        &[(Kind::Service, 2), (Kind::EventLog, 3)],
    ),
    (Kind::Service, "AddReg", &[(Kind::ServiceRegistry, 0)]),
    (Kind::Service, "DelReg", &[(Kind::Other, 0)]),
    (Kind::Service, "BitReg", &[(Kind::Other, 0)]),
    (Kind::Service, "AddTrigger", &[(Kind::Other, 0)]),
    (Kind::Service, "FailureActions", &[(Kind::Other, 0)]),
    (Kind::EventLog, "AddReg", &[(Kind::EventRegistry, 0)]),
    (Kind::EventLog, "DelReg", &[(Kind::Other, 0)]),
    (Kind::EventLog, "BitReg", &[(Kind::Other, 0)]),
];

/// An INF, with the references to its sections.
pub struct Package<'a> {
    pub inf: &'a Inf,
    pub references: Vec<Reference<'a>>,
}

impl<'a> Package<'a> {
    pub fn of(inf: &'a Inf) -> Self {
        let mut package = Self {
            inf,
            references: Vec::new(),
        };
        for (of, directive, positions) in NAMES {
            let mut found = Vec::new();
            for entry in package
                .all(of)
                .into_iter()
                .flat_map(|section| section.all(directive))
            {
                for &(kind, position) in positions {
                    let last = if position == 0 { usize::MAX } else { position };
                    let names = (position..=last).map_while(|at| entry.values.get(at));
                    found.extend(
                        names
                            // `@name` is a single file, not a list.
                            .filter(|name| !name.is_empty() && !name.starts_with('@'))
                            .map(|name| Reference {
                                kind,
                                directive,
                                name,
                                line: entry.line,
                            }),
                    );
                }
            }
            package.references.extend(found);
        }
        package.follow();
        package
    }

    /// Adds the sections that a section of the kind `Other` names.
    fn follow(&mut self) {
        loop {
            let mut found = Vec::new();
            for section in self.all(Kind::Other) {
                for entry in &section.entries {
                    let named = entry.values.iter().filter(|name| {
                        self.inf
                            .section(name)
                            .is_some_and(|section| self.kinds(section).is_empty())
                    });
                    found.extend(named.map(|name| Reference {
                        kind: Kind::Other,
                        directive: "an entry",
                        name,
                        line: entry.line,
                    }));
                }
            }
            if found.is_empty() {
                return;
            }
            self.references.extend(found);
        }
    }

    /// The kinds of a section: one, several or none.
    pub fn kinds(&self, section: &Section) -> Vec<Kind> {
        let mut kinds: Vec<_> = by_name(&section.name).into_iter().collect();
        let named = |name: &str| name.eq_ignore_ascii_case(&section.name);
        for reference in self.references.iter().filter(|it| named(it.name)) {
            if !kinds.contains(&reference.kind) {
                kinds.push(reference.kind);
            }
        }
        kinds
    }

    /// The kind of a section that has exactly one.
    pub fn kind(&self, section: &Section) -> Option<Kind> {
        match self.kinds(section)[..] {
            [kind] => Some(kind),
            _ => None,
        }
    }

    /// The sections of a kind.
    pub fn all(&self, kind: Kind) -> Vec<&'a Section> {
        self.inf
            .sections
            .iter()
            .filter(|section| self.kinds(section).contains(&kind))
            .collect()
    }

    /// The entries of all sections of a kind.
    pub fn entries(&self, kind: Kind) -> impl Iterator<Item = &'a Entry> {
        self.all(kind)
            .into_iter()
            .flat_map(|section| &section.entries)
    }

    /// `[Version]`.
    pub fn version_section(&self) -> Option<&'a Section> {
        self.inf.section("Version")
    }

    /// An entry of `[Version]` that is not empty.
    pub fn version(&self, key: &str) -> Option<&'a Entry> {
        let entry = self.version_section()?.entry(key)?;
        (!entry.value(0).is_empty()).then_some(entry)
    }

    /// The installation of each install section.
    pub fn installs(&self) -> Vec<Install<'a>> {
        self.all(Kind::Install)
            .into_iter()
            .map(|section| Install::of(self.inf, section))
            .collect()
    }

    /// The service-install sections of the filters, one for each install section. A package may also install services
    /// that are programs.
    pub fn filters(&self) -> Vec<&'a Section> {
        let mut filters: Vec<&Section> = vec![];
        for section in self
            .installs()
            .into_iter()
            .filter_map(|it| it.filter?.section)
        {
            if !filters.iter().any(|filter| filter.line == section.line) {
                filters.push(section);
            }
        }
        filters
    }

    /// The entries for registry values of services and event sources, with their section.
    pub fn registry_values(&self) -> impl Iterator<Item = (&'a Section, &'a Entry)> {
        let kinds = [Kind::ServiceRegistry, Kind::EventRegistry];
        let sections = self.inf.sections.iter().filter(move |section| {
            let of = self.kinds(section);
            kinds.iter().any(|kind| of.contains(kind))
        });
        sections.flat_map(|section| section.entries.iter().map(move |entry| (section, entry)))
    }

    /// The destination of a list of files: the dirid, and the folder below it.
    pub fn destination(&self, list: &str) -> Option<&'a Entry> {
        let destinations = self.inf.section("DestinationDirs")?;
        destinations
            .entry(list)
            .or_else(|| destinations.entry("DefaultDestDir"))
    }

    /// The entry of a file in `[SourceDisksFiles]`, of any architecture.
    pub fn source(&self, file: &str) -> Option<&'a Entry> {
        self.entries(Kind::DiskFiles).find(|entry| entry.is(file))
    }

    /// The folder of a file, relative to the INF; empty if the file is beside the INF.
    pub fn source_folder(&self, file: &str) -> String {
        let Some(source) = self.source(file) else {
            return String::new();
        };
        let disk = self
            .entries(Kind::DiskNames)
            .find(|disk| disk.is(source.value(0)));
        let parts = [disk.map_or("", |disk| disk.value(3)), source.value(1)];
        let parts = parts.map(|part| part.trim_matches('\\'));
        parts.join(r"\").trim_matches('\\').to_owned()
    }
}

/// Whether a section installs a file-system driver, which every filter is.
fn is_file_system_driver(section: &Section) -> bool {
    section.value("ServiceType").and_then(number) == Some(2)
}

/// The extensions of an install section's name, other than `Services`.
const EXTENSIONS: [&str; 10] = [
    "coinstallers",
    "components",
    "events",
    "filters",
    "hw",
    "interfaces",
    "logconfigoverride",
    "security",
    "software",
    "wdf",
];

fn by_name(name: &str) -> Option<Kind> {
    let name = name.to_ascii_lowercase();
    let (first, last) = (
        name.split('.').next().unwrap_or_default(),
        name.rsplit('.').next().unwrap_or_default(),
    );
    Some(match first {
        "version" if first == name => Kind::Version,
        "sourcedisksnames" => Kind::DiskNames,
        "sourcedisksfiles" => Kind::DiskFiles,
        "destinationdirs" if first == name => Kind::Destinations,
        _ if reader::is_strings(&name) => Kind::Strings,
        "defaultinstall" | "defaultuninstall" if EXTENSIONS.contains(&last) => Kind::Other,
        "defaultinstall" if last == "services" => Kind::InstallServices,
        "defaultinstall" => Kind::Install,
        "defaultuninstall" if last == "services" => Kind::UninstallServices,
        "defaultuninstall" => Kind::Uninstall,
        _ => return None,
    })
}

/// A service that a section adds.
pub struct Added<'a> {
    /// Its `AddService` entry.
    pub entry: &'a Entry,
    /// Its service-install section.
    pub section: Option<&'a Section>,
    /// The sections with the values below the service's key.
    pub values: Vec<&'a Section>,
    /// The sections with the values of the event source.
    pub event_values: Vec<&'a Section>,
}

impl<'a> Added<'a> {
    fn of(inf: &'a Inf, entry: &'a Entry) -> Self {
        let section = inf.section(entry.value(2));
        Self {
            entry,
            section,
            values: lists(inf, section, "AddReg"),
            event_values: lists(inf, inf.section(entry.value(3)), "AddReg"),
        }
    }
}

/// The systems that an install section is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Systems {
    /// All systems that no other section is for.
    All,
    /// The systems from a build on.
    From(u32),
    /// The version in its name cannot be read.
    Unreadable,
}

/// What one section installs.
pub struct Install<'a> {
    pub section: &'a Section,
    /// The architecture that it is for, in lower case; `None` if its name has none.
    pub architecture: Option<String>,
    /// The systems that it is for.
    pub systems: Systems,
    /// The lists of files that it copies.
    pub copied: Vec<&'a Section>,
    /// The single files that it copies.
    pub copied_alone: Vec<&'a str>,
    /// The filter: the first service that is a file-system driver, or else the first service.
    pub filter: Option<Added<'a>>,
}

fn lists<'a>(inf: &'a Inf, of: Option<&'a Section>, directive: &'a str) -> Vec<&'a Section> {
    of.into_iter()
        .flat_map(|section| section.all(directive))
        .flat_map(|entry| &entry.values)
        .filter_map(|name| inf.section(name))
        .collect()
}

impl<'a> Install<'a> {
    fn of(inf: &'a Inf, section: &'a Section) -> Self {
        let decoration = Decoration::of(&section.name);
        let services = inf.section(&format!("{}.Services", section.name));
        let mut added: Vec<_> = services
            .into_iter()
            .flat_map(|services| services.all("AddService"))
            .map(|entry| Added::of(inf, entry))
            .collect();
        let at = added
            .iter()
            .position(|added| added.section.is_some_and(is_file_system_driver))
            .unwrap_or(0);
        let names = section
            .all("CopyFiles")
            .flat_map(|entry| &entry.values)
            .filter_map(|name| name.strip_prefix('@'));
        Self {
            section,
            architecture: decoration.architecture.map(str::to_lowercase),
            systems: match decoration.version.map(target_build) {
                None | Some(Ok(None)) => Systems::All,
                Some(Ok(Some(build))) => Systems::From(build),
                Some(Err(_)) => Systems::Unreadable,
            },
            copied: lists(inf, Some(section), "CopyFiles"),
            copied_alone: names.collect(),
            filter: (at < added.len()).then(|| added.swap_remove(at)),
        }
    }

    /// Whether it is only for systems that read the instances below `Parameters`; `None` if its version cannot be read.
    pub fn has_parameters_layout(&self) -> Option<bool> {
        match self.systems {
            Systems::All => Some(false),
            Systems::From(build) => Some(build >= PARAMETERS_BUILD),
            Systems::Unreadable => None,
        }
    }

    /// The values below the filter's key: the key, the name, and the entry.
    pub fn filter_values(&self) -> impl Iterator<Item = (&'a str, &'a str, &'a Entry)> {
        let lists = self.filter.iter().flat_map(|filter| filter.values.clone());
        lists
            .flat_map(|section| &section.entries)
            .map(|entry| (entry.value(1), entry.value(2), entry))
    }

    /// The files that it copies: the list, and the name at the destination.
    fn files(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let listed = self.copied.iter().flat_map(|list| {
            let files = list.entries.iter().map(|entry| entry.value(0));
            files.map(|file| (list.name.as_str(), file))
        });
        listed.chain(self.copied_alone.iter().map(|file| ("", *file)))
    }

    /// Whether it copies a file with this name.
    pub fn has_file(&self, name: &str) -> bool {
        self.files()
            .any(|(_, file)| file.eq_ignore_ascii_case(name))
    }

    /// Whether it copies a file to a path below a dirid. The driver store has all files of a package, in the same
    /// folders as beside the INF.
    pub fn has_path(&self, package: &Package, dirid: &str, path: &str) -> bool {
        self.files().any(|(list, file)| {
            let folder = if dirid == DRIVER_STORE {
                package.source_folder(file)
            } else {
                match package.destination(list) {
                    Some(to) if to.value(0) == dirid => to.value(1).to_owned(),
                    _ => return false,
                }
            };
            let whole = [folder.as_str(), file].join(r"\");
            path.eq_ignore_ascii_case(whole.trim_start_matches('\\'))
        })
    }
}

/// What follows `DefaultInstall` or `DefaultUninstall` in a section's name.
pub struct Decoration<'a> {
    /// `amd64` in `.NTamd64`.
    pub architecture: Option<&'a str>,
    /// `10.0...25952` in `.NTamd64.10.0...25952`.
    pub version: Option<&'a str>,
}

impl<'a> Decoration<'a> {
    pub fn of(section: &'a str) -> Self {
        let name = without_services(section);
        let decoration = name
            .split_once('.')
            .map_or("", |(_, decoration)| decoration);
        let (first, rest) = match decoration.split_once('.') {
            Some((first, rest)) => (first, Some(rest)),
            None => (decoration, None),
        };
        let architecture = first
            .split_at_checked(2)
            .filter(|(nt, _)| nt.eq_ignore_ascii_case("nt"))
            .map(|(_, architecture)| architecture)
            .filter(|architecture| !architecture.is_empty());
        Self {
            architecture,
            version: rest,
        }
    }
}

/// The name of the install section that a `.Services` section belongs to; any other name is returned unchanged.
pub fn without_services(section: &str) -> &str {
    const SERVICES: &str = ".services";
    section
        .len()
        .checked_sub(SERVICES.len())
        .and_then(|at| section.split_at_checked(at))
        .filter(|(_, end)| end.eq_ignore_ascii_case(SERVICES))
        .map_or(section, |(name, _)| name)
}

/// Why a target version cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// The form is wrong.
    Form,
    /// The build is lower than 14310, from which builds in names are supported.
    Build(u32),
}

/// The build of a target version, `major.minor.product-type.suite-mask.build`. Fields at the end may be missing.
pub fn target_build(version: &str) -> Result<Option<u32>, Unreadable> {
    // All defined bits of the suite mask.
    const SUITES: u32 = 0x7ff;
    let fields: Vec<_> = version.split('.').collect();
    let numbers: Option<Vec<Option<u32>>> = fields
        .iter()
        .map(|field| match *field {
            "" => Some(None),
            field => number(field).map(Some),
        })
        .collect();
    match numbers.as_deref() {
        Some([_, _, _, Some(suite), ..]) if *suite > SUITES => Err(Unreadable::Form),
        Some([_, _, _, _, Some(build)]) if *build < 14310 => Err(Unreadable::Build(*build)),
        Some([Some(_), Some(_), _, _, build]) => Ok(*build),
        Some([_] | [_, _] | [_, _, _] | [_, _, _, _]) => Ok(None),
        _ => Err(Unreadable::Form),
    }
}
