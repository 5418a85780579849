# What is said and kept: the console, the log, the result of each check, the evidence, the summary.
#
# A failure to write the console, the log, the evidence or the summary changes neither the result nor what is undone. But a
# start refuses a report that cannot be written (Assert-Report), and Set-Step throws if the journal cannot be written, which
# ends the test. A check or note that cannot be written to the journal is written before the next entry.

# Writes a line to the console and to the log.
function Write-Log([string] $Text) {
    try {
        Write-Console $Text
    }
    catch {
        $null = $_
    }
    if (-not $run.Report) {
        return
    }
    try {
        Add-Line (Join-Path $run.Report 'log.txt') ('{0:HH:mm:ss} {1}' -f (Get-Now), $Text)
    }
    catch {
        $null = $_
    }
}

# Does something that may fail without a consequence for the result.
function Invoke-Optional([string] $What, [scriptblock] $Do) {
    try {
        & $Do
    }
    catch {
        Write-Log "  ${What}: $($_.Exception.Message)"
    }
}

# ---------------------------------------------------------------------------------------------------------------------
# Checks

# Records what a check has shown: 'passed', 'finding' or 'unchecked'. Checks with the same name and text are reported as
# one cause.
function Add-Check([string] $Name, [string] $Outcome, [string] $Text = '') {
    $content = @{ Name = $Name; Outcome = $Outcome; Text = $Text; Round = $run.Round; Step = $run.Step }
    if ($Outcome -ne 'passed') {
        $label = @{ finding = 'FINDING'; unchecked = 'NOT CHECKED' }[$Outcome]
        Write-Log "${label}: ${Name}: $Text"
    }
    $run.Checks.Add([pscustomobject] $content)
    if ($run.Journal) {
        Add-LateEntry $run.Journal 'check' $content
    }
}

# Records a check that must hold. NoAnswer, Failed: those of Invoke-Tool; where NoAnswer is not '', it is the finding, and
# where Failed is not '', nothing was checked.
function Add-Expectation([string] $Name, [bool] $Holds, [string] $Otherwise, [string] $NoAnswer = '', [string] $Failed = '') {
    if ($NoAnswer) {
        Add-Check $Name 'finding' $NoAnswer
    }
    elseif ($Failed) {
        Add-Check $Name 'unchecked' $Failed
    }
    elseif ($Holds) {
        Add-Check $Name 'passed'
    }
    else {
        Add-Check $Name 'finding' $Otherwise
    }
}

# A limit of the test that follows from the driver or from Windows, and changes no result.
function Add-Note([string] $Text) {
    if ($run.Notes -notcontains $Text) {
        $run.Notes.Add($Text)
        Write-Log "NOTE: $Text"
        if ($run.Journal) {
            Add-LateEntry $run.Journal 'note' @{ Text = $Text }
        }
    }
}

# Before each step: for the console, and for -Resume, which names the step that a crash has interrupted.
function Set-Step([string] $Text) {
    $run.Step = $Text
    Write-Log $Text
    Add-Entry $run.Journal 'step' @{ Round = $run.Round; Text = $Text }
}

# Checks of one outcome, each cause once, with the places where it was seen.
function Get-Cause([string] $Outcome) {
    $run.Checks | Where-Object { $_.Outcome -eq $Outcome } | Group-Object Name, Text | ForEach-Object {
        [pscustomobject]@{
            Name   = $_.Group[0].Name
            Text   = $_.Group[0].Text
            Places = @($_.Group | ForEach-Object { Format-Place $_ } | Where-Object { $_ } | Select-Object -Unique)
        }
    }
}

# ---------------------------------------------------------------------------------------------------------------------
# Evidence

# Crashes of Windows since the run began: entries 41 of Kernel-Power whose first value, BugcheckCode, is not 0. Entry
# 1001 of WER-SystemErrorReporting may follow later. "Kernel-Power event ID 41" (Microsoft Learn, troubleshoot).
function Get-Crash {
    Get-SystemEvent $run.Began | Where-Object {
        $_.Provider -eq 'Microsoft-Windows-Kernel-Power' -and $_.Id -eq 41 -and $_.Values.Count -and $_.Values[0] -ne 0
    }
}

# Records each crash that is not recorded yet. Returns whether there was a new one. A System log that cannot be read is
# recorded as unchecked.
function Add-Crash {
    $new = $false
    $crashes = try { @(Get-Crash) } catch { Add-Check 'whether Windows crashed' 'unchecked' $_.Exception.Message }
    foreach ($crash in $crashes) {
        $name = 'Windows crashed at {0:yyyy-MM-dd HH:mm:ss}' -f $crash.Time
        if (@($run.Checks | ForEach-Object { $_.Name }) -notcontains $name) {
            $new = $true
            Add-Check $name 'finding' ('bugcheck 0x{0:X}; see the minidump in the report, or {1}' -f
                $crash.Values[0], (Join-Path $run.Machine.Windows 'MEMORY.DMP'))
        }
    }
    return $new
}

# The providers whose entries matter, beside the driver's own.
$providers = @(
    'FilterManager', 'Microsoft-Windows-FilterManager', 'Microsoft-Windows-Kernel-Power',
    'Microsoft-Windows-WER-SystemErrorReporting', 'Service Control Manager', 'Microsoft-Windows-DriverFrameworks-KernelMode'
)

function Save-Event {
    $lines = foreach ($entry in Get-SystemEvent $run.Began) {
        $own = $entry.Provider -eq $run.Driver -or "$($entry.Message) $($entry.Values)" -match "\b$($run.Driver)\b"
        if ($own -or $providers -contains $entry.Provider) {
            '{0:u} {1} {2}: {3} {4}' -f $entry.Time.ToUniversalTime(), $entry.Provider, $entry.Id, $entry.Message, ($entry.Values -join ' ')
        }
    }
    Write-Text (Join-Path $run.Report 'events.txt') (@($lines) -join "`r`n")
}

function Save-Dump {
    foreach ($dump in Get-FilePath (Join-Path $run.Machine.Windows 'Minidump') '*.dmp') {
        if ((Get-WriteTime $dump) -ge $run.Began) {
            Copy-OneFile $dump (Join-Path $run.Report ([IO.Path]::GetFileName($dump)))
        }
    }
}

function Save-Evidence {
    Invoke-Optional 'the entries of the System log are not collected' { Save-Event }
    Invoke-Optional 'the minidumps are not collected' { Save-Dump }
    Invoke-Optional 'setupapi.dev.log is not collected' {
        $log = Join-Path $run.Machine.Windows 'INF\setupapi.dev.log'
        Copy-OneFile $log (Join-Path $run.Report 'setupapi.dev.log')
    }
    Invoke-Optional 'the report of Driver Verifier is not collected' {
        Write-Text (Join-Path $run.Report 'verifier.txt') (Get-VerifierReport).Text
    }
}

# ---------------------------------------------------------------------------------------------------------------------
# Summary

# Writes summary.json and junit.xml.
function Save-Summary([int] $ExitCode) {
    Invoke-Optional 'summary.json is not written' {
        $summary = [ordered]@{
            driver    = $run.Driver
            windows   = $run.Machine.Build
            exitCode  = $ExitCode
            findings  = @(Get-Cause 'finding')
            unchecked = @(Get-Cause 'unchecked')
            notUndone = @($run.Left)
            notes     = @($run.Notes)
            checks    = @($run.Checks)
        }
        Write-Text (Join-Path $run.Report 'summary.json') (ConvertTo-Json $summary -Depth 5)
    }
    Invoke-Optional 'junit.xml is not written' {
        Write-Text (Join-Path $run.Report 'junit.xml') (Format-JUnit)
    }
}

# Text for an attribute of XML.
function Format-Attribute([string] $Text) {
    return [Security.SecurityElement]::Escape([regex]::Replace($Text, '[\x00-\x1F]', ' '))
}

# The round and the step of a check.
function Format-Place($Check) {
    return (@($Check.Round, $Check.Step) | Where-Object { $_ }) -join ': '
}

# The checks in the format of JUnit, one test case a check.
function Format-JUnit {
    $elements = @{ finding = 'failure'; unchecked = 'skipped' }
    $counts = @{ passed = 0; finding = 0; unchecked = 0 }
    $cases = foreach ($check in $run.Checks) {
        $counts[$check.Outcome]++
        $case = '  <testcase classname="{0}" name="{1}"' -f (Format-Attribute (Format-Place $check)), (Format-Attribute $check.Name)
        if ($check.Outcome -eq 'passed') {
            "$case/>"
        }
        else {
            '{0}><{1} message="{2}"/></testcase>' -f $case, $elements[$check.Outcome], (Format-Attribute $check.Text)
        }
    }
    $suite = '<testsuite name="{0}" tests="{1}" failures="{2}" skipped="{3}">' -f
        $run.Driver, $run.Checks.Count, $counts.finding, $counts.unchecked
    return (@('<?xml version="1.0" encoding="utf-8"?>', $suite) + @($cases) + '</testsuite>') -join "`n"
}

# Prints the result, and returns the exit code.
function Complete-Report {
    foreach ($kind in @(
            @{ Outcome = 'finding'; Title = 'Findings' }, @{ Outcome = 'unchecked'; Title = 'Not checked' })) {
        $causes = @(Get-Cause $kind.Outcome)
        if ($causes.Count) {
            Write-Log "$($kind.Title): $($causes.Count)"
            foreach ($cause in $causes) {
                Write-Log "  $($cause.Name): $($cause.Text) [$($cause.Places -join '; ')]"
            }
        }
    }
    foreach ($text in $run.Left) {
        Write-Log "NOT UNDONE: $text"
    }
    foreach ($text in $run.Notes) {
        Write-Log "Note: $text"
    }
    $code = 0
    if (@(Get-Cause 'unchecked').Count -or $run.Left.Count) {
        $code = 2
    }
    if (@(Get-Cause 'finding').Count) {
        $code = 1
    }
    return $code
}
