# New-Package.ps1 on a simulated Windows, and with real programs on this machine.

BeforeAll {
    . (Join-Path $PSScriptRoot 'Machine.ps1')
    . (Join-Path $PSScriptRoot 'BuildMachine.ps1')

    function Get-Result($Bench, [string] $Name = 'my-filter-0.1.0-amd64-release') {
        return Join-Path $Bench.Project "target/package/$Name"
    }

    # The files of a package, relative to it, in their order.
    function Get-PackageFile($Machine, [string] $Result) {
        $files = @($Machine.Files.Keys | Where-Object { $_.StartsWith($Result + [IO.Path]::DirectorySeparatorChar) })
        return @($files | ForEach-Object { $_.Substring($Result.Length + 1).Replace('\', '/') } | Sort-Object)
    }

    $signed = @(
        'driver/my_filter.cat', 'driver/my_filter.inf', 'driver/my_filter.pdb', 'driver/my_filter.sys', 'driver/WDRLocalTestCert.cer'
        'Test-Driver.ps1', 'Test-Driver.psd1', 'Test-Driver/Journal.ps1', 'Test-Driver/Rounds.ps1', 'Windows.ps1'
    ) | Sort-Object

    # There is no package, and the last line says why.
    function Assert-NoPackage($Bench, [string] $Text, [hashtable] $Arguments = @{}) {
        Invoke-BuildScript $Bench $Arguments | Should -Be 1
        $last = Get-LastLine $Bench
        $last | Should -BeLike "error: $Text"
        $Bench.Machine.Returned | Should -BeNullOrEmpty
        Get-PackageFile $Bench.Machine (Get-Result $Bench) | Should -BeNullOrEmpty
        $Bench.Machine.Folders | Should -Not -Contain (Get-Result $Bench)
    }
}

Describe 'A package' {
    It 'is complete: <Arch>, <CargoProfile>, unsigned <Unsigned>' -ForEach @(
        foreach ($arch in 'amd64', 'arm64') {
            foreach ($profile in 'dev', 'release') {
                foreach ($unsigned in $false, $true) {
                    @{ Arch = $arch; CargoProfile = $profile; Unsigned = $unsigned }
                }
            }
        }
    ) {
        $bench = New-BuildMachine 'New-Package.ps1'
        $arguments = @{ Arch = $Arch; CargoProfile = $CargoProfile; Unsigned = $Unsigned }
        Invoke-PassingScript $bench $arguments
        $result = Get-Result $bench "my-filter-0.1.0-$Arch-$CargoProfile"
        $bench.Machine.Returned | Should -Be $result
        $expected = if ($Unsigned) { $signed | Where-Object { $_ -notlike '*.cer' } } else { $signed }
        Get-PackageFile $bench.Machine $result | Should -Be $expected
        $bench.Machine.Files[(Join-Path $result 'Test-Driver/Rounds.ps1')] | Should -Be "the project's Test-Driver/Rounds.ps1"
        $bench.Machine.Files[(Join-Path $result 'driver/my_filter.inf')] | Should -BeLike '*DriverVer = *,0.1.0.0*'
        # Nothing is left under another name.
        $bench.Machine.Folders | Where-Object { $_ -like '*incomplete*' } | Should -BeNullOrEmpty
    }

    It 'is that of this project where the workspace has other members' {
        $bench = New-BuildMachine 'New-Package.ps1'
        $bench.Build.Members = @(
            @('other', '9.9.9', (Join-Path $bench.Project 'other/Cargo.toml')),
            @('my-filter', '0.1.0', (Join-Path $bench.Project 'Cargo.toml'))
        )
        Invoke-PassingScript $bench
        $bench.Machine.Returned | Should -Be (Get-Result $bench)
    }

    It 'is that of this run: an earlier one is removed first' {
        $bench = New-BuildMachine 'New-Package.ps1'
        Invoke-PassingScript $bench
        $bench.Build.Run = 2
        Invoke-PassingScript $bench
        $bench.Machine.Files[(Join-Path (Get-Result $bench) 'driver/my_filter.sys')] | Should -Be 'sys of run 2'
        $bench.Build.Failures.desktop = 1
        Assert-NoPackage $bench 'my-filter does not build, or its INF does not pass InfVerif /h: see above.'
    }

    It 'is not made of what an earlier run has built' {
        $bench = New-BuildMachine 'New-Package.ps1'
        Invoke-PassingScript $bench
        $bench.Build.Skips = $true
        Assert-NoPackage $bench 'cargo-wdk reported no error, but there is no my_filter.inf in *my_filter_package: see above.'
    }

    It 'has nothing of a run that broke off' {
        $bench = New-BuildMachine 'New-Package.ps1'
        $draft = "$(Get-Result $bench).incomplete"
        $null = $bench.Machine.Folders.Add($draft)
        $bench.Machine.Files[(Join-Path $draft 'driver/other.sys')] = 'old'
        Invoke-PassingScript $bench
        Get-PackageFile $bench.Machine (Get-Result $bench) | Should -Be $signed
    }

    It 'has the version without what follows a hyphen or a plus sign in DriverVer' {
        $bench = New-BuildMachine 'New-Package.ps1'
        $bench.Build.Members = @(, @('my-filter', '3.21.4-rc.5+x', (Join-Path $bench.Project 'Cargo.toml')))
        Invoke-PassingScript $bench
        $result = Get-Result $bench 'my-filter-3.21.4-rc.5+x-amd64-release'
        $bench.Machine.Files[(Join-Path $result 'driver/my_filter.inf')] | Should -BeLike '*,3.21.4.0*'
    }

    It 'is made in the folder <_>' -ForEach "a b", 'x[1]', "it's", 'Größe 過濾', '$x;y' {
        $project = Join-Path $TestDrive "$_/project"
        $bench = New-BuildMachine 'New-Package.ps1' $project
        # With brackets as a wildcard, this folder is another project.
        $null = [IO.Directory]::CreateDirectory((Join-Path $TestDrive 'x1/project'))
        Invoke-PassingScript $bench
        Get-PackageFile $bench.Machine (Get-Result $bench) | Should -Be $signed
    }

    It 'is made from another folder, with the preferences of any caller' {
        $bench = New-BuildMachine 'New-Package.ps1'
        $caller = Join-Path $bench.Project 'caller.ps1'
        Set-Content -LiteralPath $caller @'
$ErrorActionPreference = 'Ignore'
$WarningPreference = 'Stop'
$ConfirmPreference = 'Low'
$WhatIfPreference = $true
$PSNativeCommandUseErrorActionPreference = $true
$PSDefaultParameterValues = @{ 'Join-Path:Resolve' = $true; 'Select-Object:Last' = 1 }
$OFS = '-'
& "$PSScriptRoot/scripts/New-Package.ps1"
'@
        $bench.Script = $caller
        Invoke-PassingScript $bench @{} ([IO.Path]::GetTempPath())
        Get-PackageFile $bench.Machine (Get-Result $bench) | Should -Be $signed
    }

    It 'is named to the steps that follow: <Name>' -ForEach @(
        @{ Name = 'GitHub'; Variables = @{ GITHUB_ENV = '/github/env' } }
        @{ Name = 'Azure'; Variables = @{ TF_BUILD = 'True' } }
        @{ Name = 'a prompt'; Variables = @{} }
    ) {
        $bench = New-BuildMachine 'New-Package.ps1'
        $bench.Machine.Environment = $Variables
        Invoke-PassingScript $bench
        $bench.Machine.Files['/github/env'] | Should -Be $(if ($Name -eq 'GitHub') { "DRIVER_PACKAGE=my-filter-0.1.0-amd64-release`n" })
        $azure = @($bench.Machine.Console | Where-Object { $_ -eq '##vso[task.setvariable variable=DRIVER_PACKAGE]my-filter-0.1.0-amd64-release' })
        $azure.Count | Should -Be ([int] ($Name -eq 'Azure'))
        $bench.Machine.Environment.Keys | Should -Not -Contain 'STAMPINF_VERSION'
    }
}

Describe 'A test signature' {
    It 'is tried again where the timestamp server is busy <_> times' -ForEach 1, 2 {
        $bench = New-BuildMachine 'New-Package.ps1'
        $bench.Build.Failures.signing = $_
        Invoke-PassingScript $bench
        @($bench.Machine.Trace | Where-Object { $_ -eq 'Wait-Second 10' }).Count | Should -Be $_
        Get-PackageFile $bench.Machine (Get-Result $bench) | Should -Be $signed
    }

    It 'fails after three attempts, and the message does not blame the INF' {
        $bench = New-BuildMachine 'New-Package.ps1'
        $bench.Build.Failures.signing = 3
        Assert-NoPackage $bench 'my-filter was built, but cargo-wdk could not make the test signature: see above. The signature needs a timestamp server; -Unsigned omits it.'
    }

    It 'is not waited for where the INF does not pass InfVerif /<Mode>' -ForEach @(
        @{ Mode = 'h'; Step = 'desktop' }
        @{ Mode = 'u'; Step = 'universal' }
    ) {
        $bench = New-BuildMachine 'New-Package.ps1'
        $bench.Build.Failures[$Step] = 9
        Assert-NoPackage $bench "*InfVerif /$Mode*"
        $bench.Machine.Trace | Should -Not -Contain 'Wait-Second 10'
        @($bench.Machine.Trace | Where-Object { $_ -like 'cargo wdk build *--sign-mode test' }).Count | Should -Be 0
    }
}

Describe 'A signature of the organisation' {
    BeforeAll {
        function New-SigningBench([string] $Text) {
            # The other tests use the scripts in another folder.
            $bench = New-BuildMachine 'New-Package.ps1' (Join-Path $ScriptHome 'a signing project')
            [IO.File]::WriteAllText((Join-Path ([IO.Path]::GetDirectoryName($bench.Script)) 'New-Package.psd1'), $Text)
            return $bench
        }
    }


    It 'has the arguments in New-Package.psd1, and no test certificate' {
        $bench = New-SigningBench "@{ SigntoolArguments = '/fd SHA256 /n `"My Company`"' }"
        Invoke-PassingScript $bench
        $bench.Build.Signtool | Should -Be '/fd SHA256 /n "My Company"'
        Get-PackageFile $bench.Machine (Get-Result $bench) | Should -Be @($signed | Where-Object { $_ -notlike '*.cer' })
    }

    It 'is omitted with -Unsigned' {
        $bench = New-SigningBench "@{ SigntoolArguments = '/fd SHA256' }"
        Invoke-PassingScript $bench @{ Unsigned = $true }
        $bench.Build.Signtool | Should -BeNullOrEmpty
    }

    It 'is asked for in a sentence, where <Name>' -ForEach @(
        @{ Name = 'the server is busy'; File = "@{ SigntoolArguments = '/fd SHA256' }"; Failures = 3; Text = 'my-filter was built, but cargo-wdk could not make the signature: see above. *' }
        @{ Name = 'the file cannot be read'; File = '@{'; Failures = 0; Text = '*New-Package.psd1 cannot be read: *' }
        @{ Name = 'the file has no arguments'; File = '@{}'; Failures = 0; Text = '*New-Package.psd1 has no SigntoolArguments: write *' }
        @{ Name = 'the arguments are empty'; File = "@{ SigntoolArguments = ' ' }"; Failures = 0; Text = '*New-Package.psd1 has no SigntoolArguments: write *' }
    ) {
        $bench = New-SigningBench $File
        $bench.Build.Failures.signing = $Failures
        Assert-NoPackage $bench $Text
    }
}

Describe 'No package is made' {
    It 'where <Name>' -ForEach @(
        @{ Name = 'there is no cargo'; Prepare = { $Machine.Programs.Remove('cargo') }; Text = 'cargo is not on the PATH: install Rust with rustup, from https://rustup.rs.' }
        @{ Name = 'cargo fails'; Prepare = { $Machine.Build.Metadata = New-BuildAnswer 101 'Fehler: gesperrt' }; Text = 'cargo metadata failed for *Cargo.toml (exit code 101): Fehler: gesperrt' }
        @{ Name = 'cargo says nothing'; Prepare = { $Machine.Build.Metadata = New-BuildAnswer 0 '' }; Text = 'cargo metadata failed for *Cargo.toml (exit code 0): ' }
        @{ Name = 'cargo says something else'; Prepare = { $Machine.Build.Metadata = New-BuildAnswer 0 '{"packages":' }; Text = '*' }
        @{ Name = 'cargo does not end'; Prepare = { $Machine.Build.Metadata = New-BuildAnswer $null 'Blocking waiting for file lock' }; Text = 'cargo metadata failed for *Cargo.toml (no answer within 1800 seconds): Blocking waiting for file lock' }
        @{ Name = 'cargo does not name this project'; Prepare = { $Machine.Build.Members = @(, @('other', '1.0.0', '/other/Cargo.toml')) }; Text = 'cargo metadata names 0 packages with the manifest *Cargo.toml: it must name 1.' }
        @{ Name = 'a number is 65535'; Prepare = { $Machine.Build.Members[0][1] = '1.2.65535' }; Text = "65535 in the version 1.2.65535 is too large: each number of a driver's version must be below 65535. Write a smaller one in Cargo.toml." }
        @{ Name = 'the version is 0.0.0'; Prepare = { $Machine.Build.Members[0][1] = '0.0.0-beta' }; Text = '0.0.0 cannot be the version of a driver: DriverVer does not allow 0.0.0.0. Write another version in Cargo.toml.' }
        @{ Name = 'there is no cargo-wdk'; Prepare = { $Machine.Build.WdkVersion = New-BuildAnswer 101 'error: no such command: wdk' }; Text = 'cargo-wdk does not run (exit code 101): run cargo install cargo-wdk --version 0.2.0 --locked. error: no such command: wdk' }
        @{ Name = 'cargo-wdk does not end'; Prepare = { $Machine.Build.WdkVersion = New-BuildAnswer $null 'waiting' }; Text = 'cargo wdk --version gave no answer within 60 seconds: run this script again. waiting' }
        @{ Name = 'cargo-wdk says something else'; Prepare = { $Machine.Build.WdkVersion = New-BuildAnswer 0 'wdk' }; Text = 'cargo-wdk does not run (exit code 0): run cargo install cargo-wdk --version 0.2.0 --locked. wdk' }
        @{ Name = 'cargo-wdk is old'; Prepare = { $Machine.Build.WdkVersion = New-BuildAnswer 0 'cargo-wdk 0.1.1' }; Text = 'cargo-wdk 0.1.1 is too old, this script needs 0.2.0: run cargo install cargo-wdk --version 0.2.0 --locked.' }
        @{ Name = 'cargo-wdk makes nothing'; Prepare = { $Machine.Build.Skips = $true }; Text = 'cargo-wdk reported no error, but there is no my_filter.inf in *my_filter_package: see above.' }
        @{ Name = 'there is no driver'; Prepare = { $Machine.Build.Lacks = @('my_filter.sys') }; Text = 'cargo-wdk reported no error, but there is no my_filter.sys in *' }
        @{ Name = 'there is no catalog'; Prepare = { $Machine.Build.Lacks = @('my_filter.cat') }; Text = 'cargo-wdk reported no error, but there is no my_filter.cat in *' }
        @{ Name = 'there are no symbols'; Prepare = { $Machine.Build.Lacks = @('my_filter.pdb') }; Text = 'cargo-wdk reported no error, but there is no my_filter.pdb in *' }
        @{ Name = 'there is no certificate'; Prepare = { $Machine.Build.Lacks = @('WDRLocalTestCert.cer') }; Text = 'cargo-wdk reported no error, but there is no certificate (*.cer) in *my_filter_package: see above.' }
        @{ Name = 'the driver is not signed'; Prepare = { $Machine.Signature = 'NotSigned' }; Text = 'cargo-wdk reported no error, but my_filter.sys in * has no valid signature (NotSigned): see above.' }
        @{ Name = 'the driver was changed'; Prepare = { $Machine.Signature = 'HashMismatch' }; Text = 'cargo-wdk reported no error, but my_filter.sys in * has no valid signature (HashMismatch): see above.' }
        @{ Name = 'DriverVer is of another version'; Prepare = { $Machine.Build.OtherVersion = '17.12.2026.1' }; Text = 'DriverVer in my_filter.inf is not the version 0.1.0.0 of Cargo.toml: remove what else sets it.' }
        @{ Name = 'a script of the test is missing'; Prepare = { $Machine.Files.Remove((Join-Path $Machine.Build.Project 'scripts/Windows.ps1')) }; Text = '*Windows.ps1 is not there' }
    ) {
        $bench = New-BuildMachine 'New-Package.ps1'
        $Machine = $bench.Machine
        function New-BuildAnswer($ExitCode, [string] $Output) {
            return [pscustomobject]@{ ExitCode = $ExitCode; Output = $Output; TimedOut = $null -eq $ExitCode }
        }
        # The package of an earlier run is not left.
        $Machine.Files[(Join-Path (Get-Result $bench) 'driver/my_filter.sys')] = 'old'
        $null = $Machine.Folders.Add((Get-Result $bench))
        $old = Get-Result $bench
        & $Prepare
        if ($Name -match '^(there is no cargo$|cargo |a number|the version)') {
            # Where cargo does not name the version, there is no package of a version that could be mistaken.
            Invoke-BuildScript $bench | Should -Be 1
            Get-LastLine $bench | Should -BeLike "error: $Text"
            $Machine.Returned | Should -BeNullOrEmpty
            return
        }
        Assert-NoPackage $bench $Text
        $Machine.Files.Keys | Should -Not -Contain (Join-Path $old 'driver/my_filter.sys')
    }

    It 'where an argument is not <_>' -ForEach @{ Arch = 'x86' }, @{ CargoProfile = 'debug' }, @{ Other = 'x' } {
        $bench = New-BuildMachine 'New-Package.ps1'
        { Invoke-BuildScript $bench $_ } | Should -Throw
        $bench.Machine.Trace | Should -BeNullOrEmpty
    }
}

Describe 'A run that is killed' {
    BeforeDiscovery {
        . (Join-Path $PSScriptRoot 'Machine.ps1')
        . (Join-Path $PSScriptRoot 'BuildMachine.ps1')
        $killed = New-BuildMachine 'New-Package.ps1'
        if ((Invoke-BuildScript $killed) -ne 0) {
            throw $killed.Machine.Console[-1]
        }
        $killed.Build.Run = 2
        $killed.Machine.Killed = [Collections.Generic.List[object]]::new()
        if ((Invoke-BuildScript $killed) -ne 0) {
            throw $killed.Machine.Console[-1]
        }
        $places = foreach ($place in $killed.Machine.Killed) {
            @{ Bench = $killed; Where = $place.Where; Machine = $place.Machine }
        }
    }

    It 'leaves a whole package or none: <Where>' -ForEach $places {
        $result = Get-Result $Bench
        $files = @(Get-PackageFile $Machine $result)
        if ($files.Count) {
            $files | Should -Be $signed
            $run = if ($Where -like "after Move-Folder*") { 2 } else { 1 }
            $Machine.Files[(Join-Path $result 'driver/my_filter.sys')] | Should -Be "sys of run $run"
        }
        if ($Where -like '*cargo wdk build*' -or $Where -like '*Copy-OneFile*') {
            $files | Should -BeNullOrEmpty
        }
        # The next run makes it, and leaves nothing else.
        $again = Copy-Machine $Machine
        $again.Build.Run = 3
        $again.Returns = $true
        Invoke-Script $again $Bench.Script | Should -Be 0
        Get-PackageFile $again $result | Should -Be $signed
        $again.Files[(Join-Path $result 'driver/my_filter.sys')] | Should -Be 'sys of run 3'
        $again.Files.Keys | Where-Object { $_ -like '*incomplete*' } | Should -BeNullOrEmpty
    }
}

# A cargo for this machine that answers as the simulated one, and real files. On Windows, windows.yml does this with the
# real cargo-wdk.
Describe 'With real files and programs' -Skip:([Environment]::OSVersion.Platform -eq 'Win32NT') {
    BeforeAll {
        $programs = Join-Path $TestDrive 'programs'
        $null = [IO.Directory]::CreateDirectory($programs)
        [IO.File]::WriteAllText((Join-Path $programs 'cargo'), @'
#!/bin/sh
case "$*" in
"metadata "*)
    echo "info: the cargo of this test" >&2
    echo "{\"packages\":[{\"name\":\"my-filter\",\"version\":\"1.2.3\",\"manifest_path\":\"$PWD/Cargo.toml\"}],\"target_directory\":\"$PWD/target\"}"
    ;;
"wdk --version") echo "cargo-wdk 0.2.0" ;;
"wdk build "*)
    echo "cargo's standard output"
    made="target/x86_64-pc-windows-msvc/release/my_filter_package"
    rm -rf "$made"
    mkdir -p "$made"
    printf '[Version]\r\nDriverVer = 11/26/2026,%s\r\n' "$STAMPINF_VERSION" > "$made/my_filter.inf"
    for extension in sys pdb cat; do
        echo "$PWD" > "$made/my_filter.$extension"
    done
    ;;
*) exit 2 ;;
esac
'@.Replace("`r", ''))
        & chmod +x (Join-Path $programs 'cargo')

        # A project with the scripts, and another one where the name of the first is read as a pattern.
        function New-RealProject([string] $Name) {
            foreach ($folder in $Name, $Name.Replace('[1]', '1')) {
                $scripts = Join-Path $TestDrive "$folder/scripts"
                Copy-Item -LiteralPath $sources $scripts -Recurse
            }
            return Join-Path $TestDrive $Name
        }
    }

    It 'makes the package, and nothing but its path is returned: <_>' -ForEach 'plain', "it's a [1] Größe 過濾" {
        $project = New-RealProject $_
        $script = Join-Path $project 'scripts/New-Package.ps1'
        $result = Join-Path $project 'target/package/my-filter-1.2.3-amd64-release'
        # An earlier package, which is removed although the caller prefers -WhatIf.
        $null = [IO.Directory]::CreateDirectory("$result/old")
        $command = @"
`$env:PATH = '$programs' + [IO.Path]::PathSeparator + `$env:PATH
`$PSNativeCommandUseErrorActionPreference = `$true
`$WhatIfPreference = `$true
Set-Location /
`$path = & '$($script -replace "'", "''")' -Unsigned
[IO.File]::WriteAllText('$($TestDrive)/returned', "`$LASTEXITCODE `$path [`$env:STAMPINF_VERSION]")
"@
        $encoded = [Convert]::ToBase64String([Text.Encoding]::Unicode.GetBytes($command))
        $null = & (Get-Process -Id $PID).Path -NoProfile -NonInteractive -EncodedCommand $encoded
        [IO.File]::ReadAllText("$TestDrive/returned") | Should -Be "0 $result []"
        $files = Get-ChildItem -LiteralPath $result -Recurse -File | ForEach-Object { $_.FullName.Substring($result.Length + 1) } | Sort-Object
        $parts = Get-ChildItem (Join-Path $sources 'Test-Driver') | ForEach-Object { "Test-Driver/$($_.Name)" }
        $files | Should -Be (@('driver/my_filter.cat', 'driver/my_filter.inf', 'driver/my_filter.pdb', 'driver/my_filter.sys', 'Test-Driver.ps1', 'Test-Driver.psd1', 'Windows.ps1') + $parts | Sort-Object)
        [IO.File]::ReadAllText("$result/driver/my_filter.sys") | Should -Be "$project`n"
        [IO.File]::ReadAllText("$result/driver/my_filter.inf") | Should -BeLike '*,1.2.3.0*'
    }
}
