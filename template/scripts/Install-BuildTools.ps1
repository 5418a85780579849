#Requires -Version 5.1
<#
.SYNOPSIS
Installs what building the driver takes, beside Visual Studio and Rust: LLVM, and Microsoft's driver kit from NuGet.

.DESCRIPTION
In the {% if pipeline == "github" %}workflow{% else %}pipeline{% endif %}, the steps after this one find the kit. In a prompt, this PowerShell session does, and
whatever is started from it.

.PARAMETER Arch
The processor that the driver is for.

.PARAMETER Folder
Where the kit goes. The {% if pipeline == "github" %}workflow{% else %}pipeline{% endif %} keeps this folder in its cache.

.EXAMPLE
./scripts/Install-BuildTools.ps1
cargo wdk build
#>
[CmdletBinding()]
param(
    [ValidateSet('amd64', 'arm64')]
    [string] $Arch = 'amd64',

    [string] $Folder = 'C:\wdk'
)

Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'

# The versions that windows-drivers-rs is tested with.
$kitVersion = '10.0.26100.6584'
$llvmVersion = '17.0.6'

foreach ($program in 'winget', 'nuget') {
    if (-not (Get-Command $program -ErrorAction SilentlyContinue)) {
        throw "$program is not on the PATH. Windows 11 has winget (App Installer, in the Store); winget install Microsoft.NuGet brings nuget, to new prompts."
    }
}

# Bindgen reads the kit's headers with LLVM's libclang. What winget says about its success is less telling than clang.
$llvm = Join-Path $env:ProgramFiles 'LLVM\bin'
$clang = Join-Path $llvm 'clang.exe'
function Test-Llvm {
    if (-not (Test-Path $clang)) {
        return $false
    }
    $said = & $clang --version
    return ($said -join ' ') -match ('version {0}\b' -f [regex]::Escape($llvmVersion))
}
if (-not (Test-Llvm)) {
    Write-Host "Installing LLVM $llvmVersion"
    winget install --id LLVM.LLVM --exact --version $llvmVersion --force --silent --disable-interactivity --accept-source-agreements --accept-package-agreements
    if (-not (Test-Llvm)) {
        throw "LLVM $llvmVersion is not in $llvm after its installation: install it by hand, from https://releases.llvm.org."
    }
}

# A kit a processor: its tools are taken from that of this machine, its libraries from that of the driver.
foreach ($package in 'Microsoft.Windows.WDK.x64', 'Microsoft.Windows.WDK.ARM64') {
    if (-not (Test-Path (Join-Path $Folder "$package.$kitVersion"))) {
        Write-Host "Installing $package $kitVersion"
        nuget install $package -Version $kitVersion -OutputDirectory $Folder -NonInteractive
        if ($LASTEXITCODE -ne 0) {
            throw "NuGet did not install $package ${kitVersion}: see above."
        }
    }
}
$build = $kitVersion -replace '\.\d+$', ''
$sdk = @(Get-ChildItem $Folder -Directory | Where-Object { $_.Name -match "^Microsoft\.Windows\.SDK\.CPP\.$([regex]::Escape($build))\.\d+$" })
if ($sdk.Count -ne 1) {
    throw "$Folder has $($sdk.Count) Windows SDKs of version $build where the driver kit brings one: empty the folder and try again."
}
$kits = @{ amd64 = "Microsoft.Windows.WDK.x64.$kitVersion"; arm64 = "Microsoft.Windows.WDK.ARM64.$kitVersion" }
$machine = if ($env:PROCESSOR_ARCHITECTURE -eq 'ARM64') { 'arm64' } else { 'amd64' }
$tools = Join-Path $Folder $kits[$machine]

# What wdk-build and cargo-wdk look for, and bindgen.
$variables = [ordered]@{
    WDKContentRoot    = Join-Path $Folder "$($kits[$Arch])\c"
    WDKBinRoot        = Join-Path $tools "c\bin\$build.0"
    WDKToolRoot       = Join-Path $tools "c\tools\$build.0"
    WindowsSdkBinPath = Join-Path $sdk[0].FullName 'c\bin'
    LIBCLANG_PATH     = $llvm
}
foreach ($name in $variables.Keys) {
    if (-not (Test-Path $variables[$name])) {
        throw "The driver kit in $Folder has no $($variables[$name]): empty the folder and try again."
    }
}
$variables['Version_Number'] = "$build.0"

foreach ($name in $variables.Keys) {
    $value = $variables[$name]
    Write-Host "$name=$value"
    Set-Item "env:$name" $value
{%- if pipeline == "github" %}
    if ($env:GITHUB_ENV) {
        Add-Content -Path $env:GITHUB_ENV -Value "$name=$value"
    }
{%- else %}
    if ($env:TF_BUILD) {
        Write-Host "##vso[task.setvariable variable=$name]$value"
    }
{%- endif %}
}
