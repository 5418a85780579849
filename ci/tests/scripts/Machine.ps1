# A simulated Windows that keeps a state, and processes that run the scripts on it.

. (Join-Path $PSScriptRoot 'simulated/Copies.ps1')

$sources = Join-Path (Split-Path (Split-Path (Split-Path $PSScriptRoot))) 'template/scripts'

# Scripts with what they dot-source.
$parts = @{
    'New-Package.ps1' = @('New-Package.ps1', 'Build.ps1')
    'Install-BuildTools.ps1' = @('Install-BuildTools.ps1', 'Build.ps1')
    'Test-Driver.ps1' = @('Test-Driver.ps1') + @((Get-ChildItem (Join-Path $sources 'Test-Driver') -Filter *.ps1).Name | ForEach-Object { "Test-Driver/$_" })
}

# The text of a script in which each statement records, in the set $Covered, that it was reached.
function Get-Instrumented([string] $Name) {
    $tree = [Management.Automation.Language.Parser]::ParseFile((Join-Path $sources $Name), [ref] $null, [ref] $null)
    $blocks = $tree.FindAll({ param($Node) $Node -is [Management.Automation.Language.NamedBlockAst] -or $Node -is [Management.Automation.Language.StatementBlockAst] }, $true)
    $text = $tree.Extent.Text
    $statements = @($blocks | ForEach-Object { $_.Statements } | Where-Object {
            $_ -and $_ -isnot [Management.Automation.Language.FunctionDefinitionAst]
        } | Sort-Object { $_.Extent.StartOffset } -Unique -Descending)
    foreach ($statement in $statements) {
        $at = "${Name}:$($statement.Extent.StartLineNumber):$($statement.Extent.StartColumnNumber)"
        $null = $AllStatements.Add($at)
        $text = $text.Insert($statement.Extent.StartOffset, "`$null = `$Covered.Add('$at'); ")
    }
    return $text
}

$instrumented = @{}

# A script in a folder of its own, with the simulated Windows. Test-Driver.ps1 also gets the expectations of a driver.
function New-ScriptFolder([string] $Folder, [string] $Script = 'Test-Driver.ps1', [hashtable] $Expected = @{}) {
    foreach ($part in $parts[$Script]) {
        if (-not $instrumented.ContainsKey($part)) {
            $instrumented[$part] = Get-Instrumented $part
        }
        $file = Join-Path $Folder $part
        $null = [IO.Directory]::CreateDirectory((Split-Path $file))
        [IO.File]::WriteAllText($file, $instrumented[$part])
    }
    [IO.File]::Copy((Join-Path $PSScriptRoot 'simulated/Windows.ps1'), (Join-Path $Folder 'Windows.ps1'), $true)
    if ($Script -eq 'Test-Driver.ps1') {
        Set-Expected $Folder $Expected
    }
    return $Folder
}

function Set-Expected([string] $Folder, [hashtable] $Expected) {
    $all = @{ AttachByHand = $false; FilterUnload = @($true); ServiceStop = @($true) } + @{}
    foreach ($name in $Expected.Keys) {
        $all[$name] = $Expected[$name]
    }
    $answer = { param($Value) "@{ Unloads = `$$($Value[0]); Codes = @($(($Value | Select-Object -Skip 1 | ForEach-Object { "'$_'" }) -join ', ')) }" }
    Set-Content -LiteralPath (Join-Path $Folder 'Test-Driver.psd1') @(
        '@{', "Driver = 'my_filter'", "AttachByHand = `$$($all.AttachByHand)"
        "FilterUnload = $(& $answer $all.FilterUnload)", "ServiceStop = $(& $answer $all.ServiceStop)", '}')
}

# A Windows without the driver, and the driver's package beside the scripts.
function New-Machine([string] $Folder, [int] $Build = 26100, [string] $Language = 'en') {
    $package = Join-Path $Folder 'driver'
    $machine = @{
        Facts           = [pscustomobject]@{
            Build = $Build; Is64BitProcess = $true; Processor = 'AMD64'; Administrator = $true; Drive = 'C:'
            System = '/windows/system32'; Windows = '/windows'; ProgramData = '/programdata'; ProgramFiles = '/programs'
        }
        NativeProcessor = 'AMD64'
        Language        = $Language
        Now             = [DateTime]::new(2026, 11, 26, 12, 0, 0, [DateTimeKind]::Utc)
        KernelDebugger  = [byte] 0
        StartOptions    = ' TESTSIGNING '
        Signature       = 'Valid'
        Programs        = @{}
        OtherProgram    = $null
        ProgramCall     = $null
        # The hashes of files, by their content.
        Hashes          = @{}
        # What a script returns beside its exit code, and whether it may return something.
        Returned        = @()
        Returns         = $false
        Environment     = @{}
        # What lasts until it is changed.
        Services        = @{}
        Packages        = @{}
        NextPackage     = 12
        Certificates    = [Collections.Generic.HashSet[string]]::new()
        VerifiedDrivers = @()
        BootMode        = ''
        Files           = @{}
        Folders         = [Collections.Generic.HashSet[string]]::new()
        Events          = [Collections.Generic.List[object]]::new()
        # What lasts until the next start of Windows.
        VolatileKeys    = [Collections.Generic.HashSet[string]]::new()
        Loaded          = [Collections.Generic.HashSet[string]]::new()
        Attached        = [Collections.Generic.HashSet[string]]::new()
        VerifiedActive  = @()
        ActiveDrivers   = @{}
        ActiveFlags     = [long] 0
        Faults          = 0
        Crashed         = 0
        # What lasts until the end of the process.
        Locks           = [Collections.Generic.HashSet[string]]::new()
        Traffic         = $null
        Dead            = $false
        # How the driver behaves.
        Driver          = @{
            FilterUnload = @{ Unloads = $true; Hangs = $false }; ServiceStop = @{ Unloads = $true; Hangs = $false }
            StartType = 3; InstallCode = 259; FailedLoads = 2; NeverLoads = $false; AttachByHand = $false
            AttachesAnyway = $false; ServiceStays = $false; TrafficHangs = $false; TrafficDies = $false; TrafficError = $false
        }
        # What is done to the process, and to Windows.
        Calls           = 0
        KillAt          = 0
        KillBefore      = $false
        KillMiddle      = $false
        # A list: a copy of the machine before and after each change, as if the process had been killed there.
        Killed          = $null
        Override        = $null
        CrashAt         = ''
        CrashAfter      = 0
        # What was seen.
        Trace           = [Collections.Generic.List[string]]::new()
        Console         = [Collections.Generic.List[string]]::new()
        Unloads         = [Collections.Generic.List[object]]::new()
    }
    foreach ($file in 'my_filter.sys', 'my_filter.cat') {
        $machine.Files[(Join-Path $package $file)] = 'binary'
    }
    $machine.Files[(Join-Path $package 'my_filter.inf')] = "[DefaultInstall.NTamd64]`r`n"
    $machine.Files[(Join-Path $package 'Test.cer')] = 'ABCDEF'
    $machine.Files[(Join-Path '/windows' 'INF\setupapi.dev.log')] = 'setup'
    return $machine
}

# Lets the driver behave, and Test-Driver.psd1 expect, as with these answers to the template's options.
function Set-Policy($Machine, [string] $Folder, [string] $Policy, [bool] $ServiceStop, [bool] $AttachByHand) {
    $refused = @{ Unloads = $false; ExitCode = 1; Output = '0x801F0010'; Hangs = $false }
    $invalid = @{ Unloads = $false; ExitCode = 1052; Output = ''; Hangs = $false }
    $expected = @{ AttachByHand = $AttachByHand }
    if ($Policy -ne 'always') {
        $Machine.Driver.FilterUnload = $refused
        $expected.FilterUnload = if ($Policy -eq 'never') { @($false) } else { @($false, '0x801F0010') }
    }
    if ($Policy -eq 'never' -or -not $ServiceStop) {
        $Machine.Driver.ServiceStop = $invalid
        $expected.ServiceStop = @($false, '1052')
    }
    $Machine.Driver.AttachByHand = $AttachByHand
    Set-Expected $Folder $expected
}

# A start of Windows, after a crash or a restart that somebody asked for.
function Restart-Machine($Machine) {
    $Machine.Now = $Machine.Now.AddMinutes(2)
    if ($Machine.Crashed) {
        # "Event ID 41": BugcheckCode is the first value, in decimal; 0 where the power failed.
        $Machine.Events.Add([pscustomobject]@{
                Time = $Machine.Now; Provider = 'Microsoft-Windows-Kernel-Power'; Id = 41
                Values = @([uint32] $Machine.Crashed, 0, 0); Message = 'restarted'
            })
        $Machine.Files['/windows/Minidump/112626-01.dmp'] = 'dump'
        $null = $Machine.Folders.Add('/windows/Minidump')
        if ($Machine.BootMode -eq 'resetonunusualshutdown') {
            $Machine.VerifiedDrivers = @()
        }
    }
    $Machine.Crashed = 0
    $Machine.Dead = $false
    $Machine.KillAt = 0
    $Machine.Locks.Clear()
    $Machine.Traffic = $null
    $Machine.VolatileKeys.Clear()
    $Machine.Loaded.Clear()
    $Machine.Attached.Clear()
    $Machine.ActiveDrivers.Clear()
    $Machine.VerifiedActive = $Machine.VerifiedDrivers
    $Machine.ActiveFlags = if ($Machine.VerifiedDrivers.Count) { [long] 0x209BB } else { [long] 0 }
    foreach ($name in $Machine.Services.Keys) {
        if ($Machine.Services[$name].Start -lt 3) {
            $null = $Machine.Loaded.Add($name)
        }
    }
}

# A process that is ready to run a script.
function New-Shell($Machine, [string] $Script, [hashtable] $Arguments, [string] $Folder) {
    $shell = [powershell]::Create()
    $state = $shell.Runspace.SessionStateProxy
    $state.SetVariable('Machine', $Machine)
    $state.SetVariable('Covered', $Covered)
    $state.SetVariable('MachinePrograms', (Join-Path $PSScriptRoot 'simulated/Programs.ps1'))
    $state.SetVariable('MachineCopies', (Join-Path $PSScriptRoot 'simulated/Copies.ps1'))
    $null = $shell.AddScript({
            param($Script, $Arguments, $Folder)
            if ($Folder) { Set-Location -LiteralPath $Folder }
            $global:LASTEXITCODE = 0
            & $Script @Arguments
            $global:LASTEXITCODE
        }).AddArgument($Script).AddArgument($Arguments).AddArgument($Folder)
    return $shell
}

# Runs a script in a process of its own, as far as it comes, and returns its exit code; nothing where it was killed.
function Invoke-Script($Machine, [string] $Script, [hashtable] $Arguments = @{}, [string] $Folder = '') {
    $Machine.Dead = $false
    $Machine.Locks.Clear()
    $Machine.Console.Clear()
    $Machine.Calls = 0
    $shell = New-Shell $Machine $Script $Arguments $Folder
    try {
        try {
            $code = @($shell.Invoke())
        }
        catch {
            if (-not $Machine.Dead) {
                throw
            }
        }
        if ($Machine.Dead) {
            return $null
        }
        if ($shell.Streams.Error.Count) {
            throw "errors of ${Script}: $($shell.Streams.Error -join '; ')"
        }
        $Machine.Returned = @($code | Select-Object -SkipLast 1)
        if ($Machine.Returned.Count -and -not $Machine.Returns) {
            throw "${Script} returned: $($code -join '; ')"
        }
        return [int] $code[-1]
    }
    finally {
        $shell.Dispose()
        # The traffic ends with the process that has started it.
        $Machine.Traffic = $null
    }
}

# Copies the package of the driver to another folder.
function Copy-Package($Machine, [string] $Folder) {
    foreach ($file in @($Machine.Files.Keys | Where-Object { $_ -like '*driver?my_filter*' -or $_ -like '*.cer' })) {
        $Machine.Files[(Join-Path $Folder (Split-Path $file -Leaf))] = $Machine.Files[$file]
    }
}

# What the scripts must leave as it was.
function Get-Snapshot($Machine, [string] $Report) {
    $files = $Machine.Files.Keys | Where-Object { -not $_.StartsWith($Report) -and $_ -notlike '*Minidump*' }
    $folders = $Machine.Folders | Where-Object { -not $_.StartsWith($Report) -and $_ -notlike '*Minidump*' }
    return @(
        "services $(($Machine.Services.Keys | Sort-Object | ForEach-Object { "$_=$($Machine.Services[$_].Start)" }) -join ' ')"
        "packages $(($Machine.Packages.Values | Sort-Object) -join ' ')"
        "certificates $(($Machine.Certificates | Sort-Object) -join ' ')"
        "verifier $($Machine.VerifiedDrivers -join ' ')"
        "keys $(($Machine.VolatileKeys | Sort-Object) -join ' ')"
        "loaded $(($Machine.Loaded | Sort-Object) -join ' ')"
        "low $($Machine.ActiveFlags -band 4)"
        "files $(($files | Sort-Object) -join ' ')"
        "folders $(($folders | Sort-Object) -join ' ')"
    ) -join "`n"
}
