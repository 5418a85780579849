# Test-Driver.ps1 on a simulated Windows.

BeforeAll {
    . (Join-Path $PSScriptRoot 'Machine.ps1')

    . (Join-Path $PSScriptRoot 'Bench.ps1')
}

Describe 'A driver that behaves as expected' {
    It 'passes: <Policy>, service stop <ServiceStop>, attach by hand <ByHand>, Windows <Build>' -ForEach @(
        foreach ($build in 19045, 26100) {
            foreach ($byHand in $false, $true) {
                foreach ($pair in @('always', $true), @('always', $false), @('refuse-non-mandatory', $true), @('refuse-non-mandatory', $false), @('never', $false)) {
                    @{ Build = $build; ByHand = $byHand; Policy = $pair[0]; ServiceStop = $pair[1] }
                }
            }
        }
    ) {
        $bench = New-Bench $Build
        Set-Policy $bench.Machine $bench.Folder $Policy $ServiceStop $ByHand
        $codes = Invoke-Whole $bench
        $stays = $Policy -eq 'never' -or ($Policy -eq 'refuse-non-mandatory' -and -not $ServiceStop)
        $expected = if ($stays) { @(3010, 3010, 0) } else { @(3010, 0) }
        $codes | Should -Be $expected -Because ($bench.Machine.Console -join "`n")
        Get-After $bench | Should -Be $bench.Before
        Assert-Verified $bench
        (Get-Summary $bench).findings | Should -BeNullOrEmpty
    }

    It 'passes where Windows speaks <_>' -ForEach 'en', 'de', 'zh' {
        $bench = New-Bench 26100 $_
        Invoke-Whole $bench | Should -Be 3010, 0
        Assert-Verified $bench
        (Get-Summary $bench).notes | Should -Contain 'Driver Verifier made 2 allocations fail.'
    }

    It 'says what was not tested: a start type other than demand, and Filter Verifier without a debugger' {
        $bench = New-Bench
        $bench.Machine.Driver.StartType = 0
        Invoke-Whole $bench | Should -Be 3010, 0
        $bench.Machine.Trace | Should -Contain 'sc config my_filter start= demand'
        $notes = (Get-Summary $bench).notes
        $notes | Should -Contain 'The start type boot of the INF was not tested: the test loads the driver on demand.'
        $notes | Should -Contain 'No kernel debugger was attached: messages of Filter Verifier were not seen.'
        $notes | Should -Contain 'With low resources simulation, this Windows does without: special pool, force IRQL checking, pool tracking, I/O verification, security checks, miscellaneous checks, DDI compliance checking.'
        Get-After $bench | Should -Be $bench.Before
    }

    It 'says that a kernel debugger was attached' {
        $bench = New-Bench
        $bench.Machine.KernelDebugger = [byte] 3
        Invoke-Whole $bench | Should -Be 3010, 0
        (Get-Summary $bench).notes | Should -Contain 'A kernel debugger was attached: it has the messages of Filter Verifier.'
    }

    It 'waits as long as -Seconds before each unload' {
        $bench = New-Bench
        Invoke-Script $bench.Machine $bench.Script @{ Seconds = '7' } | Should -Be 3010
        Restart-Machine $bench.Machine
        Invoke-Script $bench.Machine $bench.Script @{ Resume = $true } | Should -Be 0
        $bench.Machine.Unloads.Seconds | Should -Be 7, 7, 7, 7
    }

    It 'writes the report' {
        $bench = New-Bench
        $null = Invoke-Whole $bench
        $junit = [xml] $bench.Machine.Files[(Join-Path $bench.Report 'junit.xml')]
        $junit.testsuite.tests | Should -Be ((Get-Summary $bench).checks.Count)
        $junit.testsuite.failures | Should -Be 0
        foreach ($file in 'log.txt', 'events.txt', 'verifier.txt', 'setupapi.dev.log') {
            $bench.Machine.Files.Keys | Should -Contain (Join-Path $bench.Report $file)
        }
    }
}

Describe 'Refusals' {
    It 'refuses: <Name>' -ForEach @(
        @{ Name = 'an unknown argument'; Arguments = @{ Packages = 'x' }; Message = '-Packages: x is no argument of this script: *' }
        @{ Name = '-Resume with -Cleanup'; Arguments = @{ Resume = $true; Cleanup = $true }; Message = '-Resume and -Cleanup exclude each other: *' }
        @{ Name = '-Resume with -Package'; Arguments = @{ Resume = $true; Package = 'x' }; Message = '-Resume takes the package from the journal: leave out -Package x.' }
        @{ Name = '-Force alone'; Arguments = @{ Force = $true }; Message = '-Force belongs to -Cleanup.' }
        @{ Name = '-Seconds 0'; Arguments = @{ Seconds = '0' }; Message = '-Seconds 0 is refused: write a number from 1 to 3600.' }
        @{ Name = '-Seconds 3601'; Arguments = @{ Seconds = '3601' }; Message = '-Seconds 3601 is refused: *' }
        @{ Name = '-Seconds soon'; Arguments = @{ Seconds = 'soon' }; Message = '-Seconds soon is refused: *' }
        @{ Name = '-Resume without a test'; Arguments = @{ Resume = $true }; Message = 'There is no test to go on with: start without -Resume.' }
        @{ Name = 'no .psd1'; Prepare = { Remove-Item -LiteralPath (Join-Path $Bench.Folder 'Test-Driver.psd1') }; Message = '*Test-Driver.psd1 is missing: copy it *' }
        @{ Name = 'a .psd1 that is no data'; Prepare = { Set-Content -LiteralPath (Join-Path $Bench.Folder 'Test-Driver.psd1') '@{' }; Message = '*Test-Driver.psd1 cannot be read: *' }
        @{ Name = 'a .psd1 that is not complete'; Prepare = { Set-Content -LiteralPath (Join-Path $Bench.Folder 'Test-Driver.psd1') '@{ Driver = "my_filter" }' }; Message = '*Test-Driver.psd1 is not complete: *' }
        @{ Name = 'no administrator'; Prepare = { $Bench.Machine.Facts.Administrator = $false }; Message = 'Installing a driver requires an administrator: *' }
        @{ Name = 'a 32-bit PowerShell'; Prepare = { $Bench.Machine.Facts.Is64BitProcess = $false; $Bench.Machine.Facts.Processor = 'x86' }; Message = 'This PowerShell is for x86, and the machine is AMD64: *' }
        @{ Name = 'an x64 PowerShell on ARM64'; Prepare = { $Bench.Machine.NativeProcessor = 'ARM64' }; Message = 'This PowerShell is for AMD64, and the machine is ARM64: *' }
        @{ Name = 'a package without a catalog'; Prepare = { $Bench.Machine.Files.Remove((Join-Path $Bench.Folder 'driver/my_filter.cat')) }; Message = '*driver has no my_filter.cat: name the folder of the package with -Package.' }
        @{ Name = 'a package for another processor'; Prepare = { $Bench.Machine.Files[(Join-Path $Bench.Folder 'driver/my_filter.inf')] = '[DefaultInstall.NTarm64]' }; Message = 'The package is not for the processor of this machine: *' }
        @{ Name = 'a package for x64 on ARM64'; Prepare = { $Bench.Machine.NativeProcessor = 'ARM64'; $Bench.Machine.Facts.Processor = 'ARM64' }; Message = '*its INF has no section for NTarm64.' }
        @{ Name = 'no signature'; Prepare = { $Bench.Machine.Signature = 'NotSigned' }; Message = 'my_filter.sys has no valid signature (NotSigned): *' }
        @{ Name = 'no test signing'; Prepare = { $Bench.Machine.StartOptions = '' }; Message = 'The package is test-signed, which this Windows does not allow: *' }
        @{ Name = 'a service of this name'; Prepare = { $Bench.Machine.Services['my_filter'] = @{ Start = 3 } }; Message = 'The service my_filter is already there: *' }
        @{ Name = 'a package in the driver store'; Prepare = { $Bench.Machine.Packages['oem3.inf'] = 'my_filter.inf' }; Message = 'The driver store already has oem3.inf with my_filter.inf: *' }
        @{ Name = 'settings of Driver Verifier'; Prepare = { $Bench.Machine.VerifiedDrivers = @('other.sys') }; Message = 'Driver Verifier already verifies other.sys, *' }
        @{ Name = 'a verified driver without settings'; Prepare = { $Bench.Machine.ActiveDrivers['other.sys'] = @{ Loads = 1; Unloads = 0 } }; Message = 'Driver Verifier already verifies other.sys, *' }
        @{ Name = 'a report that cannot be written'; Prepare = { $Bench.Machine.Override = { param($Call, $With, $Do) if ($Call -eq 'Add-Line' -and $With -like '*log.txt') { throw 'denied' }; & $Do } }; Message = 'The report cannot be written to *report: denied Name another folder with -Report.' }
    ) {
        $bench = New-Bench
        if ($_.Prepare) {
            & $_.Prepare
        }
        $before = Get-After $bench
        $arguments = if ($_.Arguments) { $_.Arguments } else { @{} }
        Invoke-Script $bench.Machine $bench.Script $arguments | Should -Be 2
        $bench.Machine.Console[-1] | Should -BeLike "error: $Message"
        Get-After $bench | Should -Be $before
    }

    It 'refuses <_> while another process tests the driver' -ForEach @{}, @{ Resume = $true }, @{ Cleanup = $true } {
        $bench = New-Bench
        $bench.Machine.Override = { param($Call, $With, $Do) if ($Call -ne 'Enter-Lock') { & $Do } }
        Invoke-Script $bench.Machine $bench.Script $_ | Should -Be 2
        $bench.Machine.Console[-1] | Should -Be 'error: Another Test-Driver.ps1 for my_filter is running: wait until it has ended.'
        Get-After $bench | Should -Be $bench.Before
    }

    It 'refuses a second start after an interrupted one, and changes nothing' {
        $bench = New-Bench
        Invoke-Script $bench.Machine $bench.Script | Should -Be 3010
        $before = Get-After $bench
        Invoke-Script $bench.Machine $bench.Script | Should -Be 2
        $bench.Machine.Console[-1] | Should -BeLike 'error: An earlier test has not ended: run this script with -Resume or -Cleanup. *'
        Get-After $bench | Should -Be $before
    }
}

Describe '-DryRun' {
    It 'says each step and changes nothing: <_.Policy>' -ForEach @{ Policy = 'always'; Says = 'sc stop: unloads' }, @{ Policy = 'refuse-non-mandatory'; Says = 'fltmc unload: fails with 0x801F0010' }, @{ Policy = 'never'; Says = 'fltmc unload: fails with any error' } {
        $bench = New-Bench
        Set-Policy $bench.Machine $bench.Folder $_.Policy $true $false
        Invoke-Script $bench.Machine $bench.Script @{ DryRun = $true } | Should -Be 0
        $said = $bench.Machine.Console -join "`n"
        $said | Should -BeLike "*file traffic for 30 seconds, then $($_.Says)*"
        $said | Should -BeLike 'Set the standard settings of Driver Verifier*Nothing was changed.'
        $bench.Machine.Trace | Select-Object -Unique | Should -Be 'Write-Console'
        Get-After $bench | Should -Be $bench.Before
    }

    It 'says that there is no journal' {
        $bench = New-Bench
        Invoke-Script $bench.Machine $bench.Script @{ DryRun = $true; Resume = $true } | Should -Be 0
        $bench.Machine.Console | Should -Be 'There is no test to go on with.'
        Invoke-Script $bench.Machine $bench.Script @{ DryRun = $true; Cleanup = $true } | Should -Be 0
        $bench.Machine.Console | Should -BeLike 'There is no journal: -Cleanup would list *'
        Get-After $bench | Should -Be $bench.Before
    }

    It 'says what -Resume and -Cleanup would do after <_.After>' -ForEach @(
        @{ After = 'the first restart'; Steps = 5; Line = '' }
        @{ After = 'an interruption'; Steps = 0; Line = '{"Kind":"ste' }
    ) {
        $bench = New-Bench
        Invoke-Script $bench.Machine $bench.Script | Should -Be 3010
        $journal = '/programdata/Test-Driver-my_filter.journal'
        if ($_.Line) {
            $step = $bench.Machine.Files[$journal].Split("`n") | Where-Object { $_ -match '"step"' } | Select-Object -First 1
            $bench.Machine.Files[$journal] += "$step`n$($_.Line)"
        }
        $before = Get-After $bench
        foreach ($mode in 'Resume', 'Cleanup') {
            Invoke-Script $bench.Machine $bench.Script @{ DryRun = $true; $mode = $true } | Should -Be 0
            $said = @($bench.Machine.Console)
            $steps = if ($mode -eq 'Resume') { $_.Steps } else { 0 }
            @($said | Where-Object { $_ -match '^(Trust|Install|Test with|Make)' }).Count | Should -Be $steps
            $said | Should -Contain '  Verifier {"Driver":"my_filter.sys"}'
            $said[-1] | Should -Be 'Nothing was changed.'
            Get-After $bench | Should -Be $before
        }
    }
}
