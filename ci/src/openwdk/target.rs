//! What a driver is built for: the processor, the target of Rust, the profile of cargo.

/// The target that drivers are built for.
pub const TARGET: &str = "x86_64-pc-windows-msvc";

/// The target of ARM64. A driver is compiled and linked for it here; the bench runs drivers of x64 only.
pub const TARGET_ARM64: &str = "aarch64-pc-windows-msvc";

/// The processor that a driver is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Arch {
    /// x64: what the bench runs.
    #[default]
    Amd64,
    /// ARM64: compiled and linked, and run nowhere here.
    Arm64,
}

impl Arch {
    /// Its name in INFs and to cargo-wdk.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
        }
    }

    /// Rust's target.
    #[must_use]
    pub fn target(self) -> &'static str {
        match self {
            Self::Amd64 => TARGET,
            Self::Arm64 => TARGET_ARM64,
        }
    }
}

/// How a project is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// With debug assertions.
    Dev,
    /// What ships.
    Release,
}

impl Profile {
    /// The name of its folder below `target`.
    #[must_use]
    pub fn folder(self) -> &'static str {
        match self {
            Self::Dev => "debug",
            Self::Release => "release",
        }
    }

    /// What whoever builds in it holds, in the directory that projects share.
    #[must_use]
    pub fn lock(self) -> &'static str {
        match self {
            Self::Dev => "debug.lock",
            Self::Release => "release.lock",
        }
    }

    /// Its name in Cargo.toml.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Dev => "dev",
            Self::Release => "release",
        }
    }
}
