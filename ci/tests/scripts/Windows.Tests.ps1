# Windows.ps1 as far as it runs here: the programs that it starts are real, and so are the files. windows.yml calls the
# rest on Windows (../../../.github/workflows/windows.yml).

BeforeAll {
    . (Join-Path $PSScriptRoot 'Machine.ps1')
    . (Join-Path $sources 'Windows.ps1')
    $shell = (Get-Process -Id $PID).Path
    # Runs a piece of PowerShell in a process.
    function Invoke-Real([string] $Text, [int] $Seconds = 60, [Text.Encoding] $Encoding = $null) {
        $encoded = [Convert]::ToBase64String([Text.Encoding]::Unicode.GetBytes($Text))
        return Invoke-Program $shell "-NoProfile -NonInteractive -EncodedCommand $encoded" $Seconds $Encoding
    }
    function Get-Function([string] $Path) {
        $tree = [Management.Automation.Language.Parser]::ParseFile($Path, [ref] $null, [ref] $null)
        $tree.FindAll({ param($Node) $Node -is [Management.Automation.Language.FunctionDefinitionAst] }, $false) | ForEach-Object {
            "$($_.Name)($(($_.Parameters | ForEach-Object { $_.Name.VariablePath.UserPath }) -join ', '))"
        }
    }
}

Describe 'Invoke-Program' {
    It 'returns the exit code and both streams' {
        $result = Invoke-Real "[Console]::Out.Write('one'); [Console]::Error.Write('two'); exit 7"
        $result.ExitCode | Should -Be 7
        $result.Output | Should -BeLike '*one*'
        $result.Output | Should -BeLike '*two*'
        $result.TimedOut | Should -BeFalse
    }

    It 'reads both streams of a program that floods them' {
        $result = Invoke-Real '1..20000 | ForEach-Object { [Console]::Out.WriteLine("out " * 10); [Console]::Error.WriteLine("error " * 10) }'
        $result.ExitCode | Should -Be 0
        ([regex]::Matches($result.Output, '(?m)^out ')).Count | Should -Be 20000
        ([regex]::Matches($result.Output, '(?m)^error ')).Count | Should -Be 20000
    }

    It 'ends a program that hangs' {
        $watch = [Diagnostics.Stopwatch]::StartNew()
        $result = Invoke-Real '[Console]::Out.Write("begun"); [Console]::Out.Flush(); Start-Sleep -Seconds 600' 5
        $result.TimedOut | Should -BeTrue
        $watch.Elapsed.TotalSeconds | Should -BeLessThan 60
    }

    It 'gives a program that reads its input an empty one' {
        (Invoke-Real 'exit [int] ($null -eq [Console]::In.ReadLine())').ExitCode | Should -Be 1
    }

    It 'does not wait for what a program has left running' {
        $watch = [Diagnostics.Stopwatch]::StartNew()
        $result = Invoke-Real "`$start = [Diagnostics.ProcessStartInfo]::new('$shell', '-NoProfile -Command Start-Sleep 60'); `$start.UseShellExecute = `$false; `$null = [Diagnostics.Process]::Start(`$start); exit 3"
        $result.ExitCode | Should -Be 3
        $watch.Elapsed.TotalSeconds | Should -BeLessThan 45
    }

    It 'throws where there is no such program' {
        { Invoke-Program (Join-Path $TestDrive 'none') '' 5 } | Should -Throw
    }

    It 'decodes with the encoding that it is given' {
        $text = '[Console]::OpenStandardOutput().Write([byte[]] (0xC3, 0xBC), 0, 2)'
        (Invoke-Real $text 60 ([Text.UTF8Encoding]::new($false))).Output | Should -BeLike '*ü*'
        (Invoke-Real $text 60 ([Text.Encoding]::GetEncoding('iso-8859-1'))).Output | Should -BeLike '*Ã¼*'
    }
}

Describe 'Files' {
    It 'are read, written, appended to, copied and removed, also with brackets in the name' {
        $folder = Join-Path $TestDrive 'a [1]'
        New-Folder $folder
        $file = Join-Path $folder 'x[2].txt'
        Read-Text $file | Should -BeNullOrEmpty
        Write-Text $file "ü"
        Add-Line $file 'two'
        Read-Text $file | Should -Be "ütwo`n"
        Set-FileLength $file 2
        Read-Text $file | Should -Be "ü"
        Get-FilePath $folder '*.txt' | Should -Be $file
        Get-FilePath (Join-Path $folder 'none') '*' | Should -BeNullOrEmpty
        Get-FolderPath $TestDrive 'a*' | Should -Be $folder
        Get-FolderPath (Join-Path $folder 'none') '*' | Should -BeNullOrEmpty
        ([DateTime]::UtcNow - (Get-WriteTime $file)).TotalMinutes | Should -BeLessThan 5
        Copy-OneFile $file (Join-Path $folder 'y')
        Move-Folder $folder (Join-Path $TestDrive 'b')
        Test-Exists $folder | Should -BeFalse
        Test-Exists (Join-Path $TestDrive 'b/y') | Should -BeTrue
        Remove-Path (Join-Path $TestDrive 'b')
        Test-Exists (Join-Path $TestDrive 'b') | Should -BeFalse
    }

    It 'that cannot be written are an error' {
        { Add-Line (Join-Path $TestDrive 'none/x') 'text' } | Should -Throw
        { Write-Text (Join-Path $TestDrive 'none/x') 'text' } | Should -Throw
        { Copy-OneFile (Join-Path $TestDrive 'none') (Join-Path $TestDrive 'y') } | Should -Throw
    }
}

Describe 'A path that the user names' {
    BeforeAll {
        . (Join-Path $sources 'Test-Driver/Ready.ps1')
    }

    It 'on a share stays one, also relative to a folder of the share' -Skip:([Environment]::OSVersion.Platform -ne 'Win32NT') {
        $share = "\\localhost\$($env:SystemDrive.Replace(':', '$'))\Windows"
        Resolve-UserPath "$share\a [1]" | Should -Be "$share\a [1]"
        Push-Location -LiteralPath $share
        try {
            Resolve-UserPath 'a [1]' | Should -Be "$share\a [1]"
        }
        finally {
            Pop-Location
        }
        Test-Exists (Join-Path $share 'System32') | Should -BeTrue
    }
}

Describe 'The process' {
    It 'holds a lock that no other can take' {
        $name = "Test-Driver-$([Guid]::NewGuid())"
        $lock = Enter-Lock $name
        $lock | Should -Not -BeNullOrEmpty
        $other = [powershell]::Create()
        try {
            $null = $other.AddScript('. $args[0]; $null -eq (Enter-Lock $args[1])').AddArgument((Join-Path $sources 'Windows.ps1')).AddArgument($name)
            $other.Invoke() | Should -BeTrue
        }
        finally {
            $other.Dispose()
        }
        Exit-Lock $lock
        Exit-Lock (Enter-Lock $name)
    }

    It 'finds programs, sets variables, and knows the time' {
        Find-Program (Split-Path $shell -Leaf) | Should -Not -BeNullOrEmpty
        Find-Program 'no-such-program' | Should -BeNullOrEmpty
        Set-EnvironmentVariable 'TEST_DRIVER_VARIABLE' 'x'
        Get-EnvironmentVariable 'TEST_DRIVER_VARIABLE' | Should -Be 'x'
        (Get-Now).Kind | Should -Be 'Utc'
        Wait-Second 0
    }
}

Describe 'Traffic.ps1' {
    BeforeAll {
        # What Windows alone has.
        $start = '$ErrorActionPreference = "Stop"; function Get-Acl { }'
        $script = Join-Path $sources 'Test-Driver/Traffic.ps1'
        $counted = Join-Path (New-ScriptFolder (Join-Path $TestDrive 'counted')) 'Test-Driver/Traffic.ps1'
    }

    It 'returns an object for each whole round' {
        $folder = Join-Path $TestDrive 'rounds'
        New-Folder $folder
        $rounds = 0
        function Get-Acl { if (++$script:rounds -eq 2) { Write-Text (Join-Path $folder 'stop') '' } }
        $items = @(& $counted $folder $PID)
        $items.Round | Should -Be 1, 2
        $items.Operation | Should -Be '', ''
    }

    It 'works with files until there is a file named stop, and leaves none' {
        $folder = Join-Path $TestDrive 'traffic'
        New-Folder $folder
        $job = Start-Job { param($Text, $Script, $Folder, $Starter) . ([scriptblock]::Create($Text)); & $Script $Folder $Starter } -ArgumentList $start, $script, $folder, $PID
        $items = @()
        foreach ($attempt in 1..300) {
            Start-Sleep -Milliseconds 100
            $items += @(Receive-Work $job)
            if ($items.Count -gt 3) { break }
        }
        Get-WorkState $job | Should -Be 'Running'
        Write-Text (Join-Path $folder 'stop') ''
        $null = Wait-Job $job -Timeout 60
        Get-WorkState $job | Should -Be 'Completed'
        $items | Where-Object { $_.Operation } | Should -BeNullOrEmpty
        $items[2].Round | Should -Be 3
        Get-ChildItem $folder | Select-Object -ExpandProperty Name | Should -Be 'stop'
        Stop-Work $job
    }

    It 'ends with the process that has started it' {
        $folder = Join-Path $TestDrive 'orphan'
        New-Folder $folder
        $ended = Start-Process $shell '-NoProfile -Command exit' -PassThru
        $ended.WaitForExit()
        & $counted $folder $ended.Id | Should -BeNullOrEmpty
    }

    It 'names the operation that fails, with its error, and does not keep the files of that round' {
        $folder = Join-Path $TestDrive 'failing'
        New-Folder $folder
        function Get-Acl { Write-Text (Join-Path $folder 'stop') ''; throw [IO.IOException]::new('outer', [IO.IOException]::new('denied', 5)) }
        $items = @(& $counted $folder $PID)
        $items.Count | Should -Be 1
        $items[0].Operation | Should -Be 'read security'
        $items[0].Error | Should -Be 5
        Get-ChildItem $folder | Select-Object -ExpandProperty Name | Should -Be 'stop'
    }

    It 'does not report a file that another program has open' {
        $folder = Join-Path $TestDrive 'shared'
        New-Folder $folder
        function Get-Acl { Write-Text (Join-Path $folder 'stop') ''; throw [IO.IOException]::new('shared', -2147024864) }
        & $counted $folder $PID | Should -BeNullOrEmpty
    }
}

Describe 'The scripts' {
    It 'have a simulation of each function of Windows.ps1, with its parameters' {
        $simulated = Get-Function (Join-Path $PSScriptRoot 'simulated/Windows.ps1') | Where-Object { $_ -notmatch '^(Invoke-Simulated|Test-Change|Add-Killed)\(' }
        $simulated | Should -Be (Get-Function (Join-Path $sources 'Windows.ps1'))
    }

    It 'are short: <_>' -ForEach @(Get-ChildItem (Join-Path $PSScriptRoot '../../../template/scripts') -Recurse -Filter *.ps1 | ForEach-Object FullName) {
        (Get-Content -LiteralPath $_).Count | Should -BeLessOrEqual 400
        $tree = [Management.Automation.Language.Parser]::ParseFile($_, [ref] $null, [ref] $null)
        foreach ($function in $tree.FindAll({ param($Node) $Node -is [Management.Automation.Language.FunctionDefinitionAst] }, $true)) {
            $lines = $function.Extent.EndLineNumber - $function.Extent.StartLineNumber + 1
            $lines | Should -BeLessOrEqual 40 -Because $function.Name
        }
    }

    It 'have a synopsis: <_>' -ForEach @(Get-ChildItem (Join-Path $PSScriptRoot '../../../template/scripts') -Filter *-*.ps1 | ForEach-Object FullName) {
        (Get-Help $_).Synopsis | Should -Not -BeLike "*$(Split-Path $_ -Leaf)*"
        (Get-Help $_ -Full).parameters.parameter.Count | Should -BeGreaterThan 1
    }

    It 'call only functions that they define, and no function is unused' {
        $files = @(Get-ChildItem $sources -Recurse -Filter *.ps1)
        $defined = @{}
        $called = [Collections.Generic.HashSet[string]]::new()
        foreach ($file in $files) {
            $tree = [Management.Automation.Language.Parser]::ParseFile($file.FullName, [ref] $null, [ref] $null)
            foreach ($function in $tree.FindAll({ param($Node) $Node -is [Management.Automation.Language.FunctionDefinitionAst] }, $true)) {
                $defined.ContainsKey($function.Name) | Should -BeFalse -Because "$($function.Name) is defined twice"
                $defined[$function.Name] = $file.Name
            }
            foreach ($command in $tree.FindAll({ param($Node) $Node -is [Management.Automation.Language.CommandAst] }, $true)) {
                if ($command.GetCommandName()) {
                    $null = $called.Add($command.GetCommandName())
                }
            }
        }
        $defined.Keys | Where-Object { -not $called.Contains($_) } | Should -BeNullOrEmpty
        # Cmdlets that Windows alone has.
        $windows = 'Get-Acl', 'Get-AuthenticodeSignature', 'Get-CimInstance', 'Import-Certificate'
        $called | Where-Object { -not $defined.ContainsKey($_) -and $windows -notcontains $_ -and -not (Get-Command $_ -ErrorAction SilentlyContinue) } |
            Should -BeNullOrEmpty
    }
}
