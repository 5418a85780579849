<#
.SYNOPSIS
Builds the driver and makes its package, with the version of Cargo.toml.

.DESCRIPTION
The version is only in Cargo.toml. The build script writes it to the driver's version resource; this script writes it to
DriverVer in the INF and to the name of the package's folder.

InfVerif checks the INF twice: as a universal driver's (/u), and as the hardware program does (/h).

The script returns the path of the package, a folder below target\package. If the script fails, this folder does not exist.

Exit codes: 0, the package is complete; 1, there is no package.

.PARAMETER Arch
The processor that the driver is for.

.PARAMETER CargoProfile
The profile of Cargo.toml. The default is release, the profile that ships.

If New-Package.psd1 is beside this script, its arguments for signtool sign replace the test certificate:

    @{ SigntoolArguments = '/fd SHA256 /n "My Company" /tr http://timestamp.example.com /td SHA256' }

.PARAMETER Unsigned
Makes no signature. Use it for a package that is signed elsewhere, and where no timestamp server can be reached.

.EXAMPLE
./scripts/New-Package.ps1
#>
#Requires -Version 5.1
[CmdletBinding()]
param(
    [ValidateSet('amd64', 'arm64')]
    [string] $Arch = 'amd64',

    [ValidateSet('dev', 'release')]
    [string] $CargoProfile = 'release',

    [switch] $Unsigned
)

. "$PSScriptRoot/Build.ps1"

$project = [IO.Path]::GetDirectoryName($PSScriptRoot)
$utf8 = [Text.Encoding]::UTF8

# The options that this script uses are new in this version of cargo-wdk.
$cargoWdk = '0.2.0'

# What tests the driver on a test machine: the package has it beside the folder driver.
$testFiles = @('Test-Driver.ps1', 'Test-Driver.psd1', 'Windows.ps1')
$testFolder = 'Test-Driver'

# The arguments for signtool sign in New-Package.psd1; '' without such a file.
function Read-Signing {
    $file = Join-Path $PSScriptRoot 'New-Package.psd1'
    if (-not (Test-Path -LiteralPath $file)) {
        return ''
    }
    try {
        $arguments = (Import-PowerShellDataFile -LiteralPath $file)['SigntoolArguments']
    }
    catch {
        throw "$file cannot be read: $($_.Exception.Message)"
    }
    if ($arguments -isnot [string] -or -not $arguments.Trim()) {
        throw "$file has no SigntoolArguments: write the arguments for signtool sign as one string, or remove the file."
    }
    return $arguments
}

# What cargo knows of this project. In a workspace, cargo names all members.
function Read-Project([string] $Cargo) {
    $manifest = Join-Path $project 'Cargo.toml'
    # The first call of cargo may install the toolchain of rust-toolchain.toml.
    $seconds = 1800
    $answer = Invoke-Program $Cargo 'metadata --format-version 1 --no-deps --locked' $seconds $utf8 $project
    # cargo writes the metadata as one line. Messages are in other lines.
    $line = $answer.Output -split '\r?\n' | Where-Object { $_.StartsWith('{') } | Select-Object -First 1
    if ($answer.TimedOut -or $answer.ExitCode -ne 0 -or -not $line) {
        throw "cargo metadata failed for ${manifest} ($(Format-End $answer $seconds)): $($answer.Output)"
    }
    $metadata = ConvertFrom-Json $line
    $package = @($metadata.packages | Where-Object { [IO.Path]::GetFullPath($_.manifest_path) -eq $manifest })
    if ($package.Count -ne 1) {
        throw "cargo metadata names $($package.Count) packages with the manifest ${manifest}: it must name 1."
    }
    return [pscustomobject]@{
        Name    = $package[0].name
        Driver  = $package[0].name -replace '-', '_'
        Version = $package[0].version
        # What follows a hyphen or a plus sign is omitted, as in build/resources.rs.
        Numbers = ($package[0].version -replace '[-+].*$') + '.0'
        Target  = $metadata.target_directory
    }
}

# The version must be possible as that of a driver. "INF DriverVer Directive" (windows-driver-docs): each number is
# below 65535.
function Assert-Version($Package) {
    foreach ($number in $Package.Numbers.Split('.')) {
        if ([uint64] $number -ge 65535) {
            throw "$number in the version $($Package.Version) is too large: each number of a driver's version must be below 65535. Write a smaller one in Cargo.toml."
        }
    }
    if ($Package.Numbers -eq '0.0.0.0') {
        throw '0.0.0 cannot be the version of a driver: DriverVer does not allow 0.0.0.0. Write another version in Cargo.toml.'
    }
}

function Assert-CargoWdk([string] $Cargo) {
    $seconds = 60
    $answer = Invoke-Program $Cargo 'wdk --version' $seconds $utf8 $project
    if ($answer.TimedOut) {
        throw "cargo wdk --version gave no answer within $seconds seconds: run this script again. $($answer.Output)"
    }
    $advice = "run cargo install cargo-wdk --version $cargoWdk --locked."
    if ($answer.ExitCode -ne 0 -or $answer.Output -notmatch 'cargo-wdk (\d+\.\d+\.\d+)') {
        throw "cargo-wdk does not run (exit code $($answer.ExitCode)): $advice $($answer.Output)"
    }
    if ([version] $Matches[1] -lt [version] $cargoWdk) {
        throw "cargo-wdk $($Matches[1]) is too old, this script needs ${cargoWdk}: $advice"
    }
}

# Builds the driver and lets cargo-wdk make its folder. Returns the exit code.
function Invoke-Build([string] $Cargo, $Package, [string] $Platform, [string] $Signing) {
    # cargo-wdk can end with 0 and leave the folder of an earlier build.
    Clear-Path (Get-MadeFolder $Package)
    $arguments = "wdk build --locked --profile $CargoProfile --target-arch $Arch --target-platform $Platform --sign-mode $Signing"
    if ($Signing -eq 'test' -and $signtool) {
        $arguments += " --signtool-args `"$($signtool -replace '"', '\"')`""
    }
    # stampinf takes the version from this variable ("Stampinf command options", -v).
    return Invoke-VisibleProgram $Cargo $arguments $project @{ STAMPINF_VERSION = $Package.Numbers }
}

# The folder that cargo-wdk makes.
function Get-MadeFolder($Package) {
    $target = if ($Arch -eq 'arm64') { 'aarch64-pc-windows-msvc' } else { 'x86_64-pc-windows-msvc' }
    $folder = if ($CargoProfile -eq 'dev') { 'debug' } else { $CargoProfile }
    return Join-Path $Package.Target "$target/$folder/$($Package.Driver)_package"
}

# Without a signature first: only what fails after that has to do with the signature.
function Invoke-AllBuild([string] $Cargo, $Package) {
    $name = $Package.Name
    if ((Invoke-Build $Cargo $Package 'desktop' 'off') -ne 0) {
        throw "$name does not build, or its INF does not pass InfVerif /h: see above."
    }
    if ((Invoke-Build $Cargo $Package 'universal' 'off') -ne 0) {
        throw "The INF of $name does not pass InfVerif /u: see above."
    }
    if ($Unsigned) {
        return
    }
    # A timestamp server may be busy.
    $code = Invoke-Attempt 3 { Invoke-Build $Cargo $Package 'universal' 'test' }
    if ($code -ne 0) {
        $kind = if ($signtool) { 'signature' } else { 'test signature' }
        throw "$name was built, but cargo-wdk could not make the ${kind}: see above. The signature needs a timestamp server; -Unsigned omits it."
    }
}

# The folder of cargo-wdk is complete, and of this version.
function Assert-Made([string] $Made, $Package) {
    $driver = $Package.Driver
    $present = @(Get-FilePath $Made '*' | ForEach-Object { [IO.Path]::GetFileName($_) })
    foreach ($name in "$driver.inf", "$driver.sys", "$driver.cat", "$driver.pdb") {
        if ($present -notcontains $name) {
            throw "cargo-wdk reported no error, but there is no $name in ${Made}: see above."
        }
    }
    $inf = Read-Text (Join-Path $Made "$driver.inf")
    $numbers = [regex]::Escape($Package.Numbers)
    if ($inf -notmatch "(?m)^\s*DriverVer\s*=\s*\d\d/\d\d/\d{4}\s*,\s*$numbers\s*$") {
        throw "DriverVer in $driver.inf is not the version $($Package.Numbers) of Cargo.toml: remove what else sets it."
    }
    if ($Unsigned) {
        return
    }
    if (-not $signtool -and -not @($present -like '*.cer').Count) {
        throw "cargo-wdk reported no error, but there is no certificate (*.cer) in ${Made}: see above."
    }
    foreach ($name in "$driver.sys", "$driver.cat") {
        $status = Get-SignatureStatus (Join-Path $Made $name)
        if (@('NotSigned', 'HashMismatch') -contains $status) {
            throw "cargo-wdk reported no error, but $name in $Made has no valid signature ($status): see above."
        }
    }
}

function Copy-File([string] $From, [string] $To, [string[]] $Names) {
    New-Folder $To
    foreach ($name in $Names) {
        Copy-OneFile (Join-Path $From $name) (Join-Path $To $name)
    }
}

# Makes the package under another name, and gives it its name when it is complete.
function Publish-Package([string] $Made, [string] $Result) {
    $draft = "$Result.incomplete"
    Clear-Path $draft
    Copy-File $PSScriptRoot $draft $testFiles
    $parts = @(Get-FilePath (Join-Path $PSScriptRoot $testFolder) '*.ps1' | ForEach-Object { [IO.Path]::GetFileName($_) })
    Copy-File (Join-Path $PSScriptRoot $testFolder) (Join-Path $draft $testFolder) $parts
    $present = @(Get-FilePath $Made '*' | ForEach-Object { [IO.Path]::GetFileName($_) })
    Copy-File $Made (Join-Path $draft 'driver') $present
    Move-Folder $draft $Result
}

function New-Package {
    $cargo = Get-Program 'cargo' 'install Rust with rustup, from https://rustup.rs.'
    $package = Read-Project $cargo
    $name = "$($package.Name)-$($package.Version)-$Arch-$CargoProfile"
    $result = Join-Path $project "target/package/$name"
    # An earlier package is not mistaken for the result of a run that fails.
    Clear-Path $result
    Assert-Version $package
    Assert-CargoWdk $cargo
    Invoke-AllBuild $cargo $package
    $made = Get-MadeFolder $package
    Assert-Made $made $package
    Publish-Package $made $result
    Set-PipelineVariable 'DRIVER_PACKAGE' $name
    return $result
}

$code = 1
try {
    $signtool = Read-Signing
    Write-Output (New-Package)
    $code = 0
}
catch {
    Write-Console "error: $($_.Exception.Message)"
}
exit $code
