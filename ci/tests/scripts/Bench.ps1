# Whole runs of Test-Driver.ps1 on a simulated Windows.

# A machine, the scripts, and what was there before. Without a folder, the scripts are written to the same one each time:
# PowerShell keeps a compiled script for its path and content.
function New-Bench([int] $Build = 26100, [string] $Language = 'en', [string] $Folder = '') {
    if (-not $Folder) {
        $Folder = Join-Path $ScriptHome 'bench'
    }
    $null = New-ScriptFolder $Folder
    $machine = New-Machine $Folder $Build $Language
    return [pscustomobject]@{
        Folder  = $Folder
        Script  = Join-Path $Folder 'Test-Driver.ps1'
        Report  = Join-Path $Folder 'report'
        Machine = $machine
        Before  = Get-Snapshot $machine (Join-Path $Folder 'report')
    }
}

# Runs a whole test: start, restarts, -Resume. Returns the exit codes.
function Invoke-Whole($Bench, [hashtable] $Arguments = @{}) {
    $codes = @(Invoke-Script $Bench.Machine $Bench.Script ($Arguments + @{ Seconds = '2' }))
    while ($codes[-1] -eq 3010 -and $codes.Count -lt 5) {
        Restart-Machine $Bench.Machine
        $codes += Invoke-Script $Bench.Machine $Bench.Script @{ Resume = $true }
    }
    return $codes
}

# -Cleanup, with a restart where it asks for one, until it is done.
function Invoke-WholeCleanup($Bench) {
    $Bench.Machine.Override = $null
    foreach ($attempt in 1..3) {
        $code = Invoke-Script $Bench.Machine $Bench.Script @{ Cleanup = $true }
        if ($code -eq 0) {
            return $code
        }
        Restart-Machine $Bench.Machine
    }
    return $code
}

function Get-After($Bench) {
    return Get-Snapshot $Bench.Machine $Bench.Report
}

function Get-Summary($Bench) {
    return ConvertFrom-Json $Bench.Machine.Files[(Join-Path $Bench.Report 'summary.json')]
}

# A result of 0 is given only for what the machine has seen: loads and unloads in both rounds under the settings that
# this Windows has, and traffic before each unload.
function Assert-Verified($Bench) {
    $low = if ($Bench.Machine.Facts.Build -ge 22000) { 0xA4 } else { 0x9BF }
    $standard = @($Bench.Machine.Unloads | Where-Object { $_.Flags -eq 0x209BB })
    $lowered = @($Bench.Machine.Unloads | Where-Object { ($_.Flags -band $low) -eq $low })
    $standard.Count | Should -BeGreaterThan 1
    $lowered.Count | Should -BeGreaterThan 1
    foreach ($unload in $standard + $lowered) {
        $unload.Rounds | Should -BeGreaterThan 0
        $unload.Verified | Should -BeTrue
    }
}

# Presses Ctrl+C while the script waits.
function Stop-Script($Machine, [string] $Script, [hashtable] $Arguments) {
    $Machine.Dead = $false
    $Machine.Console.Clear()
    $shell = New-Shell $Machine $Script $Arguments ''
    try {
        $running = $shell.BeginInvoke()
        while (-not $Machine.Stopping -and -not $running.IsCompleted) {
            Start-Sleep -Milliseconds 20
        }
        $shell.Stop()
    }
    finally {
        $shell.Dispose()
        $Machine.Traffic = $null
    }
}
