//! The registry: the keys of the service, as an INF creates them.
//!
//! Documents: "Accessing Registry Keys Safely", "Creating an INF File for a Minifilter Driver".

use crate::settings::{DWORD, STRING, Settings};

/// The keys and the open handles.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    /// The keys.
    pub keys: Vec<Key>,
    /// The open handles, each with the path of its key and the access rights.
    pub open: Vec<(u64, String, u32)>,
    /// The most recent handle.
    pub next: u64,
    /// The number of invalid values that were returned.
    pub odd: u32,
}

/// A key.
#[derive(Debug, Clone)]
pub struct Key {
    /// Its path.
    pub path: String,
    /// Its values.
    pub values: Vec<Value>,
}

/// The name, the type and the data of a value.
pub type Value = (String, u32, Vec<u8>);

impl Registry {
    /// Creates the keys of a service with the given values.
    #[must_use]
    pub fn new(service: &str, settings: &Settings) -> Self {
        let root = path_of(service);
        let text = |text: &str| -> Vec<u8> {
            text.encode_utf16()
                .chain([0])
                .flat_map(u16::to_le_bytes)
                .collect()
        };
        let dword = |value: u32| value.to_le_bytes().to_vec();
        let instance = format!("{service} Instance");
        let key = |path: String, values: Vec<(&str, u32, Vec<u8>)>| Key {
            path,
            values: values
                .into_iter()
                .map(|(name, kind, data)| (name.to_owned(), kind, data))
                .collect(),
        };
        let mut registry = Registry {
            keys: vec![
                key(
                    root.clone(),
                    vec![
                        ("Type", DWORD, dword(2)),
                        ("Start", DWORD, dword(3)),
                        ("ErrorControl", DWORD, dword(1)),
                        ("DisplayName", STRING, text(service)),
                        ("SupportedFeatures", DWORD, dword(3)),
                    ],
                ),
                key(
                    format!("{root}\\Parameters"),
                    vec![("SupportedFeatures", DWORD, dword(3))],
                ),
                key(
                    format!("{root}\\Instances"),
                    vec![("DefaultInstance", STRING, text(&instance))],
                ),
                key(
                    format!("{root}\\Parameters\\Instances"),
                    vec![("DefaultInstance", STRING, text(&instance))],
                ),
            ],
            open: Vec::new(),
            next: 0x8000_0000,
            odd: 0,
        };
        for setting in settings.all() {
            let (below, name) = setting.place();
            let path = below.split('\\').filter(|part| !part.is_empty()).fold(
                root.clone(),
                |path, part| {
                    registry.make(&path);
                    format!("{path}\\{part}")
                },
            );
            registry.make(&path);
            registry.set(&path, name, setting.kind(), setting.data());
        }
        registry
    }

    pub fn find(&self, path: &str) -> Option<&Key> {
        self.keys
            .iter()
            .find(|key| key.path.eq_ignore_ascii_case(path))
    }

    /// Creates a key if it does not exist. Returns its path in the original case.
    pub fn make(&mut self, path: &str) -> String {
        if let Some(key) = self.find(path) {
            return key.path.clone();
        }
        self.keys.push(Key {
            path: path.to_owned(),
            values: Vec::new(),
        });
        path.to_owned()
    }

    pub fn value(&self, path: &str, name: &str) -> Option<Value> {
        let mut values = self.find(path)?.values.iter();
        values.find(|(known, ..)| is_same(known, name)).cloned()
    }

    pub fn set(&mut self, path: &str, name: &str, kind: u32, data: &[u8]) {
        self.remove(path, name);
        for key in &mut self.keys {
            if key.path.eq_ignore_ascii_case(path) {
                key.values.push((name.to_owned(), kind, data.to_vec()));
            }
        }
    }

    pub fn remove(&mut self, path: &str, name: &str) {
        for key in &mut self.keys {
            if key.path.eq_ignore_ascii_case(path) {
                key.values.retain(|(known, ..)| !is_same(known, name));
            }
        }
    }
}

/// Returns whether two names are equal without regard to case.
fn is_same(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

/// The current control set.
pub const CONTROL_SET: &str = "\\REGISTRY\\MACHINE\\SYSTEM\\ControlSet001";

/// Returns the path of a service key, as `DriverEntry` receives it.
#[must_use]
pub fn path_of(service: &str) -> String {
    format!("{CONTROL_SET}\\Services\\{service}")
}

/// Normalizes a path: `CurrentControlSet` is a link to a control set.
pub fn normal(path: &str) -> String {
    const LINK: &str = "\\REGISTRY\\MACHINE\\SYSTEM\\CurrentControlSet\\";
    let path = path.trim_end_matches('\\');
    match path.get(..LINK.len()) {
        Some(begin) if begin.eq_ignore_ascii_case(LINK) => {
            format!("{CONTROL_SET}\\{}", &path[LINK.len()..])
        }
        _ => path.to_owned(),
    }
}
