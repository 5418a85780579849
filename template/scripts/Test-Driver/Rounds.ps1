# A round: load the driver, perform file operations, request each kind of unload, and compare with Test-Driver.psd1.

# Loads the driver, with one attempt or, where allocations fail, several. After an attempt in which fltmc does not answer,
# there is no other. Returns whether it is loaded.
function Start-Driver([int] $Attempts) {
    foreach ($attempt in 1..$Attempts) {
        Set-Step "load the driver (attempt $attempt of at most $Attempts)"
        Add-Change $run.Journal 'Load' @{ Driver = $run.Driver }
        $result = Invoke-Tool 'fltmc' "load $($run.Driver)"
        if (Wait-Loaded $true) {
            Add-Check 'the driver is loaded' 'passed'
            return $true
        }
        if ($result.NoAnswer) {
            Add-Check 'the driver is loaded' 'finding' $result.NoAnswer
            return $false
        }
        $said = $result.Output.Trim()
        Write-Log "  not loaded: $said"
    }
    $text = "fltmc load $($run.Driver) did not load it"
    if ($Attempts -gt 1) {
        $text += " in $Attempts attempts, of which low resources simulation makes only some fail"
    }
    Add-Check 'the driver is loaded' 'finding' "${text}: $said"
    return $false
}

# Checks, after each load, that the filter is registered, attached and verified. Where it attaches only on request, the
# test attaches it. A driver that is not verified was not tested as it should be: that is unchecked, and no finding.
function Add-LoadCheck([long] $Flags, [bool] $LowResources) {
    $result = Invoke-Tool 'fltmc' 'filters'
    Add-Expectation 'the filter is registered' ($result.Output -match "(?im)^\s*$($run.Driver)\s") (
        "fltmc filters does not name $($run.Driver)") $result.NoAnswer $result.Failed
    Add-AttachCheck $LowResources
    Add-VerifiedCheck $Flags
}

# Checks that the filter is attached to the system volume and, where it attaches only on request, was not before.
function Add-AttachCheck([bool] $LowResources) {
    $drive = $run.Machine.Drive
    $noAnswer = ''
    if ($run.Expected.AttachByHand) {
        if (-not $LowResources) {
            $before = Get-Attachment
            Add-Expectation 'the filter attaches only on request' (-not $before.Attached) (
                "it is attached to $drive without fltmc attach") $before.NoAnswer $before.Failed
        }
        $noAnswer = (Invoke-Tool 'fltmc' "attach $($run.Driver) $drive").NoAnswer
    }
    $after = Get-Attachment
    if (-not $noAnswer) {
        $noAnswer = $after.NoAnswer
    }
    if ($LowResources -and -not $after.Attached -and -not $noAnswer -and -not $after.Failed) {
        Add-Note "With low resources simulation, the filter was not attached to $drive after a load."
        return
    }
    Add-Expectation "the filter is attached to $drive" $after.Attached (
        "fltmc instances -f $($run.Driver) does not list the volume") $noAnswer $after.Failed
}

# Whether fltmc lists the system volume among the instances of the filter; NoAnswer and Failed as of Invoke-Tool. A filter
# without instances is no failure: ERROR_NO_MORE_ITEMS ("FilterInstanceFindFirst function (fltuser.h)").
function Get-Attachment {
    $result = Invoke-Tool 'fltmc' "instances -f $($run.Driver)"
    return [pscustomobject]@{
        Attached = $result.Output -match "(?im)(^|\s)$($run.Machine.Drive)(\s|$)"
        NoAnswer = $result.NoAnswer
        Failed   = if ((Get-AnswerCode $result) -eq '0x80070103') { '' } else { $result.Failed }
    }
}

# Checks that Driver Verifier verifies the driver, with these flags at least.
function Add-VerifiedCheck([long] $Flags) {
    $name = 'Driver Verifier verifies the driver'
    try {
        $report = Get-VerifierReport
    }
    catch {
        Add-Check $name 'unchecked' $_.Exception.Message
        return
    }
    $missing = $Flags -band (-bnot $report.Flags)
    if (-not $report.Drivers.ContainsKey($run.Sys) -or $report.Drivers[$run.Sys] -lt 1) {
        Add-Check $name 'unchecked' "verifier /query does not list $($run.Sys) as loaded"
    }
    elseif ($missing) {
        Add-Check $name 'unchecked' "without $(Format-Flag $missing)"
    }
    else {
        Add-Check $name 'passed'
        Write-Log "  Driver Verifier is on for $($run.Sys): $(Format-Flag $report.Flags)"
    }
}

# ---------------------------------------------------------------------------------------------------------------------
# Traffic

function Start-Traffic {
    $folder = "$(Get-TrafficStart)$([Guid]::NewGuid())"
    Add-Change $run.Journal 'Traffic' @{ Folder = $folder }
    New-Folder $folder
    $run.TrafficFolder = $folder
    $run.Traffic = Start-Work (Join-Path $PSScriptRoot 'Traffic.ps1') $folder
}

# Returns how often the traffic has performed all operations since the last call. Operations that failed are findings,
# except where allocations fail.
function Receive-Traffic([bool] $LowResources) {
    $passes = 0
    foreach ($item in @(Receive-Work $run.Traffic)) {
        if ($item.Operation -eq '') {
            $passes++
        }
        elseif ($LowResources) {
            Add-Note "With low resources simulation, file operations failed: $($item.Operation), error $($item.Error)."
        }
        else {
            Write-Log "  $($item.Operation): $($item.Text)"
            Add-Check "file operation: $($item.Operation)" 'finding' "error $($item.Error)"
        }
    }
    return $passes
}

# The traffic has this time, in seconds, to perform all operations once, and to end.
$trafficSeconds = 120

# Lets the traffic run for the wanted time, and until it has performed all operations once. Called before each unload, which
# follows in any case.
function Wait-Traffic([bool] $LowResources) {
    Set-Step "file traffic for $($run.Seconds) seconds"
    $passes = 0
    $seconds = 0
    while ($seconds -lt $run.Seconds -or ($passes -eq 0 -and $seconds -lt $run.Seconds + $trafficSeconds)) {
        Wait-Second 1
        $seconds++
        $passes += Receive-Traffic $LowResources
        if ((Get-WorkState $run.Traffic) -ne 'Running') {
            break
        }
    }
    Write-Log "  performed all operations $passes times in $seconds seconds"
    if ($seconds -ge $run.Seconds -and $passes -gt 0) {
        Add-Check 'file traffic before the unload' 'passed'
    }
    else {
        Add-Check 'file traffic before the unload' 'unchecked' (
            "it performed all operations $passes times in $seconds seconds; the process is $(Get-WorkState $run.Traffic)")
    }
}

# Asks the traffic to end. A traffic that does not end hangs in an operation.
function Stop-Traffic([bool] $LowResources) {
    if (-not $run.Traffic) {
        return
    }
    Set-Step 'end the file traffic'
    Write-Text "$($run.TrafficFolder)\stop" ''
    foreach ($second in 1..$trafficSeconds) {
        if ((Get-WorkState $run.Traffic) -ne 'Running') {
            break
        }
        Wait-Second 1
    }
    $null = Receive-Traffic $LowResources
    $ended = (Get-WorkState $run.Traffic) -ne 'Running'
    Add-Expectation 'the file traffic ends' $ended 'an operation on a file does not return'
    if (-not $ended) {
        # Nothing ends a process that waits in the kernel, and to ask for it would wait, too.
        $run.Traffic = $null
    }
    foreach ($text in (Undo-Change $run.Journal 'Traffic').Left) {
        Write-Log "  $text"
    }
}

# ---------------------------------------------------------------------------------------------------------------------
# Unloading

# The code that a tool has answered: fltmc prints an HRESULT, and the exit code of sc is the error.
function Get-AnswerCode($Result) {
    $printed = [regex]::Match($Result.Output, '0x[0-9A-Fa-f]{8}').Value
    if ($printed) {
        return $printed
    }
    return [string] $Result.ExitCode
}

# Whether a code is a failure's.
function Test-Failure([string] $Code) {
    return $Code -notmatch '^(0x0+|0)$'
}

# The codes that an unload may fail with, for a message.
function Format-Code($Expected) {
    if ($Expected.Codes.Count) {
        return $Expected.Codes -join ' or '
    }
    return 'any error'
}

# Requests an unload, and compares the answer with the expected one.
function Request-Unload([string] $Tool, [string] $Verb, $Expected) {
    $name = "$Tool $Verb"
    $codes = Format-Code $Expected
    $wanted = if ($Expected.Unloads) { 'it unloads' } else { "it fails with $codes, and the driver stays loaded" }
    Set-Step "${name}: expected that $wanted"
    $result = Invoke-Tool $Tool "$Verb $($run.Driver)"
    $code = Get-AnswerCode $result
    if (-not $result.NoAnswer) {
        Write-Log "  answered: $code"
    }
    if ($Expected.Unloads) {
        Add-Expectation "$name succeeds" (-not (Test-Failure $code)) "it answered $code" $result.NoAnswer
        Add-Expectation "$name unloads the driver" (Wait-Loaded $false) 'the driver is still loaded after ten seconds'
        return
    }
    $right = (Test-Failure $code) -and ($Expected.Codes.Count -eq 0 -or $Expected.Codes -contains $code)
    Add-Expectation "$name fails" $right "it answered $code where $codes was expected" $result.NoAnswer
    Wait-Second 1
    Add-Expectation "$name leaves the driver loaded" (Test-Loaded) 'the driver is unloaded'
}

# ---------------------------------------------------------------------------------------------------------------------
# A round

# The kinds of unload, in this order. The third shows that the driver still unloads after a refused sc stop.
function Get-UnloadRequest {
    @{ Tool = 'fltmc'; Verb = 'unload'; Expected = $run.Expected.FilterUnload }
    @{ Tool = 'sc'; Verb = 'stop'; Expected = $run.Expected.ServiceStop }
    if ($run.Expected.FilterUnload.Unloads -and -not $run.Expected.ServiceStop.Unloads) {
        @{ Tool = 'fltmc'; Verb = 'unload'; Expected = $run.Expected.FilterUnload }
    }
}

function Invoke-Round([string] $Name, [long] $Flags, [bool] $LowResources) {
    $run.Round = $Name
    Write-Log "--- $Name"
    $attempts = if ($LowResources) { 20 } else { 1 }
    $before = Get-FaultCount (Get-VerifierReport)
    if (Test-Loaded) {
        Add-Note "The driver was loaded before the round $($Name), which did not load it for the first unload."
        Add-VerifiedCheck $Flags
    }
    try {
        foreach ($request in @(Get-UnloadRequest)) {
            if (-not (Test-Loaded)) {
                if (-not (Start-Driver $attempts)) {
                    return
                }
                Add-LoadCheck $Flags $LowResources
            }
            if (-not $run.Traffic) {
                Start-Traffic
            }
            Wait-Traffic $LowResources
            Request-Unload $request.Tool $request.Verb $request.Expected
        }
    }
    finally {
        Stop-Traffic $LowResources
    }
    if ($LowResources) {
        Add-FaultCount $before
    }
}

# Says how many allocations have failed in the round. A start of a driver without options allocates almost nothing, so
# that 0 is possible.
function Add-FaultCount([long] $Before) {
    $after = Get-FaultCount (Get-VerifierReport)
    if ($Before -lt 0 -or $after -lt 0) {
        Add-Check 'the number of failed allocations' 'unchecked' 'verifier /query lists no counters'
    }
    else {
        Add-Note "Driver Verifier made $($after - $Before) allocations fail."
    }
}
