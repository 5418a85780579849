# Driver Verifier: which settings it is given, and what its report says.
#
# "Driver Verifier Command Syntax" (2021-06-28), "Using Volatile Settings" (2021-06-29), "Low Resources Simulation"
# (2017-04-20) and "File System Filter Verification" (2023-03-17), below
# https://learn.microsoft.com/windows-hardware/drivers/devtest.
#
# - /standard takes effect with the next restart. It contains I/O verification, with which Filter Verifier starts when
#   the filter registers.
# - /volatile takes effect at once and lasts until the next restart. After /volatile /flags, only the settings that it names
#   are on: all others are off, also those that /standard has set. The registry is not changed. It takes only some of the
#   flags, fewer on Windows 11.
# - /reset removes the settings of the registry. Verification ends with the next restart.

# What /standard sets.
$standardFlags = 0x209BB
# Those of them that /volatile takes, by the first build of Windows.
$volatileFlags = @(@{ Build = 22000; Flags = 0xA0 }, @{ Build = 0; Flags = 0x9BB })
$lowResourcesFlag = 0x4
$flagNames = @(
    @{ Flag = 0x1; Name = 'special pool' }
    @{ Flag = 0x2; Name = 'force IRQL checking' }
    @{ Flag = 0x4; Name = 'low resources simulation' }
    @{ Flag = 0x8; Name = 'pool tracking' }
    @{ Flag = 0x10; Name = 'I/O verification' }
    @{ Flag = 0x20; Name = 'deadlock detection' }
    @{ Flag = 0x80; Name = 'DMA checking' }
    @{ Flag = 0x100; Name = 'security checks' }
    @{ Flag = 0x800; Name = 'miscellaneous checks' }
    @{ Flag = 0x20000; Name = 'DDI compliance checking' }
)
$verifierKey = 'SYSTEM\CurrentControlSet\Control\Session Manager\Memory Management'

# The standard flags that this Windows changes while it runs.
function Get-VolatileFlag {
    return ($volatileFlags | Where-Object { $run.Machine.Build -ge $_.Build } | Select-Object -First 1).Flags
}

# The names of flags, for a message.
function Format-Flag([long] $Flags) {
    return ($flagNames | Where-Object { $Flags -band $_.Flag } | ForEach-Object { $_.Name }) -join ', '
}

# The drivers that the settings of the registry name.
function Get-VerifiedDriver {
    $value = Get-RegistryValue $verifierKey 'VerifyDrivers'
    return @("$value".Split([char[]] " `0", [StringSplitOptions]::RemoveEmptyEntries))
}

# Runs verifier, which answers 0, or 2 where a restart is needed.
function Invoke-Verifier([string] $Arguments) {
    return Invoke-Required 'verifier' $Arguments @(0, 2)
}

# What verifier /query reports: the flags, the loads and unloads of each driver, and the counters that precede the
# first driver. Windows translates the words of the report, so only numbers and names of files are read:
#
#   Verifier Flags: 0x000209bb
#       [X] 0x00000001 Special pool
#     Faults Injected: 3
#   MODULE: my_filter.sys (load: 1 / unload: 0)
function Get-VerifierReport {
    $text = (Invoke-Verifier '/query').Output
    $flags = [regex]::Match($text, '(?m)^[^[\r\n]*\b0x([0-9A-Fa-f]{8})\s*$')
    $drivers = @{}
    $first = $text.Length
    foreach ($found in [regex]::Matches($text, '(?im)^.*?([\w.-]+\.sys)\s*\(\D*(\d+)\D*/\D*(\d+)\D*\)\s*$')) {
        $drivers[$found.Groups[1].Value] = [int] $found.Groups[2].Value - [int] $found.Groups[3].Value
        $first = [Math]::Min($first, $found.Index)
    }
    $counters = foreach ($line in [regex]::Matches($text.Substring(0, $first), '(?m)^[^[\r\n]*[^\s\d]\s+(\d+)\s*$')) {
        [long] $line.Groups[1].Value
    }
    return [pscustomobject]@{
        Flags    = if ($flags.Success) { [Convert]::ToInt64($flags.Groups[1].Value, 16) } else { 0 }
        Drivers  = $drivers
        Counters = @($counters)
        Text     = $text
    }
}

# The number of allocations that Driver Verifier has failed since the start of Windows: the last counter of the report;
# -1 where the report has no counters.
function Get-FaultCount($Report) {
    if ($Report.Counters.Count -eq 0) {
        return -1
    }
    return $Report.Counters[-1]
}

# ---------------------------------------------------------------------------------------------------------------------
# Changes

# Sets the standard settings for the next restart. An unusual shutdown, such as a crash, resets them, so that a driver
# that is verified cannot keep Windows from starting. What was set with /bootmode before is not put back: no document says
# how it is read, and it concerns only the drivers that are verified.
function Enable-Verifier {
    Add-Change $run.Journal 'Verifier' @{ Driver = $run.Sys }
    $null = Invoke-Verifier "/standard /driver $($run.Sys)"
    $null = Invoke-Verifier '/bootmode resetonunusualshutdown'
    if (@(Get-VerifiedDriver) -notcontains $run.Sys) {
        throw "Driver Verifier did not take $($run.Sys)."
    }
}

# Undoes Enable-Verifier. The settings of other drivers are left alone.
function Undo-Verifier($With) {
    $drivers = @(Get-VerifiedDriver)
    if ($drivers -notcontains $With.Driver) {
        return
    }
    $others = @($drivers | Where-Object { $_ -ne $With.Driver })
    if ($others.Count) {
        throw "its settings also name $($others -join ', '), which verifier /reset would remove too"
    }
    $null = Invoke-Verifier '/reset'
    if (@(Get-VerifiedDriver) -contains $With.Driver) {
        throw "its settings still name $($With.Driver)"
    }
}

# From now on, a tenth of the driver's allocations fails: the probability is 1000 of 10000, for all pool tags and programs,
# without a delay.
function Enable-LowResources {
    $flags = (Get-VolatileFlag) -bor $lowResourcesFlag
    Add-Change $run.Journal 'LowResources' @{ Flags = Get-VolatileFlag }
    $null = Invoke-Verifier '/volatile /faults 1000 "" "" 0'
    $null = Invoke-Verifier ('/volatile /flags 0x{0:X}' -f $flags)
    $off = $standardFlags -band (-bnot $flags)
    Add-Note "With low resources simulation, this Windows does without: $(Format-Flag $off)."
}

# A restart has undone it, too.
function Undo-LowResources($With) {
    if (-not (Test-RegistryKey (Get-MarkKey))) {
        return
    }
    $result = Invoke-Tool 'verifier' ('/volatile /flags 0x{0:X}' -f [long] $With.Flags)
    $report = Get-VerifierReport
    if ($report.Flags -band $lowResourcesFlag) {
        throw 'it is still on'
    }
    # The report of a verified driver is trusted more than an exit code.
    if ($report.Drivers.Count -eq 0 -and ($result.NoAnswer -or $result.ExitCode -ne 0)) {
        $said = if ($result.NoAnswer) { $result.NoAnswer } else { "verifier failed with $($result.ExitCode)" }
        throw "$said, and its report lists no driver"
    }
}
