# Install-BuildTools.ps1 on a simulated Windows.

BeforeAll {
    . (Join-Path $PSScriptRoot 'Machine.ps1')
    . (Join-Path $PSScriptRoot 'BuildMachine.ps1')

    # The machine, with the folder of the kit beside the project.
    function New-ToolBench([string] $Processor = 'AMD64', [string] $Root = '') {
        $bench = New-BuildMachine 'Install-BuildTools.ps1'
        $bench.Machine.Facts.Processor = $Processor
        $bench | Add-Member Root $(if ($Root) { $Root } else { Join-Path $bench.Project 'kit' })
        $bench | Add-Member Kit (Join-Path $bench.Root 'kit-10.0.26100.6584')
        $version = if ($Processor -eq 'ARM64') { '20.1.6' } else { '17.0.6' }
        $bench | Add-Member Llvm (Join-Path $bench.Root "llvm-$version")
        return $bench
    }

    # Runs the script, which must succeed.
    function Install-Tool($Bench, [hashtable] $Arguments = @{}) {
        Invoke-PassingScript $Bench (@{ Folder = $Bench.Root } + $Arguments)
    }

    # The programs that download or install, in the order of their calls.
    function Get-Installation($Bench) {
        return @($Bench.Machine.Trace | ForEach-Object { $_.Split(' ')[0] } | Where-Object { $_ -match '^(curl|nuget|LLVM-.*)$' })
    }

    # All of LLVM and of the kit is there, and the variables name it.
    function Assert-Installed($Bench, [string] $Arch = 'amd64', [string] $Llvm = $Bench.Llvm) {
        $files = $Bench.Machine.Files
        $variables = $Bench.Machine.Environment
        $tools = if ($Bench.Machine.Facts.Processor -eq 'ARM64') { 'ARM64' } else { 'x64' }
        $content = if ($Arch -eq 'arm64') { 'ARM64' } else { 'x64' }
        $variables.LIBCLANG_PATH | Should -Be (Join-Path $Llvm 'bin')
        $variables.WDKContentRoot | Should -Be (Join-Path $Bench.Kit "Microsoft.Windows.WDK.$content.10.0.26100.6584\c")
        $variables.WDKBinRoot | Should -Be (Join-Path $Bench.Kit "Microsoft.Windows.WDK.$tools.10.0.26100.6584\c\bin\10.0.26100.0")
        $variables.WDKToolRoot | Should -Be (Join-Path $Bench.Kit "Microsoft.Windows.WDK.$tools.10.0.26100.6584\c\tools\10.0.26100.0")
        $variables.WindowsSdkBinPath | Should -Be (Join-Path $Bench.Kit 'Microsoft.Windows.SDK.CPP.10.0.26100.6584\c\bin')
        $variables.Version_Number | Should -Be '10.0.26100.0'
        $variables.Count | Should -Be 6
        $files[(Join-Path $Bench.Kit 'complete')] | Should -Be '10.0.26100.6584'
        foreach ($file in 'libclang.dll', 'clang.exe') {
            $files.Keys | Should -Contain (Join-Path $variables.LIBCLANG_PATH $file)
        }
        # What was downloaded is not left.
        $files.Keys | Where-Object { $_ -match 'LLVM-[^\\/]*\.exe$' } | Should -BeNullOrEmpty
    }
}

Describe 'The build tools' {
    It 'are installed for <Arch> on <Processor>' -ForEach @(
        foreach ($processor in 'AMD64', 'ARM64') {
            foreach ($arch in 'amd64', 'arm64') {
                @{ Processor = $processor; Arch = $arch }
            }
        }
    ) {
        $bench = New-ToolBench $Processor
        Install-Tool $bench @{ Arch = $Arch }
        $installer = if ($Processor -eq 'ARM64') { 'LLVM-20.1.6-woa64' } else { 'LLVM-17.0.6-win64' }
        Get-Installation $bench | Should -Be 'curl', $installer, 'nuget', 'nuget'
        Assert-Installed $bench $Arch
        $bench.Machine.Returned | Should -BeNullOrEmpty
    }

    It 'are not installed again, and neither nuget nor an administrator is asked for' {
        $bench = New-ToolBench
        Install-Tool $bench
        $bench.Machine.Trace.Clear()
        $bench.Machine.Environment.Clear()
        $bench.Machine.Programs.Clear()
        $bench.Machine.Facts.Administrator = $false
        Install-Tool $bench @{ Arch = 'arm64' }
        Get-Installation $bench | Should -BeNullOrEmpty
        Assert-Installed $bench 'arm64'
    }

    It 'use the LLVM of the machine where it is of the right version and processor: <Processor>' -ForEach @(
        @{ Processor = 'AMD64'; Version = '17.0.6'; Triple = 'x86_64-pc-windows-msvc' }
        @{ Processor = 'ARM64'; Version = '20.1.6'; Triple = 'aarch64-pc-windows-msvc' }
    ) {
        $bench = New-ToolBench $Processor
        $bench.Machine.Facts.Administrator = $false
        Set-MachineLlvm $bench.Machine $Version $Triple
        Install-Tool $bench
        Get-Installation $bench | Should -Be 'nuget', 'nuget'
        Assert-Installed $bench 'amd64' (Join-Path $bench.Machine.Facts.ProgramFiles 'LLVM')
    }

    It 'do not use an LLVM of <Name>' -ForEach @(
        # GitHub's images windows-2022 and windows-2025 of 2026-08-18.
        @{ Name = 'another version'; Processor = 'AMD64'; Version = '20.1.8'; Triple = 'x86_64-pc-windows-msvc' }
        @{ Name = 'a version that begins alike'; Processor = 'AMD64'; Version = '17.0.60'; Triple = 'x86_64-pc-windows-msvc' }
        # Build scripts on ARM64 cannot load the libclang.dll of x64 (actions/runner-images issue 14085).
        @{ Name = 'another processor'; Processor = 'ARM64'; Version = '20.1.6'; Triple = 'x86_64-pc-windows-msvc' }
        @{ Name = 'a program that does not start'; Processor = 'AMD64'; Version = '17.0.6'; Triple = 'broken' }
    ) {
        $bench = New-ToolBench $Processor
        Set-MachineLlvm $bench.Machine $Version $Triple
        Install-Tool $bench
        Assert-Installed $bench
    }

    It 'do not use an LLVM without <_>' -ForEach 'libclang.dll', 'stddef.h' {
        $bench = New-ToolBench
        Set-MachineLlvm $bench.Machine '17.0.6' 'x86_64-pc-windows-msvc'
        $pattern = "*$_"
        foreach ($file in @($bench.Machine.Files.Keys | Where-Object { $_ -like $pattern })) {
            $bench.Machine.Files.Remove($file)
        }
        Install-Tool $bench
        Assert-Installed $bench
    }

    It 'are installed where there are two SDKs of an older kit' {
        $bench = New-ToolBench
        $null = $bench.Machine.Folders.Add((Join-Path $bench.Root 'Microsoft.Windows.SDK.CPP.10.0.26100.1'))
        $null = $bench.Machine.Folders.Add((Join-Path $bench.Root 'Microsoft.Windows.SDK.CPP.10.0.26100.2'))
        Install-Tool $bench
        Assert-Installed $bench
    }

    It 'are installed to <_>' -ForEach 'a b', 'x[1]', "it's", 'Größe 過濾' {
        $bench = New-ToolBench 'AMD64' (Join-Path $TestDrive $_)
        Install-Tool $bench
        Assert-Installed $bench
    }

    It 'are installed to a folder that is relative to where the script is started' {
        $bench = New-ToolBench 'AMD64' (Join-Path ([IO.Path]::GetTempPath().TrimEnd('/', '\')) 'relative')
        Invoke-PassingScript $bench @{ Folder = './relative' } ([IO.Path]::GetTempPath())
        Assert-Installed $bench
    }

    It 'are named to the steps that follow: <Name>' -ForEach @(
        @{ Name = 'GitHub'; Variables = @{ GITHUB_ENV = '/github/env' } }
        @{ Name = 'Azure'; Variables = @{ TF_BUILD = 'True' } }
    ) {
        $bench = New-ToolBench
        $bench.Machine.Environment = $Variables
        Install-Tool $bench
        $prefix, $lines = if ($Name -eq 'GitHub') {
            '', $bench.Machine.Files['/github/env'].TrimEnd("`n").Split("`n")
        }
        else {
            '##vso[task.setvariable variable=', @($bench.Machine.Console | Where-Object { $_.StartsWith('##vso') })
        }
        $lines.Count | Should -Be 6
        $separator = if ($Name -eq 'GitHub') { '=' } else { ']' }
        foreach ($line in $lines) {
            $variable, $value = $line.Substring($prefix.Length).Split($separator, 2)
            $bench.Machine.Environment[$variable] | Should -Be $value
        }
    }
}

Describe 'What is broken' {
    It 'is repaired: <_>' -ForEach @(
        'clang.exe', 'libclang.dll', 'stddef.h', 'llvm*complete', 'fltKernel.h', 'crt.h', 'sal.h', 'fltMgr.lib', 'stampinf.exe'
        'infverif.exe', 'signtool.exe', 'kit-*complete'
    ) {
        $bench = New-ToolBench
        Install-Tool $bench
        $machine = $bench.Machine
        $pattern = "*$_"
        $name = @($machine.Files.Keys | Where-Object { $_ -like $pattern })
        $name.Count | Should -BeGreaterThan 0
        foreach ($file in $name) {
            $machine.Files.Remove($file)
            # Folders that are empty now are missing too.
            for ($folder = [IO.Path]::GetDirectoryName($file); $folder.StartsWith($bench.Root); $folder = [IO.Path]::GetDirectoryName($folder)) {
                if (-not @($machine.Files.Keys | Where-Object { $_.StartsWith($folder + [IO.Path]::DirectorySeparatorChar) }).Count) {
                    $null = $machine.Folders.Remove($folder)
                }
            }
        }
        $machine.Trace.Clear()
        Install-Tool $bench
        (Get-Installation $bench).Count | Should -Be 2
        Assert-Installed $bench
        foreach ($file in $name) {
            $machine.Files.Keys | Should -Contain $file
        }
    }

    It 'is repaired after <Program> was killed <_> its effect' -ForEach @(
        foreach ($program in 'curl', 'LLVM-17.0.6-win64', 'nuget') {
            foreach ($before in $true, $false) {
                @{ Program = $program; Before = $before }
            }
        }
    ) {
        $bench = New-ToolBench
        $machine = $bench.Machine
        Install-Tool $bench
        $call = $machine.Trace.FindIndex([Predicate[string]] { param($Line) $Line.Split(' ')[0] -eq $Program }) + 1
        $other = New-ToolBench
        $other.Machine.KillAt = $call
        $other.Machine.KillBefore = $Before
        Invoke-BuildScript $other @{ Folder = $other.Root } | Should -BeNullOrEmpty
        $other.Machine.KillAt = 0
        Install-Tool $other
        Assert-Installed $other
    }

    It 'is installed anew where nuget fails <_> times' -ForEach 1, 4 {
        $bench = New-ToolBench
        $bench.Build.Failures.nuget = $_
        Install-Tool $bench
        Assert-Installed $bench
        @($bench.Machine.Trace | Where-Object { $_ -eq 'Wait-Second 10' }).Count | Should -Be $_
    }

    It 'is downloaded again where the server fails <_> times' -ForEach 1, 4 {
        $bench = New-ToolBench
        $bench.Build.Failures.curl = $_
        Install-Tool $bench
        Assert-Installed $bench
        @($bench.Machine.Trace | Where-Object { $_ -eq 'Wait-Second 10' }).Count | Should -Be $_
    }
}

Describe 'An installation fails' {
    It 'where <Name>' -ForEach @(
        @{ Name = 'LLVM is missing and the user is no administrator'; Prepare = { $Machine.Facts.Administrator = $false }; Text = 'LLVM 17.0.6 is missing, and only an administrator can install it: run this script once at an elevated prompt.' }
        @{ Name = 'the kit is missing and there is no nuget'; Prepare = { $Machine.Programs.Remove('nuget') }; Text = 'nuget is not on the PATH: run winget install Microsoft.NuGet, and open a new prompt.' }
        @{ Name = 'the server does not answer'; Prepare = { $Machine.Build.Failures.curl = 5 }; Text = 'https://github.com/llvm/llvm-project/releases/download/llvmorg-17.0.6/LLVM-17.0.6-win64.exe could not be downloaded (curl, exit code 22): see above.' }
        @{ Name = 'the download is another file'; Prepare = { $Machine.Build.Download = '17.0.6 other'; $Machine.Hashes['17.0.6 other'] = 'ABCD' }; Text = 'The SHA-256 of LLVM-17.0.6-win64.exe is ABCD, and must be 89DC351AF8E8FA1CAFC6B48411E608AA9457C930A10F984AAD5D21AB020165B2: the download was changed or cut off. Run this script again.' }
        @{ Name = 'the installer of LLVM fails'; Prepare = { $Machine.Build.Failures.installer = 1 }; Text = 'LLVM-17.0.6-win64.exe ended with exit code 2, and LLVM 17.0.6 is not complete in *llvm-17.0.6: see above.' }
        @{ Name = 'the installer of LLVM leaves something out'; Prepare = { $Machine.Build.Lacks = @('libclang.dll') }; Text = 'LLVM-17.0.6-win64.exe ended with exit code 0, and LLVM 17.0.6 is not complete in *llvm-17.0.6: see above.' }
        @{ Name = 'clang does not end'; Prepare = { $Machine.Override = { param($Call, $With, $Do) if ($Call -eq 'clang') { New-Silence } else { & $Do } } }; Text = '*clang.exe gave no answer within 60 seconds: run this script again.' }
        @{ Name = 'nuget fails'; Prepare = { $Machine.Build.Failures.nuget = 5 }; Text = 'nuget could not install the driver kit 10.0.26100.6584 (exit code 1): see above.' }
        @{ Name = 'the kit has no headers'; Prepare = { $Machine.Build.Lacks = @('fltKernel.h') }; Text = 'nuget reported no error, but the driver kit 10.0.26100.6584 has no *fltKernel.h.' }
        @{ Name = 'the kit has no SDK'; Prepare = { $Machine.Build.Sdks = @() }; Text = 'nuget reported no error, but the driver kit 10.0.26100.6584 has no *Microsoft.Windows.SDK.CPP.' }
        @{ Name = 'the kit has two SDKs'; Prepare = { $Machine.Build.Sdks = @('Microsoft.Windows.SDK.CPP.10.0.26100.1', 'Microsoft.Windows.SDK.CPP.10.0.26100.2') }; Text = 'nuget reported no error, but the driver kit 10.0.26100.6584 has no *Microsoft.Windows.SDK.CPP.' }
    ) {
        $bench = New-ToolBench
        $Machine = $bench.Machine
        & $Prepare
        Invoke-BuildScript $bench @{ Folder = $bench.Root } | Should -Be 1
        Get-LastLine $bench | Should -BeLike "error: $Text"
        # After the last attempt, nothing is waited for.
        @($Machine.Trace | Where-Object { $_ -eq 'Wait-Second 10' }).Count | Should -BeIn 0, 4
        # What is not complete does not look so, and no variable names it.
        $Machine.Environment.Count | Should -Be 0
        $Machine.Files.Keys | Should -Not -Contain (Join-Path $bench.Kit 'complete')
        $Machine.Files.Keys | Where-Object { $_ -match 'LLVM-[^\\/]*\.exe$' } | Should -BeNullOrEmpty
    }

    It 'where an argument is not <_>' -ForEach @{ Arch = 'x64' }, @{ Other = 'x' } {
        $bench = New-ToolBench
        { Invoke-BuildScript $bench $_ } | Should -Throw
        $bench.Machine.Trace | Should -BeNullOrEmpty
    }
}
