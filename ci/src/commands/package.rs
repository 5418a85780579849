//! `cargo xtask build --package`: makes a driver package.
//!
//! The package is that of `scripts/New-Package.ps1` in an emitted project: the driver and its INF, with the version of
//! Cargo.toml, and the scripts that test them on a test machine. A package that is made on Linux has no catalog,
//! because inf2cat runs on Windows only.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, bail, ensure};
use serde::Deserialize;
use time::{Date, OffsetDateTime};

use crate::{
    commands::inf::{self, reader},
    openwdk::target::{Arch, Profile},
};

/// The files and folders of `scripts/` that test the driver on a test machine. New-Package.ps1 copies the same: a test
/// compares.
pub const TEST_SCRIPTS: [&str; 4] = [
    "Test-Driver.ps1",
    "Test-Driver.psd1",
    "Windows.ps1",
    "Test-Driver",
];

/// The part of a project's Cargo.toml that is read here.
#[derive(Deserialize)]
struct Manifest {
    package: Package,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
}

impl Package {
    fn krate(&self) -> String {
        self.name.replace('-', "_")
    }

    /// The four numbers of the driver's version. Text after a hyphen or a plus sign is omitted, as in the project's
    /// build script.
    fn numbers(&self) -> String {
        let end = self.version.find(['-', '+']).unwrap_or(self.version.len());
        format!("{}.0", &self.version[..end])
    }
}

/// Makes the package of a project whose driver is built, and returns its folder. On Windows the project's own script
/// builds the driver again and makes the package, with a catalog.
///
/// # Errors
///
/// A tool is missing or fails, the INX breaks a rule of [`inf`], or it lacks a directive that is to be stamped. Then
/// there is no package, not even that of an earlier build of this version.
pub fn make(project: &Path, sys: &Path, profile: Profile, arch: Arch) -> anyhow::Result<PathBuf> {
    let manifest = project.join("Cargo.toml");
    let Manifest { package } = toml::from_str(&fs::read_to_string(&manifest)?)
        .with_context(|| format!("{} is not a valid Cargo.toml", manifest.display()))?;
    let krate = package.krate();
    let result = project.join("target/package").join(format!(
        "{}-{}-{}-{}",
        package.name,
        package.version,
        arch.name(),
        profile.name()
    ));
    // Removed first, so that the package of an earlier build is not mistaken for the result of a build that fails.
    if result.is_dir() {
        fs::remove_dir_all(&result)?;
    }
    let inx = project.join(format!("{krate}.inx"));
    let bytes = fs::read(&inx).with_context(|| format!("cannot read {}", inx.display()))?;
    inf::refuse(&inx, &bytes)?;
    if cfg!(windows) {
        make_with_script(project, profile, arch)?;
        return Ok(result);
    }

    let (text, encoding) = reader::decode(&bytes)
        .with_context(|| format!("{} cannot be read as an INF", inx.display()))?;
    let today = OffsetDateTime::now_utc().date();
    let stamped = stamp(&text, &package.numbers(), today, arch.name(), &krate)
        .with_context(|| format!("{} cannot be stamped", inx.display()))?;
    let stamped = reader::encode(&stamped, encoding);
    inf::refuse(&inx, &stamped).with_context(|| {
        let version = &package.version;
        format!("the version {version} of Cargo.toml is not valid as DriverVer")
    })?;

    let above = result.parent().context("the folder has no parent")?;
    fs::create_dir_all(above)?;
    let draft = tempfile::Builder::new()
        .prefix("draft-")
        .tempdir_in(above)?;
    let made = draft.path().join("package");
    let folder = made.join("driver");
    fs::create_dir_all(&folder)?;
    fs::write(folder.join(format!("{krate}.inf")), stamped)?;
    let pdb = sys.with_extension("pdb");
    if pdb.is_file() {
        fs::copy(&pdb, folder.join(format!("{krate}.pdb")))?;
    }
    let certificate = Certificate::ensure()?;
    let signed = folder.join(format!("{krate}.sys"));
    certificate.sign(sys, &signed)?;
    certificate.verify(&signed)?;
    fs::copy(&certificate.der, folder.join("TestCertificate.cer"))?;
    for script in TEST_SCRIPTS {
        let from = project.join("scripts").join(script);
        if from.exists() {
            copy(&from, &made.join(script))?;
        }
    }
    fs::rename(made, &result).with_context(|| format!("cannot create {}", result.display()))?;
    eprintln!(
        "note: the package has no {krate}.cat, which inf2cat makes on Windows (scripts/New-Package.ps1 of the project)"
    );
    Ok(result)
}

/// Copies a file, or a folder with all that it contains.
fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    if !from.is_dir() {
        fs::copy(from, to)?;
        return Ok(());
    }
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        copy(&entry.path(), &to.join(entry.file_name()))?;
    }
    Ok(())
}

fn make_with_script(project: &Path, profile: Profile, arch: Arch) -> anyhow::Result<()> {
    let status = Command::new("powershell")
        .args(["-NoProfile", "-ExecutionPolicy", "Bypass", "-File"])
        .arg(project.join("scripts/New-Package.ps1"))
        .args(["-CargoProfile", profile.name(), "-Arch", arch.name()])
        .stdout(std::io::stderr())
        .status()
        .context("PowerShell cannot be started")?;
    ensure!(
        status.success(),
        "the project's scripts/New-Package.ps1 failed: see its output above"
    );
    Ok(())
}

/// The INF of an INX, as `stampinf -d * -a ARCH -c KRATE.cat -v VERSION` writes it.
///
/// # Errors
///
/// The section `[Version]` of the INX has no `DriverVer` or no `CatalogFile`.
pub fn stamp(
    inx: &str,
    version: &str,
    date: Date,
    arch: &str,
    krate: &str,
) -> anyhow::Result<String> {
    let mut missing = vec!["DriverVer", "CatalogFile"];
    let mut section = String::new();
    let mut inf = String::new();
    for line in inx.split_inclusive('\n') {
        let content = line.trim_end_matches(['\r', '\n']);
        if let Some(name) = content
            .trim()
            .strip_prefix('[')
            .and_then(|rest| rest.split_once(']'))
        {
            section = name.0.to_ascii_lowercase();
        }
        let value = match content.split_once('=').map(|(key, _)| key.trim()) {
            Some(key) if section != "version" || key.starts_with(';') => None,
            Some(key) if key.eq_ignore_ascii_case("DriverVer") => {
                missing.retain(|name| *name != "DriverVer");
                Some(format!(
                    "{:02}/{:02}/{:04},{version}",
                    u8::from(date.month()),
                    date.day(),
                    date.year()
                ))
            }
            Some(key) if key.eq_ignore_ascii_case("CatalogFile") => {
                missing.retain(|name| *name != "CatalogFile");
                Some(format!("{krate}.cat"))
            }
            _ => None,
        };
        match (value, content.split_once('=')) {
            (Some(value), Some((key, _))) => {
                inf.extend([key, "= ", &value, &line[content.len()..]]);
            }
            _ => inf += &line.replace("$ARCH$", arch),
        }
    }
    if let Some(name) = missing.first() {
        bail!("its [Version] section has no {name}");
    }
    Ok(inf)
}

/// The certificate for test-signing, one for each clone. A machine that trusts it trusts everyone who has the key, so
/// it is created when it is needed, in a folder that git ignores.
struct Certificate {
    key: PathBuf,
    pem: PathBuf,
    /// The certificate in the format of Windows.
    der: PathBuf,
}

impl Certificate {
    fn ensure() -> anyhow::Result<Self> {
        let folder = crate::repository().join("ci/target/test-certificate");
        let this = Self {
            key: folder.join("key.pem"),
            pem: folder.join("certificate.pem"),
            der: folder.join("certificate.cer"),
        };
        if [&this.key, &this.pem, &this.der]
            .iter()
            .all(|path| path.is_file())
        {
            return Ok(this);
        }
        let above = folder.parent().context("the folder has no parent")?;
        fs::create_dir_all(above)?;
        let draft = tempfile::Builder::new()
            .prefix("test-certificate-")
            .tempdir_in(above)?;
        tool(
            Command::new("openssl")
                .args(["req", "-x509", "-newkey", "rsa:2048", "-sha256", "-nodes"])
                .args(["-days", "3650", "-subj", "/CN=Minifilter test certificate"])
                .args(["-addext", "keyUsage=critical,digitalSignature"])
                .args(["-addext", "extendedKeyUsage=critical,codeSigning"])
                .args(["-keyout", "key.pem", "-out", "certificate.pem"])
                .current_dir(draft.path()),
        )?;
        tool(
            Command::new("openssl")
                .args(["x509", "-in", "certificate.pem", "-outform", "DER"])
                .args(["-out", "certificate.cer"])
                .current_dir(draft.path()),
        )?;
        match fs::rename(draft.path(), &folder) {
            Ok(()) => {
                let _ = draft.keep();
            }
            // Another process created it first.
            Err(_) if this.der.is_file() => {}
            Err(error) => {
                return Err(error).with_context(|| format!("cannot create {}", folder.display()));
            }
        }
        Ok(this)
    }

    /// Signs a file without a time stamp, which would need the network. The signature expires with the certificate.
    fn sign(&self, file: &Path, signed: &Path) -> anyhow::Result<()> {
        tool(
            Command::new("osslsigncode")
                .args(["sign", "-h", "sha256", "-certs"])
                .arg(&self.pem)
                .arg("-key")
                .arg(&self.key)
                .arg("-in")
                .arg(file)
                .arg("-out")
                .arg(signed),
        )
    }

    /// Verifies the signature, with another program than the one that signs.
    fn verify(&self, signed: &Path) -> anyhow::Result<()> {
        tool(
            Command::new("sbverify")
                .arg("--cert")
                .arg(&self.pem)
                .arg(signed),
        )
    }
}

/// Runs a tool, and shows its output only if it fails.
fn tool(command: &mut Command) -> anyhow::Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("{name} is not installed: run cargo xtask setup"))?;
    if !output.status.success() {
        bail!(
            "{name} failed: {}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const INX: &str = "; DriverVer = a comment\r\n[Version]\r\nDriverVer   =\r\nCatalogFile = other.cat\r\n\r\n\
                       [DefaultInstall.NT$ARCH$]\r\nDriverVer = elsewhere\r\n";

    fn date() -> Date {
        Date::from_calendar_date(2027, time::Month::March, 4).unwrap()
    }

    #[test]
    fn the_version_section_is_stamped_and_nothing_else() {
        assert_eq!(
            stamp(INX, "1.2.3.0", date(), "arm64", "my_filter").unwrap(),
            "; DriverVer = a comment\r\n[Version]\r\nDriverVer   = 03/04/2027,1.2.3.0\r\nCatalogFile = my_filter.cat\r\n\r\n\
             [DefaultInstall.NTarm64]\r\nDriverVer = elsewhere\r\n"
        );
    }

    #[test]
    fn an_inx_without_a_line_to_fill_in_is_refused() {
        for (line, name) in [
            ("DriverVer   =\r\n", "DriverVer"),
            ("CatalogFile = other.cat\r\n", "CatalogFile"),
        ] {
            let error = stamp(
                &INX.replacen(line, "", 1),
                "1.2.3.0",
                date(),
                "amd64",
                "my_filter",
            )
            .unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("its [Version] section has no {name}")
            );
        }
    }

    #[test]
    fn a_version_has_four_numbers() {
        for (version, numbers) in [
            ("0.1.0", "0.1.0.0"),
            ("1.2.3-rc.1", "1.2.3.0"),
            ("4.5.6+build", "4.5.6.0"),
        ] {
            let package = Package {
                name: "my-filter".into(),
                version: version.into(),
            };
            assert_eq!(package.numbers(), numbers);
        }
    }
}
