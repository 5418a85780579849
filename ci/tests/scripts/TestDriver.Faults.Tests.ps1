# Test-Driver.ps1 where Windows, its tools, the driver or the user do not do what the test needs.

BeforeAll {
    . (Join-Path $PSScriptRoot 'Machine.ps1')
    . (Join-Path $PSScriptRoot 'Bench.ps1')
}

Describe 'A driver that does not behave as expected' {
    It 'is a finding: <Name>' -ForEach @(
        @{ Name = 'fltmc unload is refused'; Prepare = { $Machine.Driver.FilterUnload = @{ Unloads = $false; ExitCode = 1; Output = '0x801F0010'; Hangs = $false } }; Finding = 'fltmc unload succeeds'; Text = 'it answered 0x801F0010' }
        @{ Name = 'fltmc unload succeeds and does not unload'; Prepare = { $Machine.Driver.FilterUnload.Hangs = $true }; Finding = 'fltmc unload unloads the driver'; Text = 'the driver is still loaded after ten seconds' }
        @{ Name = 'sc stop is refused'; Prepare = { $Machine.Driver.ServiceStop = @{ Unloads = $false; ExitCode = 1052; Output = ''; Hangs = $false } }; Finding = 'sc stop succeeds'; Text = 'it answered 1052' }
        @{ Name = 'fltmc unload succeeds where it is to fail'; Expected = @{ FilterUnload = @($false, '0x801F0010') }; Finding = 'fltmc unload fails'; Text = 'it answered 0 where 0x801F0010 was expected' }
        @{ Name = 'fltmc unload fails with another code'; Expected = @{ FilterUnload = @($false, '0x801F0010') }; Prepare = { $Machine.Driver.FilterUnload = @{ Unloads = $false; ExitCode = 1; Output = '0x801F0011'; Hangs = $false } }; Finding = 'fltmc unload fails'; Text = 'it answered 0x801F0011 where 0x801F0010 was expected' }
        @{ Name = 'sc stop unloads where it is to fail'; Expected = @{ ServiceStop = @($false, '1052') }; Finding = 'sc stop leaves the driver loaded'; Text = 'the driver is unloaded' }
        @{ Name = 'the driver does not load'; Prepare = { $Machine.Driver.NeverLoads = $true }; Finding = 'the driver is loaded'; Text = 'fltmc load my_filter did not load it: 0xc0000001' }
        @{ Name = 'it never loads under low resources'; Prepare = { $Machine.Driver.FailedLoads = 1000 }; Finding = 'the driver is loaded'; Text = 'fltmc load my_filter did not load it in 20 attempts, of which low resources simulation makes only some fail: 0x8007000e' }
        @{ Name = 'it attaches by itself where it is to attach on request'; Expected = @{ AttachByHand = $true }; Prepare = { $Machine.Driver.AttachByHand = $true; $Machine.Driver.AttachesAnyway = $true }; Finding = 'the filter attaches only on request'; Text = 'it is attached to C: without fltmc attach' }
        @{ Name = 'it does not attach'; Prepare = { $Machine.Driver.AttachByHand = $true }; Finding = 'the filter is attached to C:'; Text = 'fltmc instances -f my_filter does not list the volume' }
        @{ Name = 'it is not registered'; Prepare = { $Machine.Override = { param($Call, $With, $Do) if ("$Call $With" -eq 'fltmc filters') { New-Answer 0 'none' } else { & $Do } } }; Finding = 'the filter is registered'; Text = 'fltmc filters does not name my_filter' }
        @{ Name = 'fltmc filters does not answer'; Prepare = { $Machine.Override = { param($Call, $With, $Do) if ("$Call $With" -eq 'fltmc filters') { New-Silence } else { & $Do } } }; Finding = 'the filter is registered'; Text = 'fltmc filters did not answer within 120 seconds' }
        @{ Name = 'fltmc instances does not answer'; Prepare = { $Machine.Override = { param($Call, $With, $Do) if ("$Call $With" -like 'fltmc instances*') { New-Silence } else { & $Do } } }; Finding = 'the filter is attached to C:'; Text = 'fltmc instances -f my_filter did not answer within 120 seconds' }
        @{ Name = 'fltmc instances does not answer under low resources'; Prepare = { $Machine.Override = { param($Call, $With, $Do) if ("$Call $With" -like 'fltmc instances*' -and $Machine.ActiveFlags -band 4) { New-Silence } else { & $Do } } }; Finding = 'the filter is attached to C:'; Text = 'fltmc instances -f my_filter did not answer within 120 seconds' }
        @{ Name = 'fltmc instances does not answer before fltmc attach'; Expected = @{ AttachByHand = $true }; Prepare = { $Machine.Driver.AttachByHand = $true; $Machine.Override = { param($Call, $With, $Do) if ("$Call $With" -like 'fltmc instances*' -and -not $Machine.Attached.Count) { New-Silence } else { & $Do } } }; Finding = 'the filter attaches only on request'; Text = 'fltmc instances -f my_filter did not answer within 120 seconds' }
        @{ Name = 'fltmc attach does not answer'; Expected = @{ AttachByHand = $true }; Prepare = { $Machine.Driver.AttachByHand = $true; $Machine.Override = { param($Call, $With, $Do) if ("$Call $With" -like 'fltmc attach*') { New-Silence } else { & $Do } } }; Finding = 'the filter is attached to C:'; Text = 'fltmc attach my_filter C: did not answer within 120 seconds' }
        @{ Name = 'fltmc load does not answer'; Prepare = { $Machine.Override = { param($Call, $With, $Do) if ("$Call $With" -like 'fltmc load*') { New-Silence } else { & $Do } } }; Finding = 'the driver is loaded'; Text = 'fltmc load my_filter did not answer within 120 seconds' }
        @{ Name = 'fltmc unload does not answer'; Prepare = { $Machine.Override = { param($Call, $With, $Do) if ("$Call $With" -like 'fltmc unload*') { $null = & $Do; New-Silence } else { & $Do } } }; Finding = 'fltmc unload succeeds'; Text = 'fltmc unload my_filter did not answer within 120 seconds' }
        @{ Name = 'sc stop does not answer'; Prepare = { $Machine.Override = { param($Call, $With, $Do) if ("$Call $With" -like 'sc stop*') { $null = & $Do; New-Silence } else { & $Do } } }; Finding = 'sc stop succeeds'; Text = 'sc stop my_filter did not answer within 120 seconds' }
        @{ Name = 'an operation on a file fails'; Prepare = { $Machine.Driver.TrafficError = $true }; Finding = 'file operation: map a file'; Text = 'error 5' }
        @{ Name = 'an operation on a file hangs'; Prepare = { $Machine.Driver.TrafficHangs = $true }; Finding = 'the file traffic ends'; Text = 'an operation on a file does not return' }
    ) {
        $bench = New-Bench
        $machine = $bench.Machine
        if ($_.Expected) {
            Set-Expected $bench.Folder $_.Expected
        }
        if ($_.Prepare) {
            & $_.Prepare
        }
        $codes = Invoke-Whole $bench
        $codes[-1] | Should -Be 1 -Because ($machine.Console -join "`n")
        # One cause is one finding, with the places where it was seen.
        $found = @((Get-Summary $bench).findings | Where-Object { $_.Name -eq $Finding -and $_.Text -eq $Text })
        $found.Count | Should -Be 1 -Because (ConvertTo-Json (Get-Summary $bench).findings)
        $found[0].Places.Count | Should -BeGreaterThan 0
        $machine.Override = $null
        Get-After $bench | Should -Be $bench.Before
    }

    It 'is a finding where an unload that is to fail does not answer' {
        $bench = New-Bench
        Set-Policy $bench.Machine $bench.Folder 'never' $false $false
        $bench.Machine.Override = { param($Call, $With, $Do) if ("$Call $With" -eq 'fltmc unload my_filter') { New-Silence } else { & $Do } }
        (Invoke-Whole $bench)[-1] | Should -Be 1
        @((Get-Summary $bench).findings | ForEach-Object { "$($_.Name): $($_.Text)" }) | Should -Be 'fltmc unload fails: fltmc unload my_filter did not answer within 120 seconds'
        $bench.Machine.Override = $null
        Get-After $bench | Should -Be $bench.Before
    }

    It 'is not loaded again where fltmc load does not answer under low resources' {
        $bench = New-Bench
        $bench.Machine.Override = { param($Call, $With, $Do) if ("$Call $With" -like 'fltmc load*' -and $Machine.ActiveFlags -band 4) { New-Silence } else { & $Do } }
        (Invoke-Whole $bench)[-1] | Should -Be 1
        $found = @((Get-Summary $bench).findings)
        $found.Text | Should -Be 'fltmc load my_filter did not answer within 120 seconds'
        $found.Places | Should -Be 'Low resources: load the driver (attempt 1 of at most 20)'
        $bench.Machine.Override = $null
        Get-After $bench | Should -Be $bench.Before
    }

    It 'is a finding once, with both rounds' {
        $bench = New-Bench
        $bench.Machine.Driver.ServiceStop = @{ Unloads = $false; ExitCode = 1052; Output = ''; Hangs = $false }
        (Invoke-Whole $bench)[-1] | Should -Be 1
        $found = @((Get-Summary $bench).findings | Where-Object { $_.Name -eq 'sc stop succeeds' })
        $found.Count | Should -Be 1
        $found[0].Places | Should -Be 'Standard settings: sc stop: expected that it unloads', 'Low resources: sc stop: expected that it unloads'
    }
}

Describe 'What cannot be checked' {
    It 'is said, with exit code 2: <Name>' -ForEach @(
        @{ Name = 'Driver Verifier does not list the driver'; Override = { param($Call, $With, $Do) if ("$Call $With" -eq 'verifier /query') { New-Answer 0 'Verifier Flags: 0x000209bb' } else { & $Do } }; Check = 'Driver Verifier verifies the driver'; Text = 'verifier /query does not list my_filter.sys as loaded' }
        @{ Name = 'Driver Verifier has other settings'; Override = { param($Call, $With, $Do) $answer = & $Do; if ("$Call $With" -eq 'verifier /query') { $answer.Output = $answer.Output -replace '0x000209bb', '0x000209aa' }; $answer }; Check = 'Driver Verifier verifies the driver'; Text = 'without special pool, I/O verification' }
        @{ Name = 'low resources simulation is not on'; Override = { param($Call, $With, $Do) $answer = & $Do; if ("$Call $With" -eq 'verifier /query') { $answer.Output = $answer.Output -replace '0x000000a4', '0x000000a0' }; $answer }; Check = 'Driver Verifier verifies the driver'; Text = 'without low resources simulation' }
        @{ Name = 'Driver Verifier lists no counters'; Override = { param($Call, $With, $Do) $answer = & $Do; if ("$Call $With" -eq 'verifier /query') { $answer.Output = $answer.Output -replace '(?m):\s+\d+\s*$', ':' }; $answer }; Check = 'the number of failed allocations'; Text = 'verifier /query lists no counters' }
        @{ Name = 'Driver Verifier does not answer'; Override = { param($Call, $With, $Do) if ("$Call $With" -eq 'verifier /query' -and $Machine.Loaded.Count) { [pscustomobject]@{ ExitCode = $null; Output = ''; TimedOut = $true } } else { & $Do } }; Check = 'Driver Verifier verifies the driver'; Text = 'verifier /query did not answer within 120 seconds' }
        @{ Name = 'fltmc filters fails'; Override = { param($Call, $With, $Do) if ("$Call $With" -eq 'fltmc filters') { New-Answer 5 'denied' } else { & $Do } }; Check = 'the filter is registered'; Text = 'fltmc filters failed with 5: denied' }
        @{ Name = 'fltmc instances fails'; Override = { param($Call, $With, $Do) if ("$Call $With" -like 'fltmc instances*') { New-Answer 1 '0x80070005' } else { & $Do } }; Check = 'the filter is attached to C:'; Text = 'fltmc instances -f my_filter failed with 1: 0x80070005' }
        @{ Name = 'fltmc instances fails under low resources'; Override = { param($Call, $With, $Do) if ("$Call $With" -like 'fltmc instances*' -and $Machine.ActiveFlags -band 4) { New-Answer 1 '0x80070008' } else { & $Do } }; Check = 'the filter is attached to C:'; Text = 'fltmc instances -f my_filter failed with 1: 0x80070008' }
        @{ Name = 'the traffic dies'; Prepare = { $Machine.Driver.TrafficDies = $true }; Check = 'file traffic before the unload'; Text = 'it performed all operations 0 times in 1 seconds; the process is Failed' }
        @{ Name = 'Driver Verifier does not take the driver'; Override = { param($Call, $With, $Do) if ("$Call $With" -like 'verifier /standard*') { New-Answer 0 } else { & $Do } }; Check = 'the test'; Text = 'it did not go on: Driver Verifier did not take my_filter.sys.' }
        @{ Name = 'verifier fails'; Override = { param($Call, $With, $Do) if ("$Call $With" -like 'verifier /standard*') { New-Answer 1 'Fehler' } else { & $Do } }; Check = 'the test'; Text = 'it did not go on: verifier /standard /driver my_filter.sys failed with 1: Fehler' }
        @{ Name = 'low resources simulation is refused'; Override = { param($Call, $With, $Do) if ("$Call $With" -like 'verifier /volatile*') { New-Answer 1 'no' } else { & $Do } }; Check = 'the test'; Text = 'it did not go on: verifier /volatile /faults 1000 "" "" 0 failed with 1: no' }
        @{ Name = 'pnputil fails'; Override = { param($Call, $With, $Do) if ("$Call $With" -like 'pnputil /add-driver*') { New-Answer 13 'no' } else { & $Do } }; Check = 'the test'; Text = 'it did not go on: pnputil /add-driver * failed with 13: no' }
        @{ Name = 'pnputil fails after it has added the package'; Override = { param($Call, $With, $Do) if ("$Call $With" -like 'pnputil /add-driver*') { $null = & $Do; New-Answer 13 'no' } else { & $Do } }; Check = 'the test'; Text = 'it did not go on: pnputil /add-driver * failed with 13: no' }
        @{ Name = 'pnputil creates no service'; Override = { param($Call, $With, $Do) $answer = & $Do; if ("$Call $With" -like 'pnputil /add-driver*') { $Machine.Services.Clear() }; $answer }; Check = 'the test'; Text = 'it did not go on: pnputil did not create the service my_filter: see setupapi.dev.log' }
        @{ Name = 'the start type does not change'; Prepare = { $Machine.Driver.StartType = 1 }; Override = { param($Call, $With, $Do) if ("$Call $With" -like 'sc config*') { New-Answer 0 } else { & $Do } }; Check = 'the test'; Text = 'it did not go on: the start type of my_filter is not demand after it was set' }
        @{ Name = 'a certificate is not added'; Override = { param($Call, $With, $Do) if ($Call -ne 'Add-Certificate') { & $Do } }; Check = 'the test'; Text = 'it did not go on: the certificate *Test.cer is not in the store Root after it was added' }
        @{ Name = 'the registry key is not created'; Override = { param($Call, $With, $Do) if ($Call -ne 'New-VolatileKey') { & $Do } }; Check = 'the test'; Text = 'it did not go on: the registry key HKLM\SOFTWARE\Test-Driver-my_filter is not there after it was created' }
    ) {
        $bench = New-Bench
        $machine = $bench.Machine
        if ($_.Prepare) {
            & $_.Prepare
        }
        $machine.Override = $_.Override
        $codes = Invoke-Whole $bench
        $codes[-1] | Should -Be 2 -Because ($machine.Console -join "`n")
        $causes = @((Get-Summary $bench).unchecked | Where-Object { $_.Name -eq $Check -and $_.Text -like $Text })
        $causes.Count | Should -Be 1 -Because (ConvertTo-Json (Get-Summary $bench).unchecked)
        $machine.Override = $null
        Get-After $bench | Should -Be $bench.Before
    }

    It 'is not a filter without instances, which fltmc answers with an error' {
        $bench = New-Bench
        Set-Expected $bench.Folder @{ AttachByHand = $true }
        $bench.Machine.Driver.AttachByHand = $true
        $bench.Machine.Override = { param($Call, $With, $Do) if ("$Call $With" -like 'fltmc instances*' -and -not $Machine.Attached.Count) { New-Answer 1 '0x80070103' } else { & $Do } }
        Invoke-Whole $bench | Should -Be 3010, 0
    }

    It 'is said where Driver Verifier has lost its settings with the restart' {
        $bench = New-Bench
        Invoke-Script $bench.Machine $bench.Script | Should -Be 3010
        $bench.Machine.VerifiedDrivers = @()
        Restart-Machine $bench.Machine
        Invoke-Script $bench.Machine $bench.Script @{ Resume = $true } | Should -Be 2
        (Get-Summary $bench).unchecked.Text | Should -Be 'it did not go on: Driver Verifier has lost its settings for my_filter.sys with the restart'
        Get-After $bench | Should -Be $bench.Before
    }
}

Describe 'Restarts, crashes and interruptions' {
    It 'asks again where Windows was not restarted' {
        $bench = New-Bench
        Invoke-Script $bench.Machine $bench.Script | Should -Be 3010
        $before = Get-After $bench
        Invoke-Script $bench.Machine $bench.Script @{ Resume = $true } | Should -Be 3010
        $bench.Machine.Console[-1] | Should -BeLike 'Windows has not been restarted since the script asked for it. Restart it, then run: powershell *-File "*Test-Driver.ps1" -Resume'
        Get-After $bench | Should -Be $before
    }

    It 'reports a crash at <Event> number <After>, Windows <Build>, and undoes the changes' -ForEach @(
        foreach ($build in 19045, 26100) {
            foreach ($event in 'load', 'unload', 'traffic') {
                foreach ($after in 0, 2) {
                    @{ Build = $build; Event = $event; After = $after }
                }
            }
        }
    ) {
        $bench = New-Bench $Build
        $bench.Machine.Driver.StartType = 0
        Invoke-Script $bench.Machine $bench.Script @{ Seconds = '2' } | Should -Be 3010
        Restart-Machine $bench.Machine
        $bench.Machine.CrashAt = $Event
        $bench.Machine.CrashAfter = $After
        Invoke-Script $bench.Machine $bench.Script @{ Resume = $true } | Should -BeNullOrEmpty
        Restart-Machine $bench.Machine
        # The start type is demand: Windows does not load the driver, which could crash it again.
        $bench.Machine.Loaded | Should -BeNullOrEmpty
        Invoke-Script $bench.Machine $bench.Script @{ Resume = $true } | Should -Be 1 -Because ($bench.Machine.Console -join "`n")
        $finding = (Get-Summary $bench).findings
        $finding.Name | Should -BeLike 'Windows crashed at 2026-11-26 *'
        $finding.Text | Should -BeLike 'bugcheck 0xC4; *'
        $finding.Places | Should -BeLike $(if ($Event -eq 'traffic') { '*: file traffic for 2 seconds' } elseif ($Event -eq 'load') { '*: load the driver*' } else { '*: *: expected that it unloads' })
        $bench.Machine.Files.Keys | Should -Contain (Join-Path $bench.Report '112626-01.dmp')
        Get-After $bench | Should -Be $bench.Before
    }

    It 'reports a crash before the first round' {
        $bench = New-Bench
        Invoke-Script $bench.Machine $bench.Script | Should -Be 3010
        $bench.Machine.Crashed = 0x50
        Restart-Machine $bench.Machine
        Invoke-Script $bench.Machine $bench.Script @{ Resume = $true } | Should -Be 1
        (Get-Summary $bench).findings.Text | Should -BeLike 'bugcheck 0x50; *'
        Get-After $bench | Should -Be $bench.Before
    }

    It 'does not report an entry 41 without a bugcheck as a crash' {
        $bench = New-Bench
        Invoke-Script $bench.Machine $bench.Script | Should -Be 3010
        Restart-Machine $bench.Machine
        $bench.Machine.Events.Add([pscustomobject]@{ Time = $bench.Machine.Now; Provider = 'Microsoft-Windows-Kernel-Power'; Id = 41; Values = @([uint32] 0); Message = '' })
        Invoke-Script $bench.Machine $bench.Script @{ Resume = $true } | Should -Be 0
    }

    It 'reports an interruption, without and with a restart' -ForEach @{ Restart = $false; How = 'the script was interrupted during this step' }, @{ Restart = $true; How = 'Windows was restarted during this step' } {
        $bench = New-Bench
        Invoke-Script $bench.Machine $bench.Script @{ Seconds = '2' } | Should -Be 3010
        Restart-Machine $bench.Machine
        $bench.Machine.Override = { param($Call, $With, $Do) if ($Call -eq 'Receive-Work') { $Machine.Dead = $true }; & $Do }
        Invoke-Script $bench.Machine $bench.Script @{ Resume = $true } | Should -BeNullOrEmpty
        $bench.Machine.Override = $null
        if ($Restart) {
            Restart-Machine $bench.Machine
        }
        Invoke-Script $bench.Machine $bench.Script @{ Resume = $true } | Should -Be 2
        (Get-Summary $bench).unchecked.Text | Should -Be $How
        (Get-Summary $bench).unchecked.Places | Should -Be 'Standard settings: file traffic for 2 seconds'
        Get-After $bench | Should -Be $bench.Before
    }

    It 'undoes the changes where the event log cannot be read' {
        $bench = New-Bench
        Invoke-Script $bench.Machine $bench.Script @{ Seconds = '1' } | Should -Be 3010
        Restart-Machine $bench.Machine
        $bench.Machine.Override = { param($Call, $With, $Do) if ($Call -eq 'Get-SystemEvent') { throw 'denied' } else { & $Do } }
        Invoke-Script $bench.Machine $bench.Script @{ Resume = $true } | Should -Be 2
        (Get-Summary $bench).unchecked.Name | Should -Be 'whether Windows crashed'
        $bench.Machine.Override = $null
        Get-After $bench | Should -Be $bench.Before
    }

    It 'says that pnputil asked for a restart' {
        $bench = New-Bench
        $bench.Machine.Driver.InstallCode = 3010
        Invoke-Whole $bench | Should -Be 3010, 0
        (Get-Summary $bench).notes | Should -Contain 'pnputil asked for a restart after the installation. The test went on without it.'
    }

    It 'undoes the changes after Ctrl+C' {
        $bench = New-Bench
        Invoke-Script $bench.Machine $bench.Script @{ Seconds = '2' } | Should -Be 3010
        Restart-Machine $bench.Machine
        $bench.Machine.Override = { param($Call, $With, $Do) if ($Call -eq 'Receive-Work' -and -not $Machine.Stopping) { $Machine.Stopping = $true; Start-Sleep -Seconds 60 }; & $Do }
        $bench.Machine.Stopping = $false
        Stop-Script $bench.Machine $bench.Script @{ Resume = $true }
        $bench.Machine.Console | Should -Contain 'NOT CHECKED: the test: it was interrupted'
        Get-After $bench | Should -Be $bench.Before
    }

    It 'goes on with the results of the earlier process' {
        $bench = New-Bench
        Set-Policy $bench.Machine $bench.Folder 'never' $false $false
        $bench.Machine.Driver.ServiceStop.ExitCode = 1053
        Invoke-Whole $bench | Should -Be 3010, 3010, 1
        (Get-Summary $bench).findings.Name | Should -Be 'sc stop fails'
        Get-After $bench | Should -Be $bench.Before
    }

    It 'goes on with a result that could not be written at once' {
        $bench = New-Bench
        Set-Policy $bench.Machine $bench.Folder 'never' $false $false
        $bench.Machine.Driver.ServiceStop.ExitCode = 1053
        $bench.Machine.Override = { param($Call, $With, $Do) if ($Call -eq 'Add-Line' -and $Text -like '{*"check"*' -and $Text -notlike "*`n*") { throw 'disk full' } else { & $Do } }
        Invoke-Whole $bench | Should -Be 3010, 3010, 1
        (Get-Summary $bench).findings.Name | Should -Be 'sc stop fails'
        $bench.Machine.Override = $null
        Get-After $bench | Should -Be $bench.Before
    }

    It 'reports a finding at once where the journal cannot be written before a restart' {
        $bench = New-Bench
        Set-Policy $bench.Machine $bench.Folder 'never' $false $false
        $bench.Machine.Driver.ServiceStop.ExitCode = 1053
        Invoke-Script $bench.Machine $bench.Script @{ Seconds = '1' } | Should -Be 3010
        Restart-Machine $bench.Machine
        $bench.Machine.Override = { param($Call, $With, $Do) if ($Call -eq 'Add-Line' -and $Text -like '*"finding"*') { throw 'disk full' } else { & $Do } }
        Invoke-Script $bench.Machine $bench.Script @{ Resume = $true } | Should -Be 1
        (Get-Summary $bench).findings.Name | Should -Be 'sc stop fails'
        (Get-Summary $bench).notUndone | Should -BeLike 'the driver, which only a restart unloads; -Resume cannot go on, because the journal cannot be written: disk full'
        Restart-Machine $bench.Machine
        $bench.Machine.Override = $null
        Invoke-Script $bench.Machine $bench.Script @{ Resume = $true } | Should -Be 2
        Invoke-WholeCleanup $bench | Should -Be 0
        Get-After $bench | Should -Be $bench.Before
    }
}
