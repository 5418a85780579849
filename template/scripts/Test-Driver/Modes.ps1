# The ways to start the script: a new test, -Resume and -Cleanup, which return the exit code, and -DryRun.

# The command that goes on.
function Format-Command([string] $Switch) {
    return "powershell -ExecutionPolicy Bypass -File `"$($run.Script)`" $Switch"
}

function Get-JournalPath {
    return Join-Path $run.Machine.ProgramData "Test-Driver-$($run.Driver).journal"
}

# ---------------------------------------------------------------------------------------------------------------------
# A new test

function Invoke-Start {
    $run.Package = Resolve-UserPath $Package 'driver'
    $run.Journal = New-Journal (Get-JournalPath)
    Assert-Unused
    Assert-Package
    $run.Report = Resolve-UserPath $Report 'report'
    Assert-Report
    $run.Began = Get-Now
    Add-Entry $run.Journal 'begin' @{
        Package = $run.Package
        Report  = $run.Report
        Seconds = $run.Seconds
        Began   = $run.Began.ToFileTimeUtc()
    }
    if (-not (Test-Exists $run.Journal.Path)) {
        throw "The journal $($run.Journal.Path) is not there after it was written."
    }
    return Invoke-Test { Add-Mark }
}

# Runs the steps and ends the test. Ctrl+C and errors end it too.
function Invoke-Test([scriptblock] $First) {
    $ended = $false
    try {
        try {
            & $First
            if (Invoke-Step) {
                $ended = $true
                return Stop-ForRestart 'verifier' 'Windows must be restarted for Driver Verifier.'
            }
        }
        catch {
            Add-Check 'the test' 'unchecked' "it did not go on: $($_.Exception.Message)"
        }
        Add-DebuggerNote
        $code = Complete-Test
        $ended = $true
        return $code
    }
    finally {
        if (-not $ended) {
            Add-Check 'the test' 'unchecked' 'it was interrupted'
            $null = Complete-Test
        }
    }
}

# Filter Verifier prints its messages to a kernel debugger, and prompts there. Its document does not say what happens if no
# debugger is attached.
function Add-DebuggerNote {
    Invoke-Optional 'whether a kernel debugger is attached is unknown' {
        if ((Get-KernelDebugger) -band 2) {
            Add-Note 'A kernel debugger was attached: it has the messages of Filter Verifier.'
        }
        else {
            Add-Note 'No kernel debugger was attached: messages of Filter Verifier were not seen.'
        }
    }
}

# Asks for a restart of Windows, and returns the exit code.
function Stop-ForRestart([string] $For, [string] $Reason) {
    Add-Entry $run.Journal 'waiting' @{ For = $For }
    Write-Log "$Reason Restart it, then run: $(Format-Command '-Resume')"
    return 3010
}

# Collects the evidence, undoes the changes, prints the result, and returns the exit code.
function Complete-Test {
    $run.Round = ''
    $run.Step = 'end'
    Write-Log 'Collect what Windows has recorded'
    Save-Evidence
    Write-Log 'Undo the changes'
    $undone = Undo-Change $run.Journal
    $run.Left = @($undone.Left)
    if ($undone.Restart) {
        try {
            return Stop-ForRestart 'unload' 'Only a restart of Windows unloads the driver.'
        }
        catch {
            # -Resume would not know what was found.
            $run.Left += "the driver, which only a restart unloads; -Resume cannot go on, because the journal cannot be written: $($_.Exception.Message)"
        }
    }
    $code = Complete-Report
    Save-Summary $code
    Add-LateEntry $run.Journal 'ended' @{}
    if ($run.Left.Count) {
        Write-Log "Try again with: $(Format-Command '-Cleanup')"
    }
    else {
        Invoke-Optional "the journal $($run.Journal.Path) is not removed" { Remove-Path $run.Journal.Path }
    }
    Invoke-Optional 'whether Driver Verifier is still active is unknown' {
        if ((Get-VerifierReport).Flags) {
            Write-Log 'Driver Verifier ends with the next restart of Windows.'
        }
    }
    Write-Log $(if ($code -eq 0) { "All checks passed. The report is in $($run.Report)." } else { "The report is in $($run.Report)." })
    return $code
}

# ---------------------------------------------------------------------------------------------------------------------
# -Resume

# Reads the journal of the earlier process into $run. Returns whether there is one.
function Restore-Run {
    $run.Journal = New-Journal (Get-JournalPath)
    if (-not (Read-Journal $run.Journal)) {
        return $false
    }
    $begin = Get-LastEntry $run.Journal 'begin'
    if ($null -eq $begin -or $run.Journal.Damaged.Count) {
        $lines = if ($run.Journal.Damaged.Count) { "line $($run.Journal.Damaged -join ', ') cannot be read" } else { 'it is that of a cleanup, or has no beginning' }
        throw "The journal $($run.Journal.Path) is damaged: ${lines}. Run this script with -Cleanup."
    }
    $run.Package = $begin.Package
    $run.Report = $begin.Report
    if ($Report) {
        $run.Report = Resolve-UserPath $Report
        Assert-Report
    }
    if (-not $Seconds) {
        $run.Seconds = [int] $begin.Seconds
    }
    $run.Began = [DateTime]::FromFileTimeUtc($begin.Began)
    foreach ($check in Get-Entry $run.Journal 'check') {
        $run.Checks.Add(($check | Select-Object Name, Outcome, Text, Round, Step))
    }
    foreach ($note in Get-Entry $run.Journal 'note') {
        $run.Notes.Add($note.Text)
    }
    return $true
}

# What the earlier process asked a restart for: 'verifier', 'unload', or '' where it did not ask.
function Get-Wait {
    $last = $run.Journal.Entries | Where-Object { @('waiting', 'step', 'resumed') -contains $_.Kind } | Select-Object -Last 1
    if ($null -ne $last -and $last.Kind -eq 'waiting') {
        return $last.For
    }
    return ''
}

$endedText = 'The test has ended. To undo what is left, run this script with -Cleanup.'

function Invoke-Resume {
    if (-not (Restore-Run)) {
        throw 'There is no test to go on with: start without -Resume.'
    }
    if (Test-Ended $run.Journal) {
        throw $endedText
    }
    $restarted = -not (Test-RegistryKey (Get-MarkKey))
    $waiting = Get-Wait
    if ($waiting -and -not $restarted) {
        Write-Log "Windows has not been restarted since the script asked for it. Restart it, then run: $(Format-Command '-Resume')"
        return 3010
    }
    Set-LastPlace
    $crashed = $restarted -and (Add-Crash)
    if ($waiting -eq 'verifier' -and -not $crashed) {
        return Invoke-Test { Restore-Mark; Assert-VerifierSetting }
    }
    if (-not $waiting) {
        $how = if ($restarted) { 'Windows was restarted' } else { 'the script was interrupted' }
        if (-not $crashed) {
            Add-Check 'the test' 'unchecked' "$how during this step"
        }
    }
    Add-LateEntry $run.Journal 'resumed' @{}
    return Complete-Test
}

# The round and the step of the earlier process.
function Set-LastPlace {
    $step = Get-LastEntry $run.Journal 'step'
    if ($null -ne $step) {
        $run.Round = $step.Round
        $run.Step = $step.Text
    }
}

# Marks this start of Windows, the restart having removed the earlier mark.
function Restore-Mark {
    Add-Entry $run.Journal 'resumed' @{}
    Add-Mark
}

function Assert-VerifierSetting {
    if (@(Get-VerifiedDriver) -notcontains $run.Sys) {
        throw "Driver Verifier has lost its settings for $($run.Sys) with the restart"
    }
}

# ---------------------------------------------------------------------------------------------------------------------
# -Cleanup

function Invoke-Cleanup {
    $run.Package = Resolve-UserPath $Package 'driver'
    $run.Journal = New-Journal (Get-JournalPath)
    $found = Read-Journal $run.Journal
    foreach ($line in $run.Journal.Damaged) {
        $run.Left += "line $line of $($run.Journal.Path) cannot be read"
    }
    if (-not $found) {
        $changes = @(Find-Change)
        if ($changes.Count -eq 0) {
            Write-Log "There is no journal, and nothing that a test of $($run.Driver) would have left."
            return 0
        }
        if (-not $Force) {
            Write-Log "There is no journal. A test of $($run.Driver) would have left this, which -Force removes:"
            foreach ($change in $changes) {
                Write-Log "  $($change.Text)"
            }
            return 2
        }
        # Find-Change has the package from pnputil.
        Add-Entry $run.Journal 'listed' @{}
        foreach ($change in $changes) {
            Add-Change $run.Journal $change.Undo $change.With
        }
    }
    return Complete-Cleanup
}

function Complete-Cleanup {
    Add-LateEntry $run.Journal 'ended' @{}
    $undone = Undo-Change $run.Journal
    $run.Left = @($run.Left) + @($undone.Left)
    foreach ($text in $run.Left) {
        Write-Log "NOT UNDONE: $text"
    }
    if ($undone.Restart) {
        Write-Log "Only a restart of Windows unloads the driver. Restart it, then run: $(Format-Command '-Cleanup')"
        return 2
    }
    if ($undone.Left.Count) {
        return 2
    }
    # Without the journal, lines that cannot be read are not reported again.
    Remove-Path $run.Journal.Path
    if ($run.Left.Count) {
        Write-Log 'The changes in the other lines are undone.'
        return 2
    }
    Write-Log 'The changes are undone.'
    return 0
}

# What a test would have left, in the order in which a test makes it. Low resources simulation is not looked for: it ends
# with a restart.
function Find-Change {
    if (Test-RegistryKey (Get-MarkKey)) {
        @{ Undo = 'Mark'; With = @{ Key = Get-MarkKey }; Text = "the registry key HKLM\$(Get-MarkKey)" }
    }
    if (@(Get-VerifiedDriver) -contains $run.Sys) {
        @{ Undo = 'Verifier'; With = @{ Driver = $run.Sys }; Text = "the settings of Driver Verifier for $($run.Sys)" }
    }
    foreach ($file in Get-TestCertificate $run.Package) {
        $thumbprint = Get-Thumbprint $file
        foreach ($store in 'Root', 'TrustedPublisher') {
            if (Test-Certificate $store $thumbprint) {
                @{ Undo = 'Certificate'; With = @{ Store = $store; Thumbprint = $thumbprint }; Text = "the certificate $thumbprint in the store $store" }
            }
        }
    }
    $packages = @(Get-InstalledPackage)
    if ($packages.Count -or $null -ne (Get-DriverService $run.Driver)) {
        @{ Undo = 'Package'; With = @{ Before = @() }; Text = "the service $($run.Driver), and $($packages.Count) packages: $($packages -join ', ')" }
    }
    if (Test-Loaded) {
        @{ Undo = 'Load'; With = @{ Driver = $run.Driver }; Text = 'the loaded driver' }
    }
    foreach ($folder in Get-TrafficFolder) {
        @{ Undo = 'Traffic'; With = @{ Folder = $folder }; Text = "the folder of the file traffic, $folder" }
    }
}

# ---------------------------------------------------------------------------------------------------------------------
# -DryRun

# Prints what would be done. With -Resume or -Cleanup, that depends on the journal.
function Show-Plan {
    $run.Journal = New-Journal ''
    if ($Resume -or $Cleanup) {
        $run.Machine = Get-Machine
        $run.Journal = New-Journal (Get-JournalPath)
        if (-not (Read-Journal $run.Journal)) {
            Write-Console $(if ($Resume) { 'There is no test to go on with.' } else { "There is no journal: -Cleanup would list what a test of $($run.Driver) has left." })
            return
        }
        if ($Resume -and (Test-Ended $run.Journal)) {
            Write-Console $endedText
            return
        }
    }
    if (-not $Cleanup -and (-not $Resume -or (Get-Wait) -eq 'verifier')) {
        Show-Step
    }
    if (-not $Cleanup) {
        Write-Console 'Collect what Windows has recorded'
    }
    Write-Console 'Undo the changes'
    foreach ($change in Get-Pending $run.Journal) {
        Write-Console "  $($change.Undo) $(ConvertTo-Json $change.With -Compress)"
    }
    Write-Console 'Nothing was changed.'
}

# Prints the steps that are not done.
function Show-Step {
    $done = @(Get-Entry $run.Journal 'done' | ForEach-Object { $_.Name })
    foreach ($step in $steps | Where-Object { $done -notcontains $_.Name }) {
        Write-Console $step.Text
        foreach ($line in & $step.Plan) {
            Write-Console "  $line"
        }
    }
}
