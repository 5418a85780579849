#Requires -Version 5.1
<#
.SYNOPSIS
Tries the driver on a test machine: under Driver Verifier, with file traffic, with both kinds of unload, and again
where memory runs short. Leaves the machine as it was.

.DESCRIPTION
Run it as administrator, on a machine that may crash: it is what Driver Verifier does when it finds something. Take a
checkpoint of a virtual machine, or one that nobody works on, with test signatures allowed (bcdedit /set testsigning on)
where the package is test-signed.

What the driver is to answer stands in Test-Driver.psd1 beside this script.

Driver Verifier gets its standard settings, of which Filter Verifier is part. Windows 10 takes them at once; Windows 11
needs a restart for them, and a driver that cannot be unloaded needs one to be removed. Then this script stops, says so
with exit code 3010, and goes on when it is started again with -Resume.

Exit codes: 0 as expected, 1 findings, 2 it could not be tried, 3010 restart and go on with -Resume.

.PARAMETER Package
The folder with the driver's .inf, .sys and .cat.

.PARAMETER Resume
Go on after the restart, or after a crash.

.PARAMETER DryRun
Change nothing and ask nothing: print what would be done, and what would be expected.

.PARAMETER Report
The folder for the log, the System log's entries and Driver Verifier's counters.

.EXAMPLE
./Test-Driver.ps1 -DryRun

.EXAMPLE
./Test-Driver.ps1
Restart-Computer
./Test-Driver.ps1 -Resume
#>
[CmdletBinding(DefaultParameterSetName = 'Start')]
param(
    [Parameter(ParameterSetName = 'Start', Position = 0)]
    [string] $Package = (Join-Path $PSScriptRoot 'driver'),

    [Parameter(ParameterSetName = 'Resume', Mandatory = $true)]
    [switch] $Resume,

    [switch] $DryRun,

    [string] $Report = (Join-Path $PSScriptRoot 'report')
)

Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'

$expected = Import-PowerShellDataFile (Join-Path $PSScriptRoot 'Test-Driver.psd1')
$driver = $expected.Driver
$sys = "$driver.sys"
$findings = [System.Collections.Generic.List[string]]::new()

# What -Resume needs to know.
$stateFile = Join-Path ([Environment]::GetFolderPath('CommonApplicationData')) "Test-Driver-$driver.json"
$state = [pscustomobject]@{
    Phase        = 'Verifier'
    Step         = ''
    # A number: what reads a date from JSON differs between the versions of PowerShell.
    Started      = (Get-Date).ToFileTimeUtc()
    Package      = $Package
    Report       = $Report
    Inf          = ''
    Certificates = @()
    Findings     = @()
}

# In a dry run: whether the driver would be loaded now.
$script:imagined = $false

# ---------------------------------------------------------------------------------------------------------------------
# Saying and remembering

function Write-Line([string] $Text) {
    Write-Host $Text
    if (-not $DryRun) {
        Add-Content -Path (Join-Path $state.Report 'log.txt') -Value "$(Get-Date -Format HH:mm:ss) $Text"
    }
}

function Add-Finding([string] $Text) {
    Write-Line "FINDING: $Text"
    $findings.Add($Text)
    Save-State
}

function Save-State {
    $state.Findings = @($findings)
    if (-not $DryRun) {
        ConvertTo-Json $state | Set-Content -Path $stateFile -Encoding UTF8
    }
}

# Before each step that may crash the machine, so that -Resume can name it.
function Set-Step([string] $Text) {
    $state.Step = $Text
    Save-State
    Write-Line $Text
}

function Stop-ForRestart([string] $Reason) {
    Save-State
    Write-Line "$Reason Restart Windows, then go on with: $PSCommandPath -Resume"
    if (-not $DryRun) {
        exit 3010
    }
    Write-Line '(dry run: goes on as after the restart)'
}

# ---------------------------------------------------------------------------------------------------------------------
# Windows' tools

# Starts a program with its arguments exactly as written, and returns its exit code and what it said.
function Invoke-Tool([string] $Program, [string] $Arguments) {
    if ($DryRun) {
        Write-Line "  would run: $Program $Arguments"
        return [pscustomobject]@{ ExitCode = 0; Output = '' }
    }
    $start = [System.Diagnostics.ProcessStartInfo]::new((Join-Path $env:SystemRoot "System32\$Program.exe"), $Arguments)
    $start.UseShellExecute = $false
    $start.CreateNoWindow = $true
    $start.RedirectStandardOutput = $true
    $start.RedirectStandardError = $true
    $process = [System.Diagnostics.Process]::Start($start)
    $errors = $process.StandardError.ReadToEndAsync()
    $output = $process.StandardOutput.ReadToEnd() + $errors.Result
    $process.WaitForExit()
    Write-Line "  $Program $Arguments -> $($process.ExitCode)"
    Add-Content -Path (Join-Path $state.Report 'log.txt') -Value $output
    return [pscustomobject]@{ ExitCode = $process.ExitCode; Output = $output }
}

# The same for a tool that must succeed.
function Invoke-Required([string] $Program, [string] $Arguments, [int[]] $Fine = @(0)) {
    $result = Invoke-Tool $Program $Arguments
    if ($Fine -notcontains $result.ExitCode) {
        throw "$Program $Arguments failed with $($result.ExitCode): $($result.Output.Trim())"
    }
    return $result
}

function Test-Loaded {
    if ($DryRun) {
        return $script:imagined
    }
    $service = Get-CimInstance Win32_SystemDriver -Filter "Name='$driver'"
    return $null -ne $service -and $service.State -ne 'Stopped'
}

# Whether the driver comes to be loaded, or not loaded, within some seconds.
function Wait-Loaded([bool] $Wanted) {
    foreach ($attempt in 1..20) {
        if ((Test-Loaded) -eq $Wanted) {
            return $true
        }
        Start-Sleep -Milliseconds 500
    }
    return $false
}

# ---------------------------------------------------------------------------------------------------------------------
# Driver Verifier

# 0x9BB: the standard flags that Windows 10 can change while it runs. Windows 11 can change only 0xA0 of them.
$volatile = [Environment]::OSVersion.Version.Build -lt 22000
$standardFlags = if ($volatile) { 0x9BB } else { 0xA0 }
$lowResources = 0x4

function Enable-Verifier {
    if ($volatile) {
        $null = Invoke-Required verifier ('/volatile /flags 0x{0:X}' -f $standardFlags)
        $null = Invoke-Required verifier "/volatile /adddriver $sys"
    }
    else {
        # verifier's exit code says that a restart is needed: what counts is whether it took the driver.
        $null = Invoke-Tool verifier "/standard /driver $sys"
        if (-not $DryRun -and -not (Test-VerifierSetting)) {
            throw "Driver Verifier did not take ${sys}: see $($state.Report)."
        }
    }
}

# Whether Driver Verifier has settings that outlast a restart.
function Test-VerifierSetting {
    $key = 'HKLM:\SYSTEM\CurrentControlSet\Control\Session Manager\Memory Management'
    $values = Get-ItemProperty $key
    return $null -ne $values.PSObject.Properties['VerifyDrivers'] -and $values.VerifyDrivers -ne ''
}

function Disable-Verifier {
    if ($volatile) {
        $null = Invoke-Tool verifier "/volatile /removedriver $sys"
        $null = Invoke-Tool verifier '/volatile /flags 0'
    }
    else {
        $null = Invoke-Tool verifier '/reset'
    }
}

# Every tenth allocation of the driver fails, from now on.
function Enable-LowResources {
    $null = Invoke-Tool verifier ('/volatile /flags 0x{0:X}' -f ($standardFlags -bor $lowResources))
    $null = Invoke-Tool verifier '/volatile /faults 1000 "" "" 0'
}

function Disable-LowResources {
    $null = Invoke-Tool verifier ('/volatile /flags 0x{0:X}' -f $standardFlags)
}

# ---------------------------------------------------------------------------------------------------------------------
# Before anything is changed

function Assert-Ready {
    if ($DryRun) {
        Write-Line "Checks: administrator; the package is whole, signed and for this processor; test signatures are"
        Write-Line "allowed where it needs them; no Driver Verifier settings and no service $driver are there yet."
        return
    }
    $identity = [Security.Principal.WindowsPrincipal]::new([Security.Principal.WindowsIdentity]::GetCurrent())
    if (-not $identity.IsInRole([Security.Principal.WindowsBuiltInRole]::Administrator)) {
        throw 'Installing a driver takes an administrator: start this in an elevated prompt.'
    }
    if (Test-Path $stateFile) {
        throw "An earlier run has not come to its end: go on with -Resume, or remove $stateFile."
    }
    foreach ($file in "$driver.inf", $sys, "$driver.cat") {
        if (-not (Test-Path (Join-Path $Package $file))) {
            throw "$Package has no ${file}: name the folder of the package, with -Package."
        }
    }
    $processor = if ($env:PROCESSOR_ARCHITECTURE -eq 'ARM64') { 'NTarm64' } else { 'NTamd64' }
    $inf = Get-Content (Join-Path $Package "$driver.inf") -Raw
    if ($inf -notmatch "(?im)^\[DefaultInstall\.$processor[.\]]") {
        throw "The package is not for the processor of this machine: its INF has no section for $processor."
    }
    $signature = Get-AuthenticodeSignature (Join-Path $Package $sys)
    if (@('NotSigned', 'HashMismatch') -contains [string] $signature.Status) {
        throw "$sys has no valid signature ($($signature.Status)): Windows would not load it."
    }
    if (Get-TestCertificate) {
        $options = (Get-ItemProperty 'HKLM:\SYSTEM\CurrentControlSet\Control').SystemStartOptions
        if ($options -notmatch 'TESTSIGNING') {
            throw 'The package is test-signed and this machine does not allow it: run bcdedit /set testsigning on (Secure Boot must be off), restart, and try again.'
        }
    }
    if (Test-VerifierSetting) {
        throw 'Driver Verifier has settings already, which this would overwrite: note them (verifier /querysettings), run verifier /reset, restart, and try again.'
    }
    if (Get-CimInstance Win32_SystemDriver -Filter "Name='$driver'") {
        throw "A driver service $driver is there already: uninstall it first (pnputil /enum-drivers names its INF)."
    }
}

# The certificates that the package is test-signed with.
function Get-TestCertificate {
    return @(Get-ChildItem $Package -Filter *.cer)
}

# ---------------------------------------------------------------------------------------------------------------------
# Installing

function Install-Driver {
    Set-Step "Install the package $($state.Package)"
    if ($DryRun) {
        Write-Line '  would trust the certificates (*.cer) of the package, in Root and TrustedPublisher'
    }
    else {
        foreach ($file in Get-ChildItem $state.Package -Filter *.cer) {
            $certificate = [Security.Cryptography.X509Certificates.X509Certificate2]::new($file.FullName)
            foreach ($store in 'Root', 'TrustedPublisher') {
                $place = "Cert:\LocalMachine\$store\$($certificate.Thumbprint)"
                if (-not (Test-Path $place)) {
                    $null = Import-Certificate -FilePath $file.FullName -CertStoreLocation "Cert:\LocalMachine\$store"
                    $state.Certificates = @($state.Certificates) + $place
                    Save-State
                }
            }
        }
    }
    # 259: no device takes it, for it has none. 3010: done, after a restart.
    $result = Invoke-Tool pnputil "/add-driver `"$(Join-Path $state.Package "$driver.inf")`" /install"
    # Also where it failed: the package may have been added all the same, and is to go again.
    $state.Inf = [regex]::Match($result.Output, 'oem\d+\.inf').Value
    Save-State
    if (@(0, 259, 3010) -notcontains $result.ExitCode) {
        throw "pnputil did not install ${driver}: $($result.Output.Trim())"
    }
    if (-not $DryRun -and -not (Get-CimInstance Win32_SystemDriver -Filter "Name='$driver'")) {
        throw "pnputil made no service ${driver}: see $env:SystemRoot\INF\setupapi.dev.log."
    }
}

function Uninstall-Driver {
    Set-Step 'Uninstall the package'
    if ($DryRun) {
        $null = Invoke-Tool pnputil '/delete-driver oemNN.inf /uninstall'
        Write-Line '  would take back the certificates that it has trusted'
        return
    }
    if ($state.Inf) {
        $null = Invoke-Required pnputil "/delete-driver $($state.Inf) /uninstall" @(0, 3010)
    }
    foreach ($place in @($state.Certificates)) {
        if (Test-Path $place) {
            Remove-Item $place
        }
    }
    if (Get-CimInstance Win32_SystemDriver -Filter "Name='$driver'") {
        Add-Finding "the service $driver is still there after the package was uninstalled"
    }
}

# ---------------------------------------------------------------------------------------------------------------------
# Loading, traffic, unloading

# Loads the driver. Where memory is short that may fail, and is tried again.
function Start-Driver([int] $Attempts) {
    foreach ($attempt in 1..$Attempts) {
        if (Test-Loaded) {
            break
        }
        Set-Step "Load (attempt $attempt)"
        $result = Invoke-Tool fltmc "load $driver"
        if ($DryRun) {
            $script:imagined = $true
        }
        $failed = $result.ExitCode -ne 0 -or $result.Output -match '0x[0-9A-Fa-f]{8}'
        if ($failed -or -not (Wait-Loaded $true)) {
            Write-Line "  not loaded: $($result.Output.Trim())"
            if ($Attempts -eq 1) {
                Add-Finding "fltmc load $driver failed: $($result.Output.Trim())"
            }
        }
    }
    if (-not (Test-Loaded)) {
        if ($Attempts -gt 1) {
            Add-Finding "the driver did not load in $Attempts attempts, of which a few may fail where memory is short"
        }
        return $false
    }
    if (-not $DryRun -and (Invoke-Tool fltmc 'filters').Output -notmatch "(?m)^$driver\s") {
        Add-Finding "the driver is loaded and fltmc filters does not name it"
    }
    if ($expected.AttachByHand) {
        $null = Invoke-Tool fltmc "attach $driver $env:SystemDrive"
    }
    return $true
}

# Works with files until the file of that name is there: what filters meet most, on the system volume.
$traffic = {
    param([string] $Folder, [string] $Stop)
    $ErrorActionPreference = 'Stop'
    # 0x80070020, ERROR_SHARING_VIOLATION: somebody else, a virus scanner perhaps, looks at the file as well.
    $shared = -2147024864
    $rounds = 0
    $errors = @{}
    while (-not (Test-Path $Stop)) {
        $rounds++
        try {
            $inner = Join-Path $Folder "round $rounds"
            $file = Join-Path $inner 'file'
            $null = New-Item $inner -ItemType Directory
            [IO.File]::WriteAllBytes($file, [byte[]]::new(100000))
            $stream = [IO.File]::Open($file, 'Open', 'ReadWrite')
            try {
                $null = $stream.Read([byte[]]::new(4096), 0, 4096)
                $stream.Lock(0, 100)
                $stream.Write([byte[]]::new(4096), 0, 4096)
                $stream.Flush($true)
                $stream.Unlock(0, 100)
                $stream.SetLength(50000)
            }
            finally {
                $stream.Dispose()
            }
            Set-Content "${file}:stream" 'an alternate data stream'
            $map = [IO.MemoryMappedFiles.MemoryMappedFile]::CreateFromFile($file)
            $view = $map.CreateViewAccessor()
            $null = $view.ReadByte(0)
            $view.Dispose()
            $map.Dispose()
            [IO.File]::SetLastWriteTimeUtc($file, [DateTime]::UtcNow)
            $null = Get-Acl $file
            Rename-Item $file 'renamed'
            Copy-Item (Join-Path $inner 'renamed') (Join-Path $inner 'copied')
            $null = Get-ChildItem $inner -Recurse
            Remove-Item $inner -Recurse
        }
        catch {
            if ($_.Exception.HResult -ne $shared) {
                $errors[$_.Exception.Message] = $rounds
            }
        }
    }
    [pscustomobject]@{ Rounds = $rounds; Errors = @($errors.Keys) }
}

# Starts the traffic, and comes back when it is under way.
function Start-Traffic {
    if ($DryRun) {
        Write-Line '  would create, write, read, lock, map, rename, copy, list and delete files, until both unloads were asked for'
        return $null
    }
    $folder = Join-Path ([IO.Path]::GetTempPath()) "Test-Driver-$([Guid]::NewGuid())"
    $null = New-Item $folder -ItemType Directory
    $stop = "$folder.stop"
    $job = Start-Job $traffic -ArgumentList $folder, $stop
    foreach ($attempt in 1..60) {
        if (Test-Path (Join-Path $folder 'round *')) {
            break
        }
        Start-Sleep -Milliseconds 500
    }
    return [pscustomobject]@{ Job = $job; Folder = $folder; Stop = $stop }
}

function Stop-Traffic($Running, [bool] $MayFail) {
    if ($null -eq $Running) {
        return
    }
    try {
        $null = New-Item $Running.Stop -ItemType File
        $null = Wait-Job $Running.Job -Timeout 120
        if (@('Completed', 'Failed') -notcontains $Running.Job.State) {
            Add-Finding 'the file traffic hangs'
            Stop-Job $Running.Job
            return
        }
        $results = @(Receive-Job $Running.Job -ErrorAction SilentlyContinue)
        if ($results.Count -eq 0) {
            Add-Finding 'the file traffic ended early'
            return
        }
        Write-Line "  file traffic: $($results[0].Rounds) rounds"
        foreach ($text in @($results[0].Errors)) {
            if ($MayFail) {
                Write-Line "  an operation failed where memory is short: $text"
            }
            else {
                Add-Finding "an operation on a file failed: $text"
            }
        }
    }
    finally {
        Remove-Job $Running.Job -Force
        Remove-Item $Running.Folder, $Running.Stop -Recurse -Force -ErrorAction SilentlyContinue
    }
}

# Asks for an unload while files are being worked with, and compares what is answered with what is expected.
function Request-Unload([string] $Name, [string] $Program, [string] $Arguments, $Answer) {
    $codes = if ($Answer.Codes.Count) { $Answer.Codes -join ' or ' } else { 'any error' }
    $wanted = if ($Answer.Unloads) { 'unloads' } else { "fails with $codes, and the driver goes on" }
    Set-Step "${Name}: expected that it $wanted"
    $result = Invoke-Tool $Program $Arguments
    if ($DryRun) {
        $script:imagined = -not $Answer.Unloads
        return
    }
    # fltmc prints an HRESULT; sc's exit code is the system's error.
    $printed = [regex]::Match($result.Output, '0x[0-9A-Fa-f]{8}').Value
    $code = if ($Program -eq 'fltmc' -and $printed) { $printed } else { [string] $result.ExitCode }
    $failed = $code -notmatch '^(0x0+|0)$'
    Write-Line "  answered: $code"
    if ($Answer.Unloads) {
        if ($failed) {
            Add-Finding "$Name answered $code where it was to unload the driver"
        }
        if (-not (Wait-Loaded $false)) {
            Add-Finding "$Name did not unload the driver within ten seconds"
        }
        return
    }
    if (-not $failed) {
        Add-Finding "$Name succeeded where it was to fail with $codes"
    }
    elseif ($Answer.Codes.Count -and $Answer.Codes -notcontains $code) {
        Add-Finding "$Name answered $code where $codes was expected"
    }
    Start-Sleep -Seconds 1
    if (-not (Test-Loaded)) {
        Add-Finding "$Name unloaded the driver, which was to go on"
    }
}

# One life of the driver for each kind of unload.
function Invoke-Round([string] $Name, [int] $Attempts) {
    Write-Line "--- $Name"
    if (-not (Start-Driver $Attempts)) {
        return
    }
    $running = Start-Traffic
    try {
        Request-Unload 'fltmc unload' fltmc "unload $driver" $expected.FilterUnload
        if (-not (Start-Driver $Attempts)) {
            return
        }
        Request-Unload 'sc stop' sc "stop $driver" $expected.ServiceStop
        # Whichever way unloads it leaves it unloaded for the next round.
        if ((Test-Loaded) -and $expected.FilterUnload.Unloads) {
            Request-Unload 'fltmc unload' fltmc "unload $driver" $expected.FilterUnload
        }
    }
    finally {
        Stop-Traffic $running ($Attempts -gt 1)
    }
}

# ---------------------------------------------------------------------------------------------------------------------
# What was logged

function Save-Evidence {
    Set-Step "Collect the System log's entries and Driver Verifier's counters in $($state.Report)"
    if ($DryRun) {
        return
    }
    Set-Content (Join-Path $state.Report 'verifier.txt') (Invoke-Tool verifier '/query').Output
    $since = [DateTime]::FromFileTime($state.Started)
    $entries = @(Get-WinEvent -FilterHashtable @{ LogName = 'System'; StartTime = $since } -ErrorAction SilentlyContinue |
            Where-Object { $_.ProviderName -eq $driver -or $_.ProviderName -match 'FilterManager' -or $_.Message -match [regex]::Escape($driver) })
    $entries | Format-List TimeCreated, ProviderName, Id, LevelDisplayName, Message |
        Out-File (Join-Path $state.Report 'events.txt') -Width 200
    Write-Line "  $($entries.Count) entries"
}

# ---------------------------------------------------------------------------------------------------------------------
# The whole, phase by phase. Each phase leaves its successor's name behind, for -Resume.

function Invoke-Phase([string] $Name, [string] $Next, [scriptblock] $Body) {
    if ($state.Phase -ne $Name) {
        return
    }
    & $Body
    $state.Phase = $Next
    Save-State
}

try {
    if ($Resume -and -not $DryRun) {
        if (-not (Test-Path $stateFile)) {
            throw 'There is nothing to go on with: start without -Resume.'
        }
        $state = Get-Content $stateFile -Raw -Encoding UTF8 | ConvertFrom-Json
        foreach ($text in @($state.Findings)) {
            $findings.Add($text)
        }
        if ($state.Phase -eq 'Rounds' -and $state.Step -ne '') {
            Add-Finding "Windows stopped during this step: $($state.Step). See $env:SystemRoot\MEMORY.DMP"
            $state.Phase = 'Evidence'
        }
    }
    else {
        Assert-Ready
        if (-not $DryRun) {
            $state.Package = (Resolve-Path $Package).Path
            $null = New-Item $Report -ItemType Directory -Force
            $state.Report = (Resolve-Path $Report).Path
        }
    }

    Invoke-Phase 'Verifier' 'Install' {
        Set-Step 'Start Driver Verifier with its standard settings'
        Enable-Verifier
        if (-not $volatile) {
            $state.Phase = 'Install'
            Stop-ForRestart 'This Windows starts Driver Verifier with a restart.'
            $state.Phase = 'Verifier'
        }
    }
    Invoke-Phase 'Install' 'Rounds' {
        if (-not $volatile -and -not $DryRun -and -not (Test-VerifierSetting)) {
            throw 'Driver Verifier has lost its settings since the restart was asked for: start again without -Resume.'
        }
        Install-Driver
        $state.Step = ''
    }
    Invoke-Phase 'Rounds' 'Evidence' {
        Invoke-Round 'Standard settings' 1
        Enable-LowResources
        try {
            Invoke-Round 'Low resources' 20
        }
        finally {
            Disable-LowResources
        }
    }
}
catch {
    if ($state.Phase -eq 'Verifier' -and $state.Step -eq '') {
        # Nothing was changed yet.
        Write-Host "error: $_"
        exit 2
    }
    Add-Finding "the test could not go on: $_"
    if (@('Verifier', 'Install', 'Rounds') -contains $state.Phase) {
        $state.Phase = 'Evidence'
    }
}

try {
    Invoke-Phase 'Evidence' 'Stop' { Save-Evidence }
    Invoke-Phase 'Stop' 'Uninstall' {
        Set-Step 'End Driver Verifier'
        Disable-Verifier
        if (Test-Loaded) {
            Set-Step 'Keep the driver from being started again, for it cannot be unloaded'
            $null = Invoke-Required sc "config $driver start= disabled"
            $state.Phase = 'Uninstall'
            Stop-ForRestart 'Only a restart removes the driver.'
            $script:imagined = $false
            $state.Phase = 'Stop'
        }
    }
    Invoke-Phase 'Uninstall' 'End' { Uninstall-Driver }
    if (-not $DryRun -and (Test-Path $stateFile)) {
        Remove-Item $stateFile
    }
}
catch {
    Add-Finding "the machine could not be left as it was: $_. Try again with -Resume"
}

if (-not $volatile) {
    Write-Line 'Driver Verifier ends with the next restart.'
}
if ($findings.Count) {
    Write-Line "$($findings.Count) findings:"
    foreach ($text in $findings) {
        Write-Line "  $text"
    }
    exit 1
}
Write-Line $(if ($DryRun) { 'Nothing was changed.' } else { 'The driver did what was expected.' })
exit 0
