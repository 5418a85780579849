# Random runs of Test-Driver.ps1: answers, kills, crashes and restarts drawn from a seed. Each time the simulated machine is
# as before, or what was not undone is named; and no run passes that was not verified.
#
# TEST_DRIVER_SEED and TEST_DRIVER_RUNS, in the environment, choose others.

BeforeDiscovery {
    $first = if ($env:TEST_DRIVER_SEED) { [int] $env:TEST_DRIVER_SEED } else { 1 }
    $count = if ($env:TEST_DRIVER_RUNS) { [int] $env:TEST_DRIVER_RUNS } else { 20 }
    $seeds = @($first..($first + $count - 1) | ForEach-Object { @{ Seed = $_ } })
}

Describe 'A random run' {
    BeforeAll {
        . (Join-Path $PSScriptRoot 'Machine.ps1')
        . (Join-Path $PSScriptRoot 'Bench.ps1')

        # A driver, a Windows, and a program whose calls sometimes fail.
        function Set-Chance($Bench, [Random] $Random) {
            $machine = $Bench.Machine
            $policy = @(@('always', $true), @('always', $false), @('refuse-non-mandatory', $true), @('refuse-non-mandatory', $false), @('never', $false))[$Random.Next(5)]
            Set-Policy $machine $Bench.Folder $policy[0] $policy[1] ($Random.Next(2) -eq 0)
            $machine.Language = @('en', 'de', 'zh')[$Random.Next(3)]
            $machine.Driver.StartType = $Random.Next(4)
            $machine.Driver.FailedLoads = $Random.Next(4)
            $machine.Driver.InstallCode = @(0, 259, 3010)[$Random.Next(3)]
            foreach ($flaw in 'NeverLoads', 'TrafficError', 'TrafficDies', 'ServiceStays') {
                $machine.Driver[$flaw] = $Random.Next(12) -eq 0
            }
            if ($Random.Next(3) -eq 0) {
                $machine.Faulty = @{ Random = $Random; Each = 20 + $Random.Next(200) }
                $machine.Override = {
                    param($Call, $With, $Do)
                    if ($Machine.Faulty.Random.Next($Machine.Faulty.Each) -ne 0) {
                        return & $Do
                    }
                    if (@('verifier', 'fltmc', 'sc', 'pnputil') -contains $Call) {
                        $answers = @(
                            [pscustomobject]@{ ExitCode = 5; Output = '?'; TimedOut = $false }
                            [pscustomobject]@{ ExitCode = $null; Output = ''; TimedOut = $true }
                        )
                        if ($Machine.Faulty.Random.Next(2) -eq 0) {
                            $null = & $Do
                        }
                        return $answers[$Machine.Faulty.Random.Next(2)]
                    }
                    throw 'denied by chance'
                }
            }
        }

        # A process that may be killed, or crash Windows.
        function Start-Chance($Bench, [Random] $Random, [hashtable] $Arguments) {
            $machine = $Bench.Machine
            $machine.KillAt = 0
            $machine.CrashAt = ''
            switch ($Random.Next(4)) {
                0 {
                    $machine.KillAt = 1 + $Random.Next(400)
                    $machine.KillBefore = $Random.Next(2) -eq 0
                    $machine.KillMiddle = -not $machine.KillBefore -and $Random.Next(3) -eq 0
                }
                1 {
                    $machine.CrashAt = @('load', 'unload', 'traffic')[$Random.Next(3)]
                    $machine.CrashAfter = $Random.Next(4)
                }
            }
            $code = Invoke-Script $machine $Bench.Script $Arguments
            $machine.KillAt = 0
            $machine.CrashAt = ''
            $machine.KillMiddle = $false
            return $code
        }
    }

    It 'of seed <Seed>' -ForEach $seeds {
        $random = [Random]::new($Seed)
        $bench = New-Bench @(19045, 26100)[$random.Next(2)]
        Set-Chance $bench $random
        $machine = $bench.Machine
        $journal = Join-Path $machine.Facts.ProgramData 'Test-Driver-my_filter.journal'
        $codes = @(Start-Chance $bench $random @{ Seconds = '1' })
        foreach ($attempt in 1..6) {
            if ($machine.Crashed -or $codes[-1] -eq 3010 -or $random.Next(4) -eq 0) {
                Restart-Machine $machine
            }
            if (-not $machine.Files.ContainsKey($journal)) {
                break
            }
            $codes += Start-Chance $bench $random $(if ($random.Next(5) -eq 0) { @{ Cleanup = $true } } else { @{ Resume = $true } })
        }
        $said = "codes $($codes -join ' ')`n$($machine.Console -join "`n")"
        # The last code that is 0 was -Cleanup's, or all was verified.
        if ($codes[-1] -eq 0 -and $machine.Files.ContainsKey((Join-Path $bench.Report 'summary.json')) -and (Get-Summary $bench).exitCode -eq 0) {
            Assert-Verified $bench
        }
        # What is left is named, or there is a journal that knows it.
        $changed = (Get-After $bench) -ne $bench.Before
        if ($changed -and -not $machine.Files.ContainsKey($journal)) {
            $said | Should -BeLike '*NOT UNDONE*'
        }
        # When everything works again, -Cleanup undoes the rest.
        $machine.Override = $null
        if ($machine.Files.ContainsKey($journal)) {
            Invoke-WholeCleanup $bench | Should -Be 0 -Because "$said`n$($machine.Console -join "`n")"
        }
        Restart-Machine $machine
        Get-After $bench | Should -Be $bench.Before -Because $said
    }
}
