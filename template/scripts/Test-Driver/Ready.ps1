# What must be true before anything is changed. Each refusal says what to do.

# Refuses arguments that are unknown or exclude each other, and reads -Seconds.
function Assert-Argument([object[]] $Unknown) {
    if ($Unknown.Count) {
        throw "$($Unknown -join ' ') is no argument of this script: see Get-Help `"$($run.Script)`" -Detailed."
    }
    if ($Resume -and $Cleanup) {
        throw '-Resume and -Cleanup exclude each other: -Resume goes on with a test, -Cleanup ends it.'
    }
    if ($Resume -and $Package) {
        throw "-Resume takes the package from the journal: leave out -Package $Package."
    }
    if ($Force -and -not $Cleanup) {
        throw '-Force belongs to -Cleanup.'
    }
    if ($Seconds) {
        $number = 0
        if (-not [int]::TryParse($Seconds, [ref] $number) -or $number -lt 1 -or $number -gt 3600) {
            throw "-Seconds $Seconds is refused: write a number from 1 to 3600."
        }
        $run.Seconds = $number
    }
}

# The full path of a file or folder that the user names: also with brackets, also on a share.
function Resolve-UserPath([string] $Path, [string] $Default) {
    if (-not $Path) {
        return Join-Path (Split-Path $PSScriptRoot) $Default
    }
    return $ExecutionContext.SessionState.Path.GetUnresolvedProviderPathFromPSPath($Path)
}

# What Test-Driver.psd1 expects of the driver.
function Read-Expected([string] $Path) {
    if (-not (Test-Path -LiteralPath $Path)) {
        throw "$Path is missing: copy it from the folder of the package, with this script."
    }
    try {
        $expected = Import-PowerShellDataFile -LiteralPath $Path
    }
    catch {
        throw "$Path cannot be read: $($_.Exception.Message)"
    }
    $complete = $expected['Driver'] -is [string] -and $expected['AttachByHand'] -is [bool]
    foreach ($answer in $expected['FilterUnload'], $expected['ServiceStop']) {
        $complete = $complete -and $answer -is [hashtable] -and $answer['Unloads'] -is [bool] -and $answer['Codes'] -is [array]
    }
    if (-not $complete) {
        throw "$Path is not complete: it needs Driver, AttachByHand, and FilterUnload and ServiceStop with Unloads and Codes."
    }
    return $expected
}

function Assert-Machine {
    if (-not $run.Machine.Administrator) {
        throw 'Installing a driver requires an administrator: start this script at an elevated prompt.'
    }
    $native = Get-RegistryValue 'SYSTEM\CurrentControlSet\Control\Session Manager\Environment' 'PROCESSOR_ARCHITECTURE'
    if (-not $run.Machine.Is64BitProcess -or $run.Machine.Processor -ne $native) {
        throw "This PowerShell is for $($run.Machine.Processor), and the machine is ${native}: start the PowerShell for $native."
    }
}

# The package is complete, signed, and for this processor.
function Assert-Package {
    foreach ($file in "$($run.Driver).inf", $run.Sys, "$($run.Driver).cat") {
        if (-not (Test-Exists (Join-Path $run.Package $file))) {
            throw "$($run.Package) has no ${file}: name the folder of the package with -Package."
        }
    }
    $section = if ($run.Machine.Processor -eq 'ARM64') { 'NTarm64' } else { 'NTamd64' }
    $inf = Read-Text (Join-Path $run.Package "$($run.Driver).inf")
    if ($inf -notmatch "(?im)^\[DefaultInstall\.$section[.\]]") {
        throw "The package is not for the processor of this machine: its INF has no section for $section."
    }
    $status = Get-SignatureStatus (Join-Path $run.Package $run.Sys)
    if (@('NotSigned', 'HashMismatch') -contains $status) {
        throw "$($run.Sys) has no valid signature ($status): Windows does not load it."
    }
    $options = Get-RegistryValue 'SYSTEM\CurrentControlSet\Control' 'SystemStartOptions'
    if (@(Get-TestCertificate $run.Package).Count -and $options -notmatch 'TESTSIGNING') {
        throw 'The package is test-signed, which this Windows does not allow: with Secure Boot off, run bcdedit /set testsigning on, restart, and try again.'
    }
}

# The driver, its package and settings of Driver Verifier are not there before a test, so the undo removes only what the test
# has made. A certificate may be there: Add-TestCertificate leaves it alone.
function Assert-Unused {
    if (Read-Journal $run.Journal) {
        if (Test-Ended $run.Journal) {
            throw "An earlier test has ended. The journal $($run.Journal.Path) lists what is not undone: run this script with -Cleanup."
        }
        throw "An earlier test has not ended: run this script with -Resume or -Cleanup. Its journal is $($run.Journal.Path)."
    }
    if ($null -ne (Get-DriverService $run.Driver)) {
        throw "The service $($run.Driver) is already there: uninstall the driver, or run this script with -Cleanup -Force."
    }
    $packages = @(Get-InstalledPackage)
    if ($packages.Count) {
        throw "The driver store already has $($packages -join ', ') with $($run.Driver).inf: run pnputil /delete-driver $($packages[0]) /uninstall, or this script with -Cleanup -Force."
    }
    $drivers = @(Get-VerifiedDriver)
    $active = Get-VerifierReport
    if ($drivers.Count -or $active.Drivers.Count) {
        $names = @($drivers + $active.Drivers.Keys | Select-Object -Unique) -join ', '
        throw "Driver Verifier already verifies $names, and the test would end that. If this is after an earlier test, restart Windows; otherwise note its settings (verifier /querysettings), run verifier /reset, restart, and try again."
    }
}

# Reports can be written.
function Assert-Report {
    try {
        New-Folder $run.Report
        Add-Line (Join-Path $run.Report 'log.txt') ('{0:u} {1}' -f (Get-Now), $run.Driver)
    }
    catch {
        throw "The report cannot be written to $($run.Report): $($_.Exception.Message) Name another folder with -Report."
    }
}
