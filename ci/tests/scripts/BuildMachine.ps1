# A simulated Windows with a project, and with the programs that building takes.

function New-BuildMachine([string] $Script, [string] $Project = '') {
    if (-not $Project) {
        $Project = Join-Path $ScriptHome "$Script project"
    }
    $scripts = New-ScriptFolder (Join-Path $Project 'scripts') $Script
    $machine = New-Machine $Project
    foreach ($name in 'cargo', 'nuget') {
        $machine.Programs[$name] = "/programs/$name.exe"
    }
    $programs = (Join-Path $PSScriptRoot 'simulated/BuildPrograms.ps1') -replace "'", "''"
    $machine.OtherProgram = [scriptblock]::Create("param(`$Name, `$Arguments) . '$programs'; Invoke-BuildProgram `$Name `$Arguments")
    # What the package takes from the project.
    foreach ($name in 'Test-Driver.ps1', 'Test-Driver.psd1', 'Windows.ps1', 'Test-Driver/Rounds.ps1', 'Test-Driver/Journal.ps1') {
        $machine.Files[(Join-Path $scripts $name)] = "the project's $name"
    }
    $machine.Hashes['17.0.6 win64'] = '89DC351AF8E8FA1CAFC6B48411E608AA9457C930A10F984AAD5D21AB020165B2'
    $machine.Hashes['20.1.6 woa64'] = '92F69A1134E32E54B07D51C6E24D9594852F6476F32C3D70471AE00FFFC2D462'
    $machine.Build = @{
        Project      = $Project
        Target       = Join-Path $Project 'target'
        Driver       = 'my_filter'
        Run          = 1
        Members      = @(, @('my-filter', '0.1.0', (Join-Path $Project 'Cargo.toml')))
        Metadata     = $null
        WdkVersion   = [pscustomobject]@{ ExitCode = 0; Output = "cargo-wdk 0.2.0`n"; TimedOut = $false }
        # The arguments for signtool sign, where they are not cargo-wdk's own.
        Signtool     = ''
        # How often a step fails before it succeeds.
        Failures     = @{ desktop = 0; universal = 0; signing = 0; nuget = 0; curl = 0; installer = 0 }
        # cargo-wdk ends with 0 and makes nothing.
        Skips        = $false
        OtherVersion = ''
        # Files that are not made.
        Lacks        = @()
        Download     = ''
        Sdks         = @('Microsoft.Windows.SDK.CPP.10.0.26100.6584', 'Microsoft.Windows.SDK.CPP.x64.10.0.26100.6584')
    }
    return [pscustomobject]@{
        Machine = $machine
        Project = $Project
        Script  = Join-Path $scripts $Script
        Build   = $machine.Build
    }
}

# Runs the script and returns its exit code.
function Invoke-BuildScript($Bench, [hashtable] $Arguments = @{}, [string] $Folder = '') {
    $Bench.Machine.Returns = $true
    return Invoke-Script $Bench.Machine $Bench.Script $Arguments $Folder
}

# Runs the script, which must succeed.
function Invoke-PassingScript($Bench, [hashtable] $Arguments = @{}, [string] $Folder = '') {
    $code = Invoke-BuildScript $Bench $Arguments $Folder
    if ($code -ne 0) {
        throw "exit code ${code}: $($Bench.Machine.Console -join "`n")"
    }
}

# The last line of the console: an error.
function Get-LastLine($Bench) {
    return $Bench.Machine.Console[-1]
}

# An LLVM that was installed for the whole machine.
function Set-MachineLlvm($Machine, [string] $Version, [string] $Triple) {
    $folder = Join-Path $Machine.Facts.ProgramFiles 'LLVM'
    $Machine.Files[(Join-Path $folder 'bin\clang.exe')] = "$Version $Triple"
    $Machine.Files[(Join-Path $folder 'bin\libclang.dll')] = 'binary'
    $Machine.Files[(Join-Path $folder "lib\clang\$($Version.Split('.')[0])\include\stddef.h")] = 'text'
}
