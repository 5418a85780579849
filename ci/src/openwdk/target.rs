//! The architectures, Rust targets and cargo profiles that drivers are built for.

/// Rust's target for x64 drivers.
pub const TARGET: &str = "x86_64-pc-windows-msvc";

/// Rust's target for ARM64 drivers. They are compiled and linked only; the bench runs x64 drivers.
pub const TARGET_ARM64: &str = "aarch64-pc-windows-msvc";

/// The architecture that a driver is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Arch {
    /// x64, which the bench runs.
    #[default]
    Amd64,
    /// ARM64, which is compiled and linked only.
    Arm64,
}

impl Arch {
    /// Its name in INFs and for cargo-wdk.
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
    /// With optimisation, and without debug assertions.
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

    /// The name of the file that a build locks in the directory that projects share.
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
