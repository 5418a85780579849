#Requires -Version 5.1
<#
.SYNOPSIS
Builds the driver and makes its package, under the version of Cargo.toml.

.DESCRIPTION
The one place where a version is written is Cargo.toml. It becomes the driver's version resource, by the build script;
DriverVer in the INF, by this script; and the name of the package's folder.

InfVerif judges the INF twice: as a universal driver's (/u), and as the hardware program does (/h).

.PARAMETER Arch
The processor that the driver is for.

.PARAMETER CargoProfile
The profile of Cargo.toml: release is what ships.

.PARAMETER Unsigned
Leave the package without a test signature: for one that is signed elsewhere, and where no timestamp server is reached.

.EXAMPLE
./scripts/New-Package.ps1
#>
[CmdletBinding()]
param(
    [ValidateSet('amd64', 'arm64')]
    [string] $Arch = 'amd64',

    [ValidateSet('dev', 'release')]
    [string] $CargoProfile = 'release',

    [switch] $Unsigned
)

Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
$project = Split-Path $PSScriptRoot
$versionBefore = $env:STAMPINF_VERSION
Push-Location $project
try {
    $metadata = cargo metadata --format-version 1 --no-deps --locked
    if ($LASTEXITCODE -ne 0) {
        throw "cargo does not understand $project\Cargo.toml: see above."
    }
    $metadata = $metadata | ConvertFrom-Json
    $package = $metadata.packages[0]
    $name = $package.name
    $driver = $name -replace '-', '_'
    # What comes after a hyphen or a plus sign has no place in four numbers: build/resources.rs leaves it out too.
    $version = ($package.version -replace '[-+].*$', '') + '.0'
    foreach ($number in $version.Split('.')) {
        # DriverVer has this limit.
        if ([uint64] $number -ge 65535) {
            throw "$number in the version $($package.version) is too large: each number of a driver's version must be below 65535. Write a smaller one in Cargo.toml."
        }
    }
    if ($version -eq '0.0.0.0') {
        throw "0.0.0 cannot be a driver's version: DriverVer takes any but 0.0.0.0. Write another one in Cargo.toml."
    }

    # stampinf reads it, where it is given no version.
    $env:STAMPINF_VERSION = $version
    $build = @('wdk', 'build', '--locked', '--profile', $CargoProfile, '--target-arch', $Arch)
    cargo @build --target-platform desktop --sign-mode off
    if ($LASTEXITCODE -ne 0) {
        throw "$name does not build, or its INF does not pass InfVerif /h: see above."
    }
    # The test signature takes a time stamp of a server, which may be busy. What is built already costs little again.
    $signing, $attempts = if ($Unsigned) { 'off', 1 } else { 'test', 3 }
    foreach ($attempt in 1..$attempts) {
        cargo @build --target-platform universal --sign-mode $signing
        if ($LASTEXITCODE -eq 0) {
            break
        }
        if ($attempt -eq $attempts) {
            throw "See above: the INF of $name does not pass InfVerif /u, or no test signature was made (without a network, none can be: use -Unsigned)."
        }
        Start-Sleep -Seconds 10
    }

    $target = if ($Arch -eq 'arm64') { 'aarch64-pc-windows-msvc' } else { 'x86_64-pc-windows-msvc' }
    $folder = if ($CargoProfile -eq 'dev') { 'debug' } else { $CargoProfile }
    $made = Join-Path $metadata.target_directory "$target/$folder/${driver}_package"
    $inf = Get-Content (Join-Path $made "$driver.inf") -Raw
    if ($inf -notmatch "(?m)^\s*DriverVer\s*=\s*\d\d/\d\d/\d{4}\s*,\s*$([regex]::Escape($version))\s*$") {
        throw "$driver.inf does not have the version $version of Cargo.toml: DriverVer was stamped by other means."
    }

    # The package, and beside it what tries it on a test machine.
    $result = Join-Path $project "target/package/$name-$($package.version)-$Arch-$CargoProfile"
    if (Test-Path $result) {
        Remove-Item $result -Recurse
    }
    $null = New-Item $result -ItemType Directory
    Copy-Item $made (Join-Path $result 'driver') -Recurse
    Copy-Item (Join-Path $PSScriptRoot 'Test-Driver.ps1'), (Join-Path $PSScriptRoot 'Test-Driver.psd1') $result
    Write-Output $result
}
finally {
    $env:STAMPINF_VERSION = $versionBefore
    Pop-Location
}
