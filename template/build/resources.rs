//! The driver's resources: the version resource, from Cargo.toml, and those that the build script
//! adds.

use std::{env, error::Error, fs, path::Path};

/// Compiles the version resource and the resource script lines in `more`, and links them into the
/// driver.
pub fn compile(out_dir: &Path, more: &str) -> Result<(), Box<dyn Error>> {
    let script = out_dir.join("driver.rc");
    fs::write(&script, version()? + more)?;
    embed_resource::compile_for_cdylib(&script, embed_resource::NONE).manifest_required()?;
    Ok(())
}

/// The version resource. The constants of winver.h are written as numbers, so that no header is
/// needed.
fn version() -> Result<String, Box<dyn Error>> {
    let version = env::var("CARGO_PKG_VERSION")?;
    let numbers = numbers(&version)?;
    let company = quoted(&env::var("CARGO_PKG_AUTHORS")?);
    let description = quoted(&env::var("CARGO_PKG_DESCRIPTION")?);
    let file = env::var("CARGO_PKG_NAME")?.replace('-', "_") + ".sys";
    Ok(format!(
        r#"#pragma code_page(65001)
1 VERSIONINFO
FILEVERSION {numbers}
PRODUCTVERSION {numbers}
FILEFLAGSMASK 0x3F
FILEOS 0x40004
FILETYPE 3
FILESUBTYPE 7
BEGIN
    BLOCK "StringFileInfo"
    BEGIN
        BLOCK "040904B0"
        BEGIN
            VALUE "CompanyName", {company}
            VALUE "FileDescription", {description}
            VALUE "FileVersion", "{version}"
            VALUE "InternalName", "{file}"
            VALUE "LegalCopyright", {company}
            VALUE "OriginalFilename", "{file}"
            VALUE "ProductName", {description}
            VALUE "ProductVersion", "{version}"
        END
    END
    BLOCK "VarFileInfo"
    BEGIN
        VALUE "Translation", 0x0409, 1200
    END
END
"#
    ))
}

/// The four numbers of `version`, separated by commas.
fn numbers(version: &str) -> Result<String, Box<dyn Error>> {
    let mut numbers = Vec::new();
    for part in ["MAJOR", "MINOR", "PATCH"] {
        let number = env::var(format!("CARGO_PKG_VERSION_{part}"))?;
        // The limit of DriverVer in the INF, which has the same version.
        if number.parse::<u64>()? >= 65535 {
            return Err(format!(
                "{number} in the version {version} is too large: each number of a driver's version must be below 65535. Write a smaller one in Cargo.toml."
            )
            .into());
        }
        numbers.push(number);
    }
    Ok(numbers.join(",") + ",0")
}

/// `text` as a string of a resource script, with backslashes and quotes doubled.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\"\""))
}
