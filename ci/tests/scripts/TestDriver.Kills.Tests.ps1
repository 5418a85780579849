# Test-Driver.ps1 is killed at each change, and each call of Windows fails.

BeforeDiscovery {
    . (Join-Path $PSScriptRoot 'Machine.ps1')
    . (Join-Path $PSScriptRoot 'Bench.ps1')
    # SCRIPT_CASES=all, in the environment, adds a driver that only a restart unloads.
    $killed = foreach ($policy in @('always') + @(if ($env:SCRIPT_CASES -eq 'all') { 'never' })) {
        $bench = New-Bench 26100 'en' (Join-Path $ScriptHome $policy)
        $bench.Machine.Driver.StartType = 0
        Set-Policy $bench.Machine $bench.Folder $policy ($policy -eq 'always') $false
        $bench.Machine.Killed = [Collections.Generic.List[object]]::new()
        $code = Invoke-Script $bench.Machine $bench.Script @{ Seconds = '1' }
        while ($code -eq 3010) {
            Restart-Machine $bench.Machine
            $code = Invoke-Script $bench.Machine $bench.Script @{ Resume = $true }
        }
        if ($code -ne 0) {
            throw "the run that is to be killed failed: $($bench.Machine.Console -join "`n")"
        }
        foreach ($place in $bench.Machine.Killed) {
            @{ Policy = $policy; Bench = $bench; Where = $place.Where; Machine = $place.Machine }
        }
    }
}

Describe 'A script that is killed' {
    BeforeAll {
        . (Join-Path $PSScriptRoot 'Machine.ps1')
        . (Join-Path $PSScriptRoot 'Bench.ps1')

        # -Resume, restarts where it asks for one, and -Cleanup where something is left. Returns the codes of -Resume.
        function Complete-Killed($Bench, $Machine) {
            $journal = Join-Path $Machine.Facts.ProgramData 'Test-Driver-my_filter.journal'
            $codes = @()
            foreach ($attempt in 1..4) {
                if (-not $Machine.Files.ContainsKey($journal)) {
                    break
                }
                $codes += Invoke-Script $Machine $Bench.Script @{ Resume = $true }
                if ($codes[-1] -eq 3010) {
                    Restart-Machine $Machine
                }
                elseif ($codes[-1] -eq 2 -and $Machine.Files.ContainsKey($journal)) {
                    Invoke-Script $Machine $Bench.Script @{ Cleanup = $true } | Should -Be 0
                }
            }
            return $codes
        }
    }

    It '<Where> (<Policy>)' -ForEach $killed {
        foreach ($restart in $false, $true) {
            $machine = Copy-Machine $Machine
            if ($restart) {
                Restart-Machine $machine
                # Not before the start type was set: Windows would load the driver again.
                if ($Where -notlike '*pnputil /add-driver*' -and $Where -notlike '*sc config*' -and $Where -notlike '*"start"*') {
                    $machine.Loaded | Should -BeNullOrEmpty
                }
            }
            $codes = Complete-Killed $Bench $machine
            $after = Get-Snapshot $machine $Bench.Report
            $after | Should -Be $Bench.Before -Because "codes $($codes -join ' '), restart $restart`n$($machine.Console -join "`n")"
            # A killed test passes only if it was killed while Windows was to be restarted, and went on.
            if ($codes -contains 0) {
                $machine.Unloads.Count | Should -BeGreaterThan 3
            }
        }
    }
}
