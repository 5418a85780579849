//! What the sections of an INF are for.

use super::super::reader::{Entry, Inf, Section};

/// The build from which the filter manager reads instances below `Parameters`: Windows 11 version 24H2.
pub const PARAMETERS_BUILD: u32 = 25952;

/// What a section is for: by its name, or by the directive that names it.
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
}

impl Kind {
    /// Whether its entries are `key = value`.
    pub fn has_keys(self) -> bool {
        !matches!(
            self,
            Self::CopiedFiles | Self::DeletedFiles | Self::ServiceRegistry | Self::EventRegistry
        )
    }
}

/// A section that a directive names.
pub struct Reference<'a> {
    pub kind: Kind,
    pub directive: &'static str,
    pub name: &'a str,
    pub line: usize,
}

/// An INF, with what its sections are for.
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
        for (of, directive, positions) in [
            (Kind::Install, "CopyFiles", &[(Kind::CopiedFiles, 0)][..]),
            (Kind::Uninstall, "DelFiles", &[(Kind::DeletedFiles, 0)]),
            (
                Kind::InstallServices,
                "AddService",
                &[(Kind::Service, 2), (Kind::EventLog, 3)],
            ),
            (Kind::Service, "AddReg", &[(Kind::ServiceRegistry, 0)]),
            (Kind::EventLog, "AddReg", &[(Kind::EventRegistry, 0)]),
        ] {
            let mut found = Vec::new();
            for section in package.all(of) {
                let Some(entry) = section.entry(directive) else {
                    continue;
                };
                for &(kind, position) in positions {
                    // Any number of lists of files or of registry values may be named.
                    let last = if position == 0 { usize::MAX } else { position };
                    let names = (position..=last).map_while(|at| entry.values.get(at));
                    found.extend(names.filter(|name| !name.is_empty()).map(|name| Reference {
                        kind,
                        directive,
                        name,
                        line: entry.line,
                    }));
                }
            }
            package.references.extend(found);
        }
        package
    }

    /// What a section is for; there may be more than one use, or none.
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

    /// The sections of a kind.
    pub fn all(&self, kind: Kind) -> Vec<&'a Section> {
        self.inf
            .sections
            .iter()
            .filter(|section| self.kinds(section).contains(&kind))
            .collect()
    }

    /// The only section of a kind.
    pub fn the(&self, kind: Kind) -> Option<&'a Section> {
        self.all(kind).first().copied()
    }

    /// An entry of `[Version]` that is not empty.
    pub fn version(&self, key: &str) -> Option<&'a Entry> {
        let entry = self.the(Kind::Version)?.entry(key)?;
        (!entry.value(0).is_empty()).then_some(entry)
    }

    /// The installations of which it can be read for which systems they are.
    pub fn installs(&self) -> Vec<Install<'a>> {
        self.all(Kind::Install)
            .into_iter()
            .filter_map(|section| Install::of(self.inf, section))
            .collect()
    }

    /// The entries of all lists of registry values, with the list.
    pub fn registry_values(&self) -> impl Iterator<Item = (&'a Section, &'a Entry)> {
        let kinds = [Kind::ServiceRegistry, Kind::EventRegistry];
        let sections = self.inf.sections.iter().filter(move |section| {
            let of = self.kinds(section);
            kinds.iter().any(|kind| of.contains(kind))
        });
        sections.flat_map(|section| section.entries.iter().map(move |entry| (section, entry)))
    }
}

fn by_name(name: &str) -> Option<Kind> {
    let name = name.to_ascii_lowercase();
    let services = name.ends_with(".services");
    Some(match name.as_str() {
        "version" => Kind::Version,
        "sourcedisksnames" => Kind::DiskNames,
        "sourcedisksfiles" => Kind::DiskFiles,
        "destinationdirs" => Kind::Destinations,
        "strings" => Kind::Strings,
        name if name.starts_with("defaultinstall") && services => Kind::InstallServices,
        name if name.starts_with("defaultinstall") => Kind::Install,
        name if name.starts_with("defaultuninstall") && services => Kind::UninstallServices,
        name if name.starts_with("defaultuninstall") => Kind::Uninstall,
        _ => return None,
    })
}

/// What one section installs.
pub struct Install<'a> {
    pub section: &'a Section,
    /// The build from which it is for, where it says one.
    pub build: Option<u32>,
    /// The lists of files that it copies.
    pub copied: Vec<&'a Section>,
    pub add_service: Option<&'a Entry>,
    pub service: Option<&'a Section>,
    /// The lists of values that go below the service's key.
    pub values: Vec<&'a Section>,
    /// The lists of values of the event source.
    pub event_values: Vec<&'a Section>,
}

impl<'a> Install<'a> {
    fn of(inf: &'a Inf, section: &'a Section) -> Option<Self> {
        let version = Decoration::of(&section.name).version;
        let build = version.map(target_build).transpose().ok()?;
        let lists = |of: Option<&'a Section>, directive: &str| -> Vec<&'a Section> {
            let entry = of.and_then(|section| section.entry(directive));
            let names = entry.map_or(&[][..], |entry| &entry.values);
            names.iter().filter_map(|name| inf.section(name)).collect()
        };
        let services = inf.section(&format!("{}.Services", section.name));
        let add_service = services.and_then(|services| services.entry("AddService"));
        let named = |at| add_service.and_then(|entry| inf.section(entry.value(at)));
        let service = named(2);
        Some(Self {
            section,
            build,
            copied: lists(Some(section), "CopyFiles"),
            add_service,
            service,
            values: lists(service, "AddReg"),
            event_values: lists(named(3), "AddReg"),
        })
    }

    /// Whether it is for systems that read the instances below `Parameters`.
    pub fn has_parameters_layout(&self) -> bool {
        self.build.is_some_and(|build| build >= PARAMETERS_BUILD)
    }

    /// The values below the service's key: the key, the name, and the entry.
    pub fn service_values(&self) -> impl Iterator<Item = (&'a str, &'a str, &'a Entry)> {
        self.values
            .clone()
            .into_iter()
            .flat_map(|section| &section.entries)
            .map(|entry| (entry.value(1), entry.value(2), entry))
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
        let services = ".services".len();
        let name = section
            .len()
            .checked_sub(services)
            .and_then(|at| section.split_at_checked(at))
            .filter(|(_, end)| end.eq_ignore_ascii_case(".services"))
            .map_or(section, |(name, _)| name);
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

/// The build of a target version, such as `10.0...25952`; the error says whether it can be read at all.
pub fn target_build(version: &str) -> Result<u32, Option<u32>> {
    let fields: Vec<_> = version.split('.').collect();
    let ["10", "0", "", "", build] = fields[..] else {
        return Err(None);
    };
    match build.parse() {
        // Systems before it do not know the form.
        Ok(build) if build < 14310 => Err(Some(build)),
        Ok(build) => Ok(build),
        Err(_) => Err(None),
    }
}
