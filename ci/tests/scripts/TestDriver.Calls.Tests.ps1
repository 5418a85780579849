# Each call of Windows fails, says something unexpected, or does not answer, in a whole run of Test-Driver.ps1.

BeforeDiscovery {
    . (Join-Path $PSScriptRoot 'Machine.ps1')
    . (Join-Path $PSScriptRoot 'Bench.ps1')
    $bench = New-Bench
    $bench.Machine.Driver.StartType = 0
    $null = Invoke-Whole $bench
    $programs = 'verifier', 'fltmc', 'sc', 'pnputil'
    # Without what differs from run to run: paths and numbers of packages.
    $calls = @($bench.Machine.Trace | ForEach-Object { ($_ -replace '"[^"]+\.inf"', '*' -replace 'oem\d+\.inf', '*') } |
            Where-Object { $programs -contains $_.Split(' ')[0] } | Sort-Object -Unique)
    $functions = @($bench.Machine.Trace | ForEach-Object { $_.Split(' ')[0] } | Where-Object { $programs -notcontains $_ } | Sort-Object -Unique)
    # SCRIPT_CASES=all, in the environment, adds those that differ little from others.
    $faults = @{
        'fails'                           = '[pscustomobject]@{ ExitCode = 5; Output = "Zugriff verweigert"; TimedOut = $false }'
        'fails after its effect'          = '$null = & $Do; [pscustomobject]@{ ExitCode = 5; Output = "Zugriff verweigert"; TimedOut = $false }'
        'does nothing, and does not fail' = '[pscustomobject]@{ ExitCode = 0; Output = "??"; TimedOut = $false }'
        'does not answer'                 = '$null = & $Do; [pscustomobject]@{ ExitCode = $null; Output = ""; TimedOut = $true }'
    }
    if ($env:SCRIPT_CASES -eq 'all') {
        $faults['does not answer, without its effect'] = '[pscustomobject]@{ ExitCode = $null; Output = ""; TimedOut = $true }'
        $faults['cannot be started'] = 'throw "no such file"'
    }
    $cases = @(
        foreach ($call in $calls) {
            foreach ($fault in $faults.Keys) {
                @{ Call = $call; Fault = $fault; Do = $faults[$fault]; Test = "`"`$Call `$With`" -like '$($call -replace '([\[\]])', '`$1' -replace "'", "''")'" }
            }
        }
        foreach ($function in $functions) {
            @{ Call = $function; Fault = 'throws'; Do = 'throw "denied"'; Test = "`$Call -eq '$function'" }
            # A folder is created, or it fails.
            if ($function -ne 'New-Folder') {
                @{ Call = $function; Fault = 'does nothing'; Do = ''; Test = "`$Call -eq '$function'" }
            }
        }
    )
}

Describe 'A run in which a call' {
    BeforeAll {
        . (Join-Path $PSScriptRoot 'Machine.ps1')
        . (Join-Path $PSScriptRoot 'Bench.ps1')
        # What only writes or collects: it changes no result.
        $harmless = @('Write-Console', 'Copy-OneFile', 'Get-KernelDebugger', 'Exit-Lock', 'Stop-Work')
    }

    It '<Fault>: <Call>' -ForEach $cases {
        $bench = New-Bench
        $machine = $bench.Machine
        $machine.Driver.StartType = 0
        $machine.Override = "param(`$Call, `$With, `$Do) if ($Test) { $Do } else { & `$Do }"
        $codes = @(Invoke-Script $machine $bench.Script @{ Seconds = '1' })
        while ($codes[-1] -eq 3010 -and $codes.Count -lt 4) {
            Restart-Machine $machine
            $codes += Invoke-Script $machine $bench.Script @{ Resume = $true }
        }
        $said = $machine.Console -join "`n"
        if ($codes[-1] -eq 0) {
            Assert-Verified $bench
        }
        elseif ($harmless -contains $Call) {
            $codes[-1] | Should -Be 0 -Because $said
        }
        # What is left is named, and -Cleanup undoes it when Windows works again.
        $changed = (Get-After $bench) -ne $bench.Before
        if ($changed -and $harmless -notcontains $Call) {
            $codes[-1] | Should -Not -Be 0 -Because $said
        }
        if ($changed) {
            $null = Invoke-WholeCleanup $bench
        }
        Get-After $bench | Should -Be $bench.Before -Because "codes $($codes -join ' ')`n$said"
    }
}
