# The answers of Windows.ps1 have the shape of those of the simulated Windows: each function that changes nothing is called
# for real. On another system, only those that run there.

BeforeDiscovery {
    $windows = [Environment]::OSVersion.Platform -eq 'Win32NT'
    # Real: what is called for real. Simulated: the same on the simulated Windows, where it differs. Prepare: what the
    # machine has for that.
    $calls = @(
        @{ Name = 'Get-Now'; Real = 'Get-Now' }
        @{ Name = 'Get-EnvironmentVariable, set'; Real = 'Get-EnvironmentVariable PATH'; Prepare = { $machine.Environment.PATH = 'x' } }
        @{ Name = 'Get-EnvironmentVariable, not set'; Real = 'Get-EnvironmentVariable NO_SUCH_VARIABLE' }
        @{ Name = 'Find-Program, none'; Real = 'Find-Program no-such-program' }
        @{ Name = 'Find-Program'; Real = 'Find-Program pwsh'; Simulated = 'Find-Program cargo'; Prepare = { $machine.Programs.cargo = '/cargo' } }
        @{ Name = 'Read-Text'; Real = 'Read-Text $file'; Prepare = { $machine.Files[$file] = 'x' } }
        @{ Name = 'Read-Text, none'; Real = 'Read-Text "$file.none"' }
        @{ Name = 'Test-Exists'; Real = 'Test-Exists $file' }
        @{ Name = 'Get-FilePath'; Real = 'Get-FilePath $folder *.txt'; Prepare = { $machine.Files[$file] = 'x' } }
        @{ Name = 'Get-FilePath, none'; Real = 'Get-FilePath $folder *.none' }
        @{ Name = 'Get-FolderPath'; Real = 'Get-FolderPath $folder inner*'; Prepare = { $null = $machine.Folders.Add("$folder/inner") } }
        @{ Name = 'Get-FolderPath, none'; Real = 'Get-FolderPath "$folder/none" *' }
        @{ Name = 'Get-WriteTime'; Real = 'Get-WriteTime $file' }
        @{ Name = 'Get-Sha256'; Real = 'Get-Sha256 $file'; Prepare = { $machine.Files[$file] = 'x'; $machine.Hashes.x = 'ABCD' } }
        if ($windows) {
            @{ Name = 'Get-Machine'; Real = 'Get-Machine' }
            @{ Name = 'Get-KernelDebugger'; Real = 'Get-KernelDebugger' }
            @{ Name = 'Get-SystemEvent'; Real = 'Get-SystemEvent ([DateTime]::UtcNow.AddDays(-30)) | Where-Object { @($_.Values).Count } | Select-Object -First 1'; Simulated = 'Get-SystemEvent ([DateTime]::MinValue)'; Prepare = { $machine.Crashed = 0xC4; Restart-Machine $machine } }
            @{ Name = 'Get-DriverService'; Real = 'Get-DriverService FltMgr'; Simulated = 'Get-DriverService my_filter'; Prepare = { $machine.Services.my_filter = @{ Start = 3 } } }
            @{ Name = 'Get-DriverService, none'; Real = 'Get-DriverService no_such_driver' }
            @{ Name = 'Get-RegistryValue, text'; Real = "Get-RegistryValue 'SYSTEM\CurrentControlSet\Control\Session Manager\Environment' PROCESSOR_ARCHITECTURE" }
            @{ Name = 'Get-RegistryValue, number'; Real = "Get-RegistryValue 'SYSTEM\CurrentControlSet\Services\FltMgr' Start"; Simulated = "Get-RegistryValue 'SYSTEM\CurrentControlSet\Services\my_filter' Start"; Prepare = { $machine.Services.my_filter = @{ Start = 3 } } }
            @{ Name = 'Get-RegistryValue, none'; Real = "Get-RegistryValue 'SYSTEM\CurrentControlSet\Services\no_such_driver' Start" }
            @{ Name = 'Test-RegistryKey'; Real = "Test-RegistryKey SOFTWARE\Microsoft" }
            @{ Name = 'Get-SignatureStatus'; Real = 'Get-SignatureStatus (Join-Path ([Environment]::SystemDirectory) ''drivers\fltMgr.sys'')' }
            @{ Name = 'Get-Thumbprint'; Real = 'Get-Thumbprint $certificate'; Prepare = { $machine.Files[$certificate] = 'ABCDEF' } }
            @{ Name = 'Test-Certificate'; Real = 'Test-Certificate Root 00' }
            foreach ($program in @('fltmc', 'filters'), @('fltmc', 'instances -f FltMgr'), @('verifier', '/query'), @('pnputil', '/enum-drivers')) {
                @{ Name = "$program"; Real = "Invoke-Program (Join-Path ([Environment]::SystemDirectory) '$($program[0]).exe') '$($program[1])' 60"; Simulated = "Invoke-Program '$($program[0])' '$($program[1])' 60" }
            }
        }
    )
}

BeforeAll {
    . (Join-Path $PSScriptRoot 'Machine.ps1')

    $folder = Join-Path $TestDrive 'shapes [1]'
    $file = Join-Path $folder 'text.txt'
    $certificate = Join-Path $folder 'root.cer'
    $null = [IO.Directory]::CreateDirectory((Join-Path $folder 'inner'))
    [IO.File]::WriteAllText($file, 'x')
    if ([Environment]::OSVersion.Platform -eq 'Win32NT') {
        $root = Get-ChildItem Cert:\LocalMachine\Root | Select-Object -First 1
        [IO.File]::WriteAllBytes($certificate, $root.Export('Cert'))
    }

    # What a piece of PowerShell returns that uses Windows.ps1 or its simulation.
    function Get-Answer([string] $Library, [string] $Text, $Machine) {
        $shell = [powershell]::Create()
        try {
            $state = $shell.Runspace.SessionStateProxy
            foreach ($pair in @{ Machine = $Machine; file = $file; folder = $folder; certificate = $certificate }.GetEnumerator()) {
                $state.SetVariable($pair.Key, $pair.Value)
            }
            $state.SetVariable('MachinePrograms', (Join-Path $PSScriptRoot 'simulated/Programs.ps1'))
            $state.SetVariable('MachineCopies', (Join-Path $PSScriptRoot 'simulated/Copies.ps1'))
            $null = $shell.AddScript(". '$($Library -replace "'", "''")'; $Text")
            $answer = @($shell.Invoke())
            if ($shell.Streams.Error.Count) {
                throw "${Text}: $($shell.Streams.Error -join '; ')"
            }
            return , $answer
        }
        finally {
            $shell.Dispose()
        }
    }

    # The type of a value; of an object with columns, the type of each. Numbers of one kind are alike.
    function Get-Shape($Value) {
        if ($null -eq $Value) {
            return 'nothing'
        }
        if ($Value -is [Management.Automation.PSCustomObject]) {
            $columns = $Value.PSObject.Properties | Sort-Object Name | ForEach-Object { "$($_.Name): $(Get-Shape $_.Value)" }
            return "($($columns -join '; '))"
        }
        if ($Value -is [array]) {
            return 'list'
        }
        return $Value.GetType().Name
    }

    # What differs between an answer of Windows and that of the simulation. An object of Windows may have more columns.
    function Compare-Shape($Real, $Simulated) {
        if ($Real.Count -ne 0 -and $Simulated.Count -ne 0 -and $Simulated[0] -is [Management.Automation.PSCustomObject] -and
            $Real[0] -isnot [Management.Automation.PSCustomObject]) {
            $Real = @($Real[0] | Select-Object @($Simulated[0].PSObject.Properties.Name))
        }
        $shapes = foreach ($answer in $Real, $Simulated) {
            if ($answer.Count -eq 0) { 'nothing' } else { Get-Shape $answer[0] }
        }
        if ($shapes[0] -ne $shapes[1]) {
            "real: $($shapes[0]), simulated: $($shapes[1])"
        }
    }
}

Describe 'The answer of Windows' {
    It 'has the shape of the simulation: <Name>' -ForEach $calls {
        $machine = New-Machine $folder
        if ($_.Prepare) {
            & $_.Prepare
        }
        $text = if ($_.Simulated) { $_.Simulated } else { $Real }
        $answer = Get-Answer (Join-Path $sources 'Windows.ps1') $Real $null
        $simulated = Get-Answer (Join-Path $PSScriptRoot 'simulated/Windows.ps1') $text $machine
        Compare-Shape $answer $simulated | Should -BeNullOrEmpty
    }

    It 'is compared: <Name>' -ForEach @(
        @{ Name = 'another type'; Real = @(1); Simulated = @('1') }
        @{ Name = 'nothing'; Real = @(); Simulated = @('1') }
        @{ Name = 'a column less'; Real = @([pscustomobject]@{ A = 1 }); Simulated = @([pscustomobject]@{ A = 1; B = 1 }) }
        @{ Name = 'a column of another type'; Real = @([pscustomobject]@{ A = 1 }); Simulated = @([pscustomobject]@{ A = '1' }) }
        @{ Name = 'no such column'; Real = @(Get-Item /); Simulated = @([pscustomobject]@{ State = 'x' }) }
    ) {
        Compare-Shape $Real $Simulated | Should -BeLike 'real: *, simulated: *'
        Compare-Shape $Real $Real | Should -BeNullOrEmpty
    }
}

Describe 'Functions that change something' {
    It 'and those that are called for real are all functions of Windows.ps1' {
        $changing = @(
            'Invoke-VisibleProgram', 'Wait-Second', 'New-VolatileKey', 'Remove-RegistryKey', 'Add-Certificate', 'Remove-Certificate', 'Write-Text', 'Add-Line'
            'Set-FileLength', 'New-Folder', 'Copy-OneFile', 'Move-Folder', 'Remove-Path', 'Write-Console', 'Enter-Lock', 'Exit-Lock', 'Start-Work', 'Receive-Work'
            'Get-WorkState', 'Stop-Work', 'Set-EnvironmentVariable'
        )
        $tree = [Management.Automation.Language.Parser]::ParseFile((Join-Path $sources 'Windows.ps1'), [ref] $null, [ref] $null)
        $names = $tree.FindAll({ param($Node) $Node -is [Management.Automation.Language.FunctionDefinitionAst] }, $false).Name
        $text = [IO.File]::ReadAllText($PSCommandPath)
        $names | Where-Object { $changing -notcontains $_ -and $text -notmatch "Real = `"?'?$_\b" } | Should -BeNullOrEmpty
        $changing | Where-Object { $names -notcontains $_ } | Should -BeNullOrEmpty
    }

    It 'start a program in a folder, with variables, and return its exit code' {
        . (Join-Path $sources 'Windows.ps1')
        $shell = (Get-Process -Id $PID).Path
        $text = '[IO.File]::WriteAllText("seen", "$($env:SHAPES_OF_A)"); exit 9'
        $encoded = [Convert]::ToBase64String([Text.Encoding]::Unicode.GetBytes("Set-Location -LiteralPath ([Environment]::CurrentDirectory); [IO.Directory]::SetCurrentDirectory([Environment]::CurrentDirectory); $text"))
        Invoke-VisibleProgram $shell "-NoProfile -NonInteractive -EncodedCommand $encoded" $folder @{ SHAPES_OF_A = 'ü 1' } | Should -Be 9
        [IO.File]::ReadAllText((Join-Path $folder 'seen')) | Should -Be 'ü 1'
        [Environment]::GetEnvironmentVariable('SHAPES_OF_A') | Should -BeNullOrEmpty
    }
}

Describe 'Traffic.ps1 without a driver' {
    It 'has no error on Windows' -Skip:([Environment]::OSVersion.Platform -ne 'Win32NT') {
        . (Join-Path $sources 'Windows.ps1')
        $place = Join-Path $TestDrive 'traffic without a driver'
        New-Folder $place
        $job = Start-Work (Join-Path $sources 'Test-Driver/Traffic.ps1') $place
        Start-Sleep -Seconds 10
        Write-Text (Join-Path $place 'stop') ''
        $null = Wait-Job $job -Timeout 120
        Get-WorkState $job | Should -Be 'Completed'
        $items = @(Receive-Work $job)
        Stop-Work $job
        $items | Where-Object { $_.Operation } | ForEach-Object { "$($_.Operation): $($_.Text)" } | Should -BeNullOrEmpty
        $items.Count | Should -BeGreaterThan 0
    }
}
