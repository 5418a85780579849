<#
.SYNOPSIS
Installs what building the driver takes, beside Visual Studio and Rust: LLVM, and Microsoft's driver kit from NuGet.

.DESCRIPTION
Downloads and installs only what is missing or incomplete. LLVM comes from its releases on GitHub, the kit from nuget.org.

In a pipeline, the steps that follow find the kit. At a prompt, this PowerShell session finds it, and the programs that are
started from it.

Installing LLVM requires an administrator, and LLVM's installer may remove another version of LLVM. Installing the kit
requires nuget.

Exit codes: 0, everything is installed; 1, it is not.

.PARAMETER Arch
The processor that the driver is for.

.PARAMETER Folder
The folder for the kit and LLVM. The pipeline keeps this folder in its cache.

.EXAMPLE
./scripts/Install-BuildTools.ps1
cargo wdk build
#>
#Requires -Version 5.1
[CmdletBinding()]
param(
    [ValidateSet('amd64', 'arm64')]
    [string] $Arch = 'amd64',

    [string] $Folder = 'C:\wdk'
)

. "$PSScriptRoot/Build.ps1"

# The version that windows-drivers-rs is tested with (its workflow build.yaml, 2026-08-22).
$kitVersion = '10.0.26100.6584'

# LLVM, by the processor of this machine, because build scripts load its libclang.dll.
# amd64: the version that windows-drivers-rs is tested with; the hash is that of microsoft/winget-pkgs.
# arm64: the version of GitHub's images for ARM64 (2026-08-17). LLVM 18 cannot read the kit's headers for ARM64, and
# microsoft/winget-pkgs has no hash for this processor: this one is from another project's workflow.
$releases = @{
    amd64 = @{
        Version = '17.0.6'; File = 'LLVM-17.0.6-win64.exe'; Triple = 'x86_64-pc-windows-msvc'
        Sha256  = '89DC351AF8E8FA1CAFC6B48411E608AA9457C930A10F984AAD5D21AB020165B2'
    }
    arm64 = @{
        Version = '20.1.6'; File = 'LLVM-20.1.6-woa64.exe'; Triple = 'aarch64-pc-windows-msvc'
        Sha256  = '92F69A1134E32E54B07D51C6E24D9594852F6476F32C3D70471AE00FFFC2D462'
    }
}

# ---------------------------------------------------------------------------------------------------------------------
# LLVM

# Whether a folder has clang and libclang of the version and processor that are needed, with clang's own headers.
function Test-Llvm([string] $Path, $Release) {
    $clang = Join-Path $Path 'bin\clang.exe'
    $headers = Join-Path $Path "lib\clang\$($Release.Version.Split('.')[0])\include\stddef.h"
    foreach ($file in $clang, (Join-Path $Path 'bin\libclang.dll'), $headers) {
        if (-not (Test-Exists $file)) {
            return $false
        }
    }
    $seconds = 60
    try {
        $answer = Invoke-Program $clang '--version' $seconds
    }
    catch {
        Write-Console "$clang does not start: $($_.Exception.Message)"
        return $false
    }
    if ($answer.TimedOut) {
        throw "$clang gave no answer within $seconds seconds: run this script again."
    }
    $version = "\b$([regex]::Escape($Release.Version))\b"
    return $answer.ExitCode -eq 0 -and $answer.Output -match $version -and $answer.Output -match "\b$($Release.Triple)\b"
}

# Downloads the installer of LLVM and compares its hash. curl.exe is a part of Windows since Windows 10, version 1803.
function Save-LlvmInstaller([string] $Installer, $Release) {
    $address = "https://github.com/llvm/llvm-project/releases/download/llvmorg-$($Release.Version)/$($Release.File)"
    $curl = Join-Path $facts.System 'curl.exe'
    $code = Invoke-Attempt 5 {
        Invoke-VisibleProgram $curl "--fail --location --silent --show-error --output `"$Installer`" $address" $root
    }
    if ($code -ne 0) {
        throw "$address could not be downloaded (curl, exit code $code): see above."
    }
    $hash = Get-Sha256 $Installer
    if ($hash -ne $Release.Sha256) {
        throw "The SHA-256 of $($Release.File) is $hash, and must be $($Release.Sha256): the download was changed or cut off. Run this script again."
    }
}

# Installs LLVM to a folder. Its installer is made with NSIS ("Installer Usage", NSIS: /S is silent; /D is the folder, is
# last and has no quotation marks).
function Install-Llvm([string] $Path, $Release) {
    if (-not $facts.Administrator) {
        throw "LLVM $($Release.Version) is missing, and only an administrator can install it: run this script once at an elevated prompt."
    }
    Write-Console "Installing LLVM $($Release.Version)"
    $installer = Join-Path $root $Release.File
    Clear-Path $Path
    New-Folder $root
    try {
        Save-LlvmInstaller $installer $Release
        $code = Invoke-VisibleProgram $installer "/S /D=$Path" $root
    }
    finally {
        Clear-Path $installer
    }
    if ($code -ne 0 -or -not (Test-Llvm $Path $Release)) {
        throw "$($Release.File) ended with exit code $code, and LLVM $($Release.Version) is not complete in ${Path}: see above."
    }
    Write-Text (Join-Path $Path 'complete') $Release.Version
}

# The folder of LLVM, which is installed where it is missing.
function Resolve-Llvm {
    $release = $releases[$processor]
    $own = Join-Path $root "llvm-$($release.Version)"
    # The last step of an installation writes the file named complete.
    if ((Test-Exists (Join-Path $own 'complete')) -and (Test-Llvm $own $release)) {
        return $own
    }
    $shared = Join-Path $facts.ProgramFiles 'LLVM'
    if (Test-Llvm $shared $release) {
        return $shared
    }
    Install-Llvm $own $release
    return $own
}

# ---------------------------------------------------------------------------------------------------------------------
# The driver kit

# A package for each processor: tools are taken from that of this machine, headers and libraries from that of the driver.
$platforms = @{ amd64 = 'x64'; arm64 = 'ARM64' }

# What wdk-build and cargo-wdk read.
function Get-KitVariable([string] $Kit) {
    $version = ($kitVersion -replace '\.\d+$') + '.0'
    $sdk = @(Get-FolderPath $Kit 'Microsoft.Windows.SDK.CPP.*' |
            Where-Object { [IO.Path]::GetFileName($_) -match '^Microsoft\.Windows\.SDK\.CPP\.[\d.]+$' })
    $tools = Join-Path $Kit "Microsoft.Windows.WDK.$($platforms[$processor]).$kitVersion"
    return [ordered]@{
        WDKContentRoot    = Join-Path $Kit "Microsoft.Windows.WDK.$($platforms[$Arch]).$kitVersion\c"
        WDKBinRoot        = Join-Path $tools "c\bin\$version"
        WDKToolRoot       = Join-Path $tools "c\tools\$version"
        WindowsSdkBinPath = if ($sdk.Count -eq 1) { Join-Path $sdk[0] 'c\bin' } else { Join-Path $Kit 'Microsoft.Windows.SDK.CPP' }
        Version_Number    = $version
    }
}

# The parts of the kit that are missing: the folders of the variables, and those below WDKContentRoot that wdk-build
# requires.
function Get-MissingPart([string] $Kit) {
    $variables = Get-KitVariable $Kit
    $version = $variables.Version_Number
    $content = $variables.WDKContentRoot
    $library = @{ amd64 = 'x64'; arm64 = 'arm64' }[$Arch]
    $parts = @(
        $variables.WDKBinRoot, $variables.WDKToolRoot, $variables.WindowsSdkBinPath
        Join-Path $content "Include\$version\km\crt"
        Join-Path $content "Include\$version\km\fltKernel.h"
        Join-Path $content "Include\$version\shared"
        Join-Path $content "Lib\$version\km\$library\fltMgr.lib"
    )
    return $parts | Where-Object { -not (Test-Exists $_) }
}

# Installs the packages of the kit into an empty folder: nuget does not repair a package whose installation broke off
# (NuGet/Home issue 8746). Returns an exit code.
function Install-KitOnce([string] $Nuget, [string] $Kit) {
    Clear-Path $Kit
    New-Folder $Kit
    foreach ($platform in 'x64', 'ARM64') {
        $arguments = "install Microsoft.Windows.WDK.$platform -Version $kitVersion -OutputDirectory `"$Kit`" -Source https://api.nuget.org/v3/index.json -NonInteractive"
        $code = Invoke-VisibleProgram $Nuget $arguments $Kit
        if ($code -ne 0) {
            return $code
        }
    }
    return 0
}

# The folder of the kit, which is installed where it is missing or incomplete.
function Resolve-Kit {
    $kit = Join-Path $root "kit-$kitVersion"
    $complete = Join-Path $kit 'complete'
    if ((Test-Exists $complete) -and -not @(Get-MissingPart $kit).Count) {
        return $kit
    }
    $nuget = Get-Program 'nuget' 'run winget install Microsoft.NuGet, and open a new prompt.'
    Write-Console "Installing the driver kit $kitVersion"
    $code = Invoke-Attempt 5 { Install-KitOnce $nuget $kit }
    if ($code -ne 0) {
        throw "nuget could not install the driver kit ${kitVersion} (exit code $code): see above."
    }
    $missing = @(Get-MissingPart $kit)
    if ($missing.Count) {
        throw "nuget reported no error, but the driver kit $kitVersion has no $($missing -join ', ')."
    }
    Write-Text $complete $kitVersion
    return $kit
}

# ---------------------------------------------------------------------------------------------------------------------

function Install-BuildTool {
    $llvm = Resolve-Llvm
    $variables = Get-KitVariable (Resolve-Kit)
    # bindgen loads libclang.dll from this folder.
    $variables['LIBCLANG_PATH'] = Join-Path $llvm 'bin'
    foreach ($name in $variables.Keys) {
        Write-Console "$name=$($variables[$name])"
        Set-EnvironmentVariable $name $variables[$name]
        Set-PipelineVariable $name $variables[$name]
    }
}

$code = 1
try {
    $facts = Get-Machine
    $processor = if ($facts.Processor -eq 'ARM64') { 'arm64' } else { 'amd64' }
    $root = $ExecutionContext.SessionState.Path.GetUnresolvedProviderPathFromPSPath($Folder)
    Install-BuildTool
    $code = 0
}
catch {
    Write-Console "error: $($_.Exception.Message)"
}
exit $code
