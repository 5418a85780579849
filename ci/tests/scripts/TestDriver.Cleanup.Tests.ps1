# -Cleanup, what changes no result, paths, and callers of Test-Driver.ps1.

BeforeAll {
    . (Join-Path $PSScriptRoot 'Machine.ps1')
    . (Join-Path $PSScriptRoot 'Bench.ps1')

    # A machine with what a test leaves, and no journal.
    function New-Remains {
        $bench = New-Bench
        $machine = $bench.Machine
        $machine.Services['my_filter'] = @{ Start = 3 }
        $machine.Packages['oem7.inf'] = 'my_filter.inf'
        $machine.Packages['oem8.inf'] = 'other.inf'
        $null = $machine.Certificates.Add('Root\ABCDEF')
        $null = $machine.Certificates.Add('Root\123456')
        $machine.VerifiedDrivers = @('my_filter.sys')
        $null = $machine.VolatileKeys.Add('SOFTWARE\Test-Driver-my_filter')
        $null = $machine.Loaded.Add('my_filter')
        $machine.TrafficFolder = "C:\Test-Driver-my_filter-$([Guid]::NewGuid())"
        $machine.OtherFolders = @(
            "C:\Test-Driver-other-$([Guid]::NewGuid())", "C:\Test-Driver-my_filter-x-$([Guid]::NewGuid())"
            "C:\Test-Driver-my_filter-$([Guid]::NewGuid()) copy", 'C:\Test-Driver-my_filter-notes', "C:\other\Test-Driver-my_filter-$([Guid]::NewGuid())"
        )
        foreach ($folder in @($machine.TrafficFolder) + $machine.OtherFolders) {
            $null = $machine.Folders.Add($folder)
        }
        return $bench
    }
}

Describe '-Cleanup' {
    It 'undoes what an interrupted run has left' {
        $bench = New-Bench
        Invoke-Script $bench.Machine $bench.Script | Should -Be 3010
        Invoke-Script $bench.Machine $bench.Script @{ Cleanup = $true } | Should -Be 0
        $bench.Machine.Console[-1] | Should -Be 'The changes are undone.'
        Get-After $bench | Should -Be $bench.Before
    }

    It 'finds nothing where there is nothing' {
        $bench = New-Bench
        Invoke-Script $bench.Machine $bench.Script @{ Cleanup = $true } | Should -Be 0
        $bench.Machine.Console[-1] | Should -Be 'There is no journal, and nothing that a test of my_filter would have left.'
    }

    It 'lists what a test would have left, without a journal, and removes it with -Force' {
        $bench = New-Remains
        $before = Get-After $bench
        Invoke-Script $bench.Machine $bench.Script @{ Cleanup = $true } | Should -Be 2
        $bench.Machine.Console | Should -Contain '  the service my_filter, and 1 packages: oem7.inf'
        $bench.Machine.Console | Should -Contain '  the certificate ABCDEF in the store Root'
        $bench.Machine.Console | Should -Contain '  the settings of Driver Verifier for my_filter.sys'
        $bench.Machine.Console | Should -Contain '  the loaded driver'
        @($bench.Machine.Console -like '*the folder of the file traffic*') | Should -Be "  the folder of the file traffic, $($bench.Machine.TrafficFolder)"
        Get-After $bench | Should -Be $before
        Invoke-Script $bench.Machine $bench.Script @{ Cleanup = $true; Force = $true } | Should -Be 0 -Because ($bench.Machine.Console -join "`n")
        $bench.Machine.Packages.Keys | Should -Be 'oem8.inf'
        $bench.Machine.Services.Count | Should -Be 0
        $bench.Machine.Certificates | Should -Be 'Root\123456'
        $bench.Machine.VerifiedDrivers | Should -BeNullOrEmpty
        $bench.Machine.VolatileKeys | Should -BeNullOrEmpty
        $bench.Machine.Loaded | Should -BeNullOrEmpty
        $bench.Machine.Folders | Sort-Object | Should -Be ($bench.Machine.OtherFolders | Sort-Object)
    }

    It 'finds the folder of a killed file traffic without a journal' {
        $bench = New-Bench
        Invoke-Script $bench.Machine $bench.Script @{ Seconds = '1' } | Should -Be 3010
        Restart-Machine $bench.Machine
        $bench.Machine.Override = { param($Call, $With, $Do) if ($Call -eq 'Receive-Work') { $Machine.Dead = $true }; & $Do }
        $null = Invoke-Script $bench.Machine $bench.Script @{ Resume = $true }
        $bench.Machine.Override = $null
        $bench.Machine.Files.Remove('/programdata/Test-Driver-my_filter.journal')
        $folder = $bench.Machine.Folders | Where-Object { $_ -like 'C:*' }
        Invoke-Script $bench.Machine $bench.Script @{ Cleanup = $true } | Should -Be 2
        $bench.Machine.Console | Should -Contain "  the folder of the file traffic, $folder"
        Invoke-Script $bench.Machine $bench.Script @{ Cleanup = $true; Force = $true } | Should -Be 0
        $bench.Machine.Folders | Should -Not -Contain $folder
    }

    It 'leaves the settings of Driver Verifier that also name another driver' {
        $bench = New-Remains
        $bench.Machine.VerifiedDrivers = @('my_filter.sys', 'other.sys')
        Invoke-Script $bench.Machine $bench.Script @{ Cleanup = $true; Force = $true } | Should -Be 2
        $bench.Machine.Console | Should -Contain 'NOT UNDONE: Driver Verifier: its settings also name other.sys, which verifier /reset would remove too'
        $bench.Machine.VerifiedDrivers | Should -Be 'my_filter.sys', 'other.sys'
        $bench.Machine.Packages.Keys | Should -Be 'oem8.inf'
    }

    It 'asks for a restart where only that unloads the driver' {
        $bench = New-Bench
        Set-Policy $bench.Machine $bench.Folder 'never' $false $false
        Invoke-Script $bench.Machine $bench.Script @{ Seconds = '1' } | Should -Be 3010
        Restart-Machine $bench.Machine
        Invoke-Script $bench.Machine $bench.Script @{ Resume = $true } | Should -Be 3010
        Invoke-Script $bench.Machine $bench.Script @{ Cleanup = $true } | Should -Be 2
        $bench.Machine.Console[-1] | Should -BeLike 'Only a restart of Windows unloads the driver. Restart it, then run: * -Cleanup'
        Restart-Machine $bench.Machine
        Invoke-Script $bench.Machine $bench.Script @{ Cleanup = $true } | Should -Be 0
        Get-After $bench | Should -Be $bench.Before
    }

    It 'says which line of a damaged journal cannot be read, and undoes the others; -Resume refuses it' {
        $bench = New-Bench
        Invoke-Script $bench.Machine $bench.Script | Should -Be 3010
        $journal = Join-Path $bench.Machine.Facts.ProgramData 'Test-Driver-my_filter.journal'
        $lines = $bench.Machine.Files[$journal].Split("`n")
        $lines[2] = $lines[2].Substring(1)
        $bench.Machine.Files[$journal] = $lines -join "`n"
        Invoke-Script $bench.Machine $bench.Script @{ Resume = $true } | Should -Be 2
        $bench.Machine.Console[-1] | Should -BeLike 'error: The journal *Test-Driver-my_filter.journal is damaged: line 3 cannot be read. Run this script with -Cleanup.'
        Invoke-Script $bench.Machine $bench.Script @{ Cleanup = $true } | Should -Be 2
        $bench.Machine.Console | Should -Contain "NOT UNDONE: line 3 of $journal cannot be read"
        Get-After $bench | Should -Be $bench.Before
        Invoke-Script $bench.Machine $bench.Script @{ Cleanup = $true } | Should -Be 0
    }

    It 'names a change of a kind that it does not know' {
        $bench = New-Bench
        Invoke-Script $bench.Machine $bench.Script | Should -Be 3010
        $journal = Join-Path $bench.Machine.Facts.ProgramData 'Test-Driver-my_filter.journal'
        $bench.Machine.Files[$journal] += '{"Kind":"change","Id":99,"Undo":"Newer","With":{}}' + "`n"
        Invoke-Script $bench.Machine $bench.Script @{ Cleanup = $true } | Should -Be 2
        $bench.Machine.Console | Should -Contain "NOT UNDONE: a change of the unknown kind 'Newer', line 99 of $journal"
    }

    It 'is what remains of a test that has ended: a start, -Resume and -DryRun say so' {
        $bench = New-Bench
        $bench.Machine.Override = { param($Call, $With, $Do) if ($Call -eq 'Remove-Certificate') { throw 'denied' } else { & $Do } }
        (Invoke-Whole $bench)[-1] | Should -Be 2
        $before = Get-After $bench
        $summary = $bench.Machine.Files[(Join-Path $bench.Report 'summary.json')]
        $bench.Machine.Override = $null
        Invoke-Script $bench.Machine $bench.Script | Should -Be 2
        $bench.Machine.Console[-1] | Should -BeLike 'error: An earlier test has ended. The journal *Test-Driver-my_filter.journal lists what is not undone: run this script with -Cleanup.'
        foreach ($restart in $false, $true) {
            if ($restart) {
                Restart-Machine $bench.Machine
                $before = Get-After $bench
            }
            Invoke-Script $bench.Machine $bench.Script @{ Resume = $true } | Should -Be 2
            $bench.Machine.Console | Should -Be 'error: The test has ended. To undo what is left, run this script with -Cleanup.'
        }
        Invoke-Script $bench.Machine $bench.Script @{ Resume = $true; DryRun = $true } | Should -Be 0
        $bench.Machine.Console | Should -Be 'The test has ended. To undo what is left, run this script with -Cleanup.'
        # The report stays that of the test.
        $bench.Machine.Files[(Join-Path $bench.Report 'summary.json')] | Should -Be $summary
        Get-After $bench | Should -Be $before
        Invoke-Script $bench.Machine $bench.Script @{ Cleanup = $true; DryRun = $true } | Should -Be 0
        @($bench.Machine.Console -like '  Certificate {*"ABCDEF"*}').Count | Should -Be 2
        Invoke-Script $bench.Machine $bench.Script @{ Cleanup = $true } | Should -Be 0
        Get-After $bench | Should -Be $bench.Before
    }

    It 'ends a test: -Resume does not go on with it where something is left' {
        $bench = New-Bench
        Invoke-Script $bench.Machine $bench.Script | Should -Be 3010
        $bench.Machine.Override = { param($Call, $With, $Do) if ("$Call $With" -eq 'verifier /reset') { New-Answer 5 } else { & $Do } }
        Invoke-Script $bench.Machine $bench.Script @{ Cleanup = $true } | Should -Be 2
        $bench.Machine.Override = $null
        Restart-Machine $bench.Machine
        Invoke-Script $bench.Machine $bench.Script @{ Resume = $true } | Should -Be 2
        $bench.Machine.Console[-1] | Should -Be 'error: The test has ended. To undo what is left, run this script with -Cleanup.'
        $bench.Machine.Services.Count | Should -Be 0
        Invoke-Script $bench.Machine $bench.Script @{ Cleanup = $true } | Should -Be 0
        Get-After $bench | Should -Be $bench.Before
    }

    It 'is needed before a start, where the journal of an ended test cannot be removed' {
        $bench = New-Bench
        $bench.Machine.Override = { param($Call, $With, $Do) if ("$Call $With" -like 'Remove-Path *.journal') { throw 'denied' } else { & $Do } }
        (Invoke-Whole $bench)[-1] | Should -Be 0
        $bench.Machine.Override = $null
        Invoke-Script $bench.Machine $bench.Script | Should -Be 2
        $bench.Machine.Console[-1] | Should -BeLike 'error: An earlier test has ended. *'
        Invoke-Script $bench.Machine $bench.Script @{ Cleanup = $true } | Should -Be 0
        Get-After $bench | Should -Be $bench.Before
    }

    It 'says what cannot be undone, and undoes it when it is repeated: <Name>' -ForEach @(
        @{ Name = 'the certificate stays'; Override = { param($Call, $With, $Do) if ($Call -eq 'Remove-Certificate') { throw 'denied' } else { & $Do } }; Left = 'a certificate: ABCDEF is still in the store Root' }
        @{ Name = 'the package stays'; Override = { param($Call, $With, $Do) if ("$Call $With" -like 'pnputil /delete*') { [pscustomobject]@{ ExitCode = 5; Output = ''; TimedOut = $false } } else { & $Do } }; Left = 'the package: oem12.inf is still in the driver store' }
        @{ Name = 'the service stays'; Prepare = { $bench.Machine.Driver.ServiceStays = $true }; Override = { param($Call, $With, $Do) if ("$Call $With" -like 'sc delete*') { [pscustomobject]@{ ExitCode = 5; Output = ''; TimedOut = $false } } else { & $Do } }; Left = 'the package: the service my_filter is still there' }
        @{ Name = 'Driver Verifier keeps its settings'; Override = { param($Call, $With, $Do) if ("$Call $With" -eq 'verifier /reset') { [pscustomobject]@{ ExitCode = 0; Output = ''; TimedOut = $false } } else { & $Do } }; Left = 'Driver Verifier: its settings still name my_filter.sys' }
        @{ Name = 'the folder of the traffic stays'; Override = { param($Call, $With, $Do) if ("$Call $With" -like 'Remove-Path C:*') { throw 'in use' } else { & $Do } }; Left = 'the file traffic: in use' }
        @{ Name = 'low resources simulation stays on'; Override = { param($Call, $With, $Do) if ("$Call $With" -eq 'verifier /volatile /flags 0xA0') { [pscustomobject]@{ ExitCode = 0; Output = ''; TimedOut = $false } } else { & $Do } }; Left = 'low resources simulation: it is still on' }
        @{ Name = 'the key stays'; Override = { param($Call, $With, $Do) if ($Call -ne 'Remove-RegistryKey') { & $Do } }; Left = 'the mark of this start of Windows: the registry key HKLM\SOFTWARE\Test-Driver-my_filter is still there' }
    ) {
        $bench = New-Bench
        if ($_.Prepare) {
            & $_.Prepare
        }
        $bench.Machine.Override = $Override
        (Invoke-Whole $bench)[-1] | Should -Be 2 -Because ($bench.Machine.Console -join "`n")
        $bench.Machine.Console | Should -Contain "NOT UNDONE: $Left"
        (Get-Summary $bench).notUndone | Should -Contain $Left
        $bench.Machine.Override = $null
        Invoke-Script $bench.Machine $bench.Script @{ Cleanup = $true } | Should -Be 0
        Get-After $bench | Should -Be $bench.Before
    }
}

Describe 'What was there before, and what is half done' {
    It 'leaves a certificate that was there before' {
        $bench = New-Bench
        $null = $bench.Machine.Certificates.Add('Root\ABCDEF')
        $before = Get-After $bench
        Invoke-Whole $bench | Should -Be 3010, 0
        Get-After $bench | Should -Be $before
    }

    It 'does not let a driver that starts at boot load again, where only a restart unloads it' {
        $bench = New-Bench
        Set-Policy $bench.Machine $bench.Folder 'never' $false $false
        $bench.Machine.Driver.StartType = 0
        Invoke-Script $bench.Machine $bench.Script @{ Seconds = '1' } | Should -Be 3010
        Restart-Machine $bench.Machine
        $bench.Machine.Override = { param($Call, $With, $Do) if ("$Call $With" -like 'sc config*') { $Machine.Dead = $true }; & $Do }
        $null = Invoke-Script $bench.Machine $bench.Script @{ Resume = $true }
        $bench.Machine.Services['my_filter'].Start = 0
        $bench.Machine.Override = $null
        Restart-Machine $bench.Machine
        $bench.Machine.Loaded | Should -Be 'my_filter'
        Invoke-Script $bench.Machine $bench.Script @{ Resume = $true } | Should -Be 3010
        Restart-Machine $bench.Machine
        $bench.Machine.Loaded | Should -BeNullOrEmpty
        Invoke-Script $bench.Machine $bench.Script @{ Resume = $true } | Should -Be 2
        Get-After $bench | Should -Be $bench.Before
    }

    It 'does not trust pnputil where it has never listed the package' {
        $bench = New-Bench
        $bench.Machine.Override = { param($Call, $With, $Do) if ("$Call $With" -eq 'pnputil /enum-drivers') { [pscustomobject]@{ ExitCode = 0; Output = '??'; TimedOut = $false } } else { & $Do } }
        (Invoke-Whole $bench)[-1] | Should -Be 2
        $bench.Machine.Console | Should -Contain 'NOT UNDONE: the package: pnputil /enum-drivers does not list my_filter.inf, whose service my_filter is there'
        $bench.Machine.Override = $null
        Invoke-WholeCleanup $bench | Should -Be 0
        Get-After $bench | Should -Be $bench.Before
    }

    It 'does not trust a report of Driver Verifier without a driver: <Name>' -ForEach @(
        @{ Name = 'verifier fails'; Answer = 'New-Answer 1'; Left = 'verifier failed with 1' }
        @{ Name = 'verifier does not answer'; Answer = 'New-Silence'; Left = 'verifier /volatile /flags 0xA0 did not answer within 120 seconds' }
    ) {
        $bench = New-Bench
        $bench.Machine.Answer = $Answer
        $bench.Machine.Override = {
            param($Call, $With, $Do)
            if ("$Call $With" -eq 'verifier /volatile /flags 0xA0') { $Machine.Silenced = $true; & ([scriptblock]::Create($Machine.Answer)) }
            elseif ("$Call $With" -eq 'verifier /query' -and $Machine.Silenced) { [pscustomobject]@{ ExitCode = 0; Output = ''; TimedOut = $false } }
            else { & $Do }
        }
        $bench.Machine.Silenced = $false
        (Invoke-Whole $bench)[-1] | Should -Be 2
        $bench.Machine.Console | Should -Contain "NOT UNDONE: low resources simulation: $Left, and its report lists no driver"
        $bench.Machine.Override = $null
        Invoke-WholeCleanup $bench | Should -Be 0
        Get-After $bench | Should -Be $bench.Before
    }

    It 'takes an incomplete last line for a change that was not made, and writes no entry behind it' {
        $bench = New-Bench
        Invoke-Script $bench.Machine $bench.Script @{ Seconds = '1' } | Should -Be 3010
        Restart-Machine $bench.Machine
        $journal = Join-Path $bench.Machine.Facts.ProgramData 'Test-Driver-my_filter.journal'
        $bench.Machine.Files[$journal] += '{"Kind":"change","With":{"ü":"ü'
        Invoke-Script $bench.Machine $bench.Script @{ Resume = $true } | Should -Be 0
        Get-After $bench | Should -Be $bench.Before
    }

    It 'undoes all changes where it cannot be written that they are undone: <Name>' -ForEach @(
        # The next entry is written with it.
        @{ Name = 'once'; Override = { param($Call, $With, $Do) if ($Call -eq 'Add-Line' -and $Text -like '*"undone"*' -and $Text -notlike "*`n*") { throw 'disk full' } else { & $Do } }; Code = 0 }
        # The test does not go on.
        @{ Name = 'always'; Override = { param($Call, $With, $Do) if ($Call -eq 'Add-Line' -and $Text -like '*"undone"*') { throw 'disk full' } else { & $Do } }; Code = 2 }
    ) {
        $bench = New-Bench
        Invoke-Script $bench.Machine $bench.Script @{ Seconds = '1' } | Should -Be 3010
        Restart-Machine $bench.Machine
        $bench.Machine.Override = $Override
        Invoke-Script $bench.Machine $bench.Script @{ Resume = $true } | Should -Be $Code
        $bench.Machine.Console | Should -Contain '  the journal cannot be written: disk full'
        Get-After $bench | Should -Be $bench.Before
    }

    It 'undoes all changes of an interrupted test where the journal cannot be written' {
        $bench = New-Bench
        Invoke-Script $bench.Machine $bench.Script @{ Seconds = '2' } | Should -Be 3010
        Restart-Machine $bench.Machine
        $bench.Machine.Override = { param($Call, $With, $Do) if ($Call -eq 'Receive-Work') { $Machine.Dead = $true }; & $Do }
        Invoke-Script $bench.Machine $bench.Script @{ Resume = $true } | Should -BeNullOrEmpty
        $bench.Machine.Override = { param($Call, $With, $Do) if ($Call -eq 'Add-Line' -and $With -like '*.journal') { throw 'disk full' } else { & $Do } }
        Invoke-Script $bench.Machine $bench.Script @{ Resume = $true } | Should -Be 2
        Get-After $bench | Should -Be $bench.Before
    }

    It 'refuses to go on with a journal that has no beginning' {
        $bench = New-Bench
        $journal = Join-Path $bench.Machine.Facts.ProgramData 'Test-Driver-my_filter.journal'
        $bench.Machine.Files[$journal] = ''
        Invoke-Script $bench.Machine $bench.Script @{ Resume = $true } | Should -Be 2
        $bench.Machine.Console[-1] | Should -BeLike 'error: The journal * is damaged: it is that of a cleanup, or has no beginning. Run this script with -Cleanup.'
        Invoke-Script $bench.Machine $bench.Script @{ Cleanup = $true } | Should -Be 0
        Get-After $bench | Should -Be $bench.Before
    }
}

Describe 'What changes no result' {
    It 'is a failure to write or collect: <_>' -ForEach @(
        'Write-Console', 'Add-Line *log.txt', 'Write-Text *summary.json', 'Write-Text *junit.xml', 'Write-Text *events.txt', 'Write-Text *verifier.txt',
        'Copy-OneFile', 'Get-FilePath *Minidump*', 'Get-KernelDebugger', 'Exit-Lock*', 'Stop-Work'
    ) {
        foreach ($policy in 'always', 'refuse-non-mandatory') {
            $bench = New-Bench
            Set-Policy $bench.Machine $bench.Folder $policy $true $false
            Invoke-Script $bench.Machine $bench.Script @{ Seconds = '1' } | Should -Be 3010
            Restart-Machine $bench.Machine
            $bench.Machine.Override = "param(`$Call, `$With, `$Do) if (`"`$Call `$With`".Trim() -like '$_*') { throw 'denied' } else { & `$Do }"
            Invoke-Script $bench.Machine $bench.Script @{ Resume = $true } | Should -Be 0
            $bench.Machine.Override = $null
            Get-After $bench | Should -Be $bench.Before
        }
    }
}

Describe 'Paths and callers' {
    It 'runs in <_>' -ForEach 'a b', 'a[1]', "it's", 'größer 文', 'a`b', '$x' {
        $folder = Join-Path (Join-Path $TestDrive ([Guid]::NewGuid())) $_
        $bench = New-Bench 26100 'en' $folder
        Invoke-Script $bench.Machine $bench.Script @{ Seconds = '1' } | Should -Be 3010 -Because ($bench.Machine.Console -join "`n")
        $bench.Machine.Console[-1] | Should -BeLike "*-File `"$([WildcardPattern]::Escape($bench.Script))`" -Resume"
        Restart-Machine $bench.Machine
        Invoke-Script $bench.Machine $bench.Script @{ Resume = $true } | Should -Be 0
        $bench.Machine.Trace | Should -Contain "pnputil /add-driver `"$(Join-Path $folder 'driver/my_filter.inf')`" /install"
        Get-After $bench | Should -Be $bench.Before
    }

    It 'takes paths relative to the current folder, and the report of -Resume' {
        $bench = New-Bench
        $machine = $bench.Machine
        $elsewhere = Join-Path $TestDrive "elsewhere [1] $([Guid]::NewGuid())"
        $null = [IO.Directory]::CreateDirectory($elsewhere)
        Copy-Package $machine (Join-Path $elsewhere 'package')
        Invoke-Script $machine $bench.Script @{ Package = 'package'; Report = 'out/[x]'; Seconds = '1' } $elsewhere | Should -Be 3010 -Because ($machine.Console -join "`n")
        $machine.Folders | Should -Contain (Join-Path $elsewhere 'out/[x]')
        Restart-Machine $machine
        Invoke-Script $machine $bench.Script @{ Resume = $true; Report = 'second' } $elsewhere | Should -Be 0
        $machine.Files.Keys | Should -Contain (Join-Path $elsewhere 'second/summary.json')
        $machine.Trace | Should -Contain "pnputil /add-driver `"$(Join-Path $elsewhere 'package/my_filter.inf')`" /install"
    }

    # On Linux, Join-Path refuses a path that begins with \\.
    It 'takes the package from a share, and writes the report to it' -Skip:([Environment]::OSVersion.Platform -ne 'Win32NT') {
        $bench = New-Bench
        $machine = $bench.Machine
        Copy-Package $machine '\\server\share\package'
        Invoke-Script $machine $bench.Script @{ Package = '\\server\share\package'; Report = '\\server\share\report'; Seconds = '1' } | Should -Be 3010
        Restart-Machine $machine
        Invoke-Script $machine $bench.Script @{ Resume = $true } | Should -Be 0
        $machine.Files.Keys | Should -Contain '\\server\share\report\summary.json'
        $machine.Trace | Should -Contain 'pnputil /add-driver "\\server\share\package\my_filter.inf" /install'
    }

    It 'is not changed by the preferences of a caller' {
        $bench = New-Bench
        $caller = Join-Path $bench.Folder 'caller.ps1'
        Set-Content -LiteralPath $caller @'
param([switch] $Resume)
$ErrorActionPreference = 'SilentlyContinue'
$WhatIfPreference = $true
$ConfirmPreference = 'Low'
$VerbosePreference = 'Continue'
$PSNativeCommandUseErrorActionPreference = $true
$PSDefaultParameterValues = @{ '*:ErrorAction' = 'Ignore'; 'Join-Path:ChildPath' = 'x'; 'Where-Object:FilterScript' = { $false } }
$OFS = '-'
Set-StrictMode -Version Latest
$arguments = if ($Resume) { @{ Resume = $true } } else { @{ Seconds = '1' } }
& (Join-Path -Path $PSScriptRoot -ChildPath 'Test-Driver.ps1') @arguments
'@
        Invoke-Script $bench.Machine $caller | Should -Be 3010 -Because ($bench.Machine.Console -join "`n")
        Restart-Machine $bench.Machine
        Invoke-Script $bench.Machine $caller @{ Resume = $true } | Should -Be 0 -Because ($bench.Machine.Console -join "`n")
        Assert-Verified $bench
        $bench.Machine.Files.Remove($caller)
        Get-After $bench | Should -Be $bench.Before
    }
}
