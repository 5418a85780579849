<#
.SYNOPSIS
Tests the driver on a test machine, under Driver Verifier.

.DESCRIPTION
Installs the package, loads the driver, performs file operations, requests both kinds of unload, compares the answers with
Test-Driver.psd1, does this again while allocations fail, and undoes what it has changed. Run it as administrator, on a
machine that may crash: Driver Verifier stops Windows where it finds a violation.

The script first sets Driver Verifier, whose settings take effect with a restart, and ends with exit code 3010. After the
restart, start it with -Resume: it does the rest. It needs a second restart where only a restart unloads the driver.

Before each change, the script writes to a journal how the change is undone:
%ProgramData%\Test-Driver-<driver>.journal. After a crash or an interruption, -Resume reports what happened and undoes the
changes.

Exit codes: 0, all checks passed and all changes are undone; 1, findings; 2, no findings, but something was not checked or
not undone, or the script refused to start; 3010, restart Windows and go on with -Resume. -DryRun ends with 0.

.PARAMETER Package
The folder with the .inf, .sys and .cat of the driver. The default is the folder driver beside this script. Without a
journal, -Cleanup looks for the certificates of this folder.

.PARAMETER Report
The folder for log.txt, summary.json, junit.xml and what Windows has recorded. The default is the folder report beside this
script.

.PARAMETER Seconds
How long file operations run before each unload, in seconds, from 1 to 3600. The default is 30.

.PARAMETER Resume
Goes on after a restart. After a crash or an interruption, undoes the changes.

.PARAMETER Cleanup
Undoes the changes of an earlier run. Without a journal, lists what a test would have left. The exit code is 0 if nothing
is left, and otherwise 2.

.PARAMETER Force
With -Cleanup, and without a journal: removes all that -Cleanup lists, even what was there before any test.

.PARAMETER DryRun
Changes nothing: prints what would be done.

.EXAMPLE
./Test-Driver.ps1 -DryRun

.EXAMPLE
./Test-Driver.ps1
Restart-Computer
./Test-Driver.ps1 -Resume

.EXAMPLE
./Test-Driver.ps1 -Cleanup
#>
#Requires -Version 5.1
param(
    [string] $Package,
    [string] $Report,
    [string] $Seconds,
    [switch] $Resume,
    [switch] $Cleanup,
    [switch] $Force,
    [switch] $DryRun
)

Set-StrictMode -Version Latest
# A caller's preferences do not apply.
$ErrorActionPreference = 'Stop'
$WarningPreference = 'Continue'
$ProgressPreference = 'SilentlyContinue'
$ConfirmPreference = 'None'
$WhatIfPreference = $false
$PSDefaultParameterValues = @{}
$PSNativeCommandUseErrorActionPreference = $false

# Windows.ps1 calls Windows, and has the lock, which lets one test of a driver run at a time. The files in the folder
# Test-Driver:
#
# Modes     start, -Resume, -Cleanup, -DryRun
# Ready     the conditions of a start
# Steps     the steps of a test, in their order
# Rounds    load, file traffic, unload
# Traffic   the file operations, in a process of their own
# Changes   the changes, and how each is undone; the installation and the start type (Add-Package); the time limit of
#           tools ($toolSeconds); the mark, a registry key that a restart removes (Add-Mark): if it is not there, -Resume
#           knows that Windows was restarted
# Verifier  the same for Driver Verifier: changes and undo; its report
# Journal   the file that lists the changes; the order in which they are undone (Undo-Change)
# Report    console, log, evidence, summary; crashes of Windows (Add-Crash); the exit code of a test (Complete-Report)
#
# A step of the whole test is a row in Steps.ps1. A check after each load goes into Add-LoadCheck (Rounds.ps1) and, for
# -DryRun, Get-RoundPlan (Steps.ps1). A change needs an entry in $undos (Changes.ps1), and code in Find-Change (Modes.ps1),
# which finds it without a journal.
$parts = Join-Path $PSScriptRoot 'Test-Driver'
. (Join-Path $PSScriptRoot 'Windows.ps1')
foreach ($part in 'Journal', 'Verifier', 'Changes', 'Report', 'Rounds', 'Steps', 'Ready', 'Modes') {
    . (Join-Path $parts "$part.ps1")
}

# The state of the run; $Package, $Report and $Seconds are what the user wrote. Journal: nothing before the first change.
# Left: what could not be undone.
$run = [pscustomobject]@{
    Script        = $PSCommandPath
    Expected      = $null
    Driver        = ''
    Sys           = ''
    Machine       = $null
    Package       = ''
    Report        = ''
    Seconds       = 30
    Journal       = $null
    Began         = $null
    Round         = ''
    Step          = ''
    Checks        = [Collections.Generic.List[object]]::new()
    Notes         = [Collections.Generic.List[string]]::new()
    Left          = @()
    Traffic       = $null
    TrafficFolder = ''
}

$lock = $null
$code = 2
try {
    Assert-Argument $args
    $run.Expected = Read-Expected (Join-Path $PSScriptRoot 'Test-Driver.psd1')
    $run.Driver = $run.Expected.Driver
    $run.Sys = "$($run.Driver).sys"
    if ($DryRun) {
        Show-Plan
        $code = 0
    }
    else {
        $run.Machine = Get-Machine
        Assert-Machine
        $lock = Enter-Lock "Test-Driver-$($run.Driver)"
        if ($null -eq $lock) {
            throw "Another Test-Driver.ps1 for $($run.Driver) is running: wait until it has ended."
        }
        $code = if ($Cleanup) { Invoke-Cleanup } elseif ($Resume) { Invoke-Resume } else { Invoke-Start }
    }
}
catch {
    # Nothing was changed yet, or the journal says what is to be undone.
    Write-Log "error: $($_.Exception.Message)"
}
finally {
    if ($null -ne $lock) {
        Invoke-Optional 'the lock is not released' { Exit-Lock $lock }
    }
}
exit $code
