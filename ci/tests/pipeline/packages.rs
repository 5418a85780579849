//! The package and its version, the licenses, and the template's version.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

use regex::Regex;
use xtask::{
    checks::tools,
    commands::{build, package},
    openwdk::target::{Arch, Profile},
};

use crate::{
    emitting::{self, emit, folder, read, said},
    must_pass,
};

// ---------------------------------------------------------------------------------------------------------------------
// The version, and the package

/// A package of a project with another version than the emitted one.
static PACKAGE: LazyLock<PathBuf> = LazyLock::new(|| {
    let place = emitting::shared_folder("package");
    let project = xtask::commands::new::emit("my-filter", &[], &place).unwrap();
    for name in ["Cargo.toml", "Cargo.lock"] {
        let text = read(&project, name);
        let own = "name = \"my-filter\"\nversion = \"0.1.0\"";
        assert!(text.contains(own), "{name}");
        let text = text.replacen(own, "name = \"my-filter\"\nversion = \"3.21.4-rc.5\"", 1);
        fs::write(project.join(name), text).unwrap();
    }
    let sys = build::build(&project, Profile::Release).unwrap();
    package::make(&project, &sys, Profile::Release, Arch::Amd64).unwrap()
});

#[test]
fn the_whole_package_has_the_version_of_cargo_toml() {
    let package = &*PACKAGE;
    assert_eq!(
        package.file_name().unwrap(),
        "my-filter-3.21.4-rc.5-amd64-release"
    );
    let inf = read(package, "driver/my_filter.inf");
    let stamped = Regex::new(r"(?m)^DriverVer\s*= \d\d/\d\d/20\d\d,3\.21\.4\.0\r$").unwrap();
    assert!(stamped.is_match(&inf), "{inf}");
    assert!(!inf.contains("$ARCH$"));

    // VS_FIXEDFILEINFO: signature, version of the structure, then the versions of the file and of the product, each
    // with its upper half first.
    let sys = fs::read(package.join("driver/my_filter.sys")).unwrap();
    let info = sys
        .windows(8)
        .position(|bytes| bytes == b"\xBD\x04\xEF\xFE\x00\x00\x01\x00")
        .unwrap();
    let number = |at: usize| u32::from_le_bytes(sys[info + at..info + at + 4].try_into().unwrap());
    for product in [8, 16] {
        assert_eq!(number(product), 0x0003_0015);
        assert_eq!(number(product + 4), 4 << 16);
    }
    let text: Vec<u8> = "3.21.4-rc.5"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    assert!(sys.windows(text.len()).any(|bytes| bytes == text));
}

#[test]
fn the_package_is_signed_and_complete() {
    let package = &*PACKAGE;
    assert_eq!(
        emitting::names(package),
        [
            "Test-Driver",
            "Test-Driver.ps1",
            "Test-Driver.psd1",
            "Windows.ps1",
            "driver"
        ]
    );
    let parts = |folder: &Path| emitting::names(&folder.join("Test-Driver"));
    assert_eq!(
        parts(package),
        parts(&xtask::repository().join("template/scripts"))
    );
    assert_eq!(
        emitting::names(&package.join("driver")),
        [
            "TestCertificate.cer",
            "my_filter.inf",
            "my_filter.pdb",
            "my_filter.sys"
        ]
    );
    // sbverify, which did not create the signature, accepts it and rejects a changed file.
    let place = folder();
    let certificate = place.path().join("certificate.pem");
    must_pass(
        &Command::new("openssl")
            .args(["x509", "-inform", "DER", "-in"])
            .arg(package.join("driver/TestCertificate.cer"))
            .arg("-out")
            .arg(&certificate)
            .output()
            .unwrap(),
    );
    let verify = |sys: &Path| {
        Command::new("sbverify")
            .arg("--cert")
            .arg(&certificate)
            .arg(sys)
            .output()
            .unwrap()
    };
    let sys = package.join("driver/my_filter.sys");
    must_pass(&verify(&sys));
    let mut bytes = fs::read(&sys).unwrap();
    bytes[0x600] ^= 1;
    let changed = place.path().join("changed.sys");
    fs::write(&changed, bytes).unwrap();
    assert!(!verify(&changed).status.success());
}

/// The package that New-Package.ps1 makes on Windows has the same scripts.
#[test]
fn both_programs_that_make_a_package_add_the_same_scripts() {
    let script = read(
        &xtask::repository().join("template"),
        "scripts/New-Package.ps1",
    );
    let line = |name: &str| {
        script
            .lines()
            .find(|line| line.starts_with(name))
            .unwrap_or_else(|| panic!("no {name}"))
    };
    let quoted = Regex::new("'([^']+)'").unwrap();
    let declared = [line("$testFiles ="), line("$testFolder =")].concat();
    let declared: Vec<&str> = quoted
        .captures_iter(&declared)
        .map(|found| found.get(1).unwrap().as_str())
        .collect();
    assert_eq!(declared, package::TEST_SCRIPTS);
}

// ---------------------------------------------------------------------------------------------------------------------
// The licenses

#[test]
fn a_license_that_is_not_listed_is_found() {
    let (_place, project) = emit(&[("license", "proprietary")]);
    let check = || {
        Command::new(tools::ensure_cargo_deny().unwrap())
            .args(["--locked", "check", "licenses", "bans", "sources"])
            .current_dir(&project)
            .output()
            .unwrap()
    };
    must_pass(&check());
    let file = project.join("deny.toml");
    let text = fs::read_to_string(&file).unwrap().replace("\"ISC\", ", "");
    fs::write(&file, text).unwrap();
    let output = check();
    assert!(!output.status.success());
    assert!(
        said(&output).contains("license is not explicitly allowed"),
        "{}",
        said(&output)
    );
}
