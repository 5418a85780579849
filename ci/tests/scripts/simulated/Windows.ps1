# Stands in for template/scripts/Windows.ps1: the same functions, on a simulated Windows, the global variable $Machine
# (New-Machine in ../Machine.ps1). What each program answers is cited there, where it is decided.

# What a case lets happen in place of a call: a script block with the parameters $Call, $With and $Do.
$override = if ($Machine.Override) { [scriptblock]::Create("$($Machine.Override)") }

# Every call: counted, and ended before or after its effect where the process is to be killed. After that, no call has an
# effect until the next process.
# The parameters have names that no caller uses: an effect sees the variables of both.
function Invoke-Simulated([string] $CallName, [string] $CallDetail, [scriptblock] $CallEffect) {
    if ($Machine.Dead) {
        throw 'the process is killed'
    }
    $Machine.Calls++
    $call = $Machine.Calls
    $Machine.Trace.Add("$CallName $CallDetail".Trim())
    if ($Machine.KillAt -eq $call -and $Machine.KillBefore) {
        $Machine.Dead = $true
        throw 'the process is killed'
    }
    $change = $null -ne $Machine.Killed -and (Test-Change $CallName $CallDetail)
    if ($change) {
        Add-Killed "before $CallName $CallDetail"
        if ($CallName -eq 'Add-Line') {
            Add-Killed "in the middle of $CallName $CallDetail" { $copy.Files[$Path] = "$($copy.Files[$Path])$($Text.Substring(0, [int] ($Text.Length / 2)))" }
        }
    }
    $answer = if ($override) { & $override $CallName $CallDetail $CallEffect } else { & $CallEffect }
    if ($change) {
        Add-Killed "after $CallName $CallDetail"
    }
    if ($Machine.KillAt -eq $call) {
        $Machine.Dead = $true
    }
    if ($Machine.Dead) {
        throw 'the process is killed'
    }
    return $answer
}

# Whether a call changes what outlasts the process. The log, and what is read, do not count.
function Test-Change([string] $CallName, [string] $CallDetail) {
    if ($CallName -eq 'Add-Line') {
        return $CallDetail -notlike '*log.txt'
    }
    if ($CallName -match '^(New|Add|Set-FileLength|Remove|Write-Text|Move|Copy|Start-Work|Stop-Work)') {
        return $true
    }
    return $CallName -match '^(verifier|fltmc|sc|pnputil|cargo|nuget|curl|LLVM-.*)$' -and
        $CallDetail -notmatch '^(/query|/enum-drivers|filters|instances |metadata |wdk --version)'
}

# Keeps a copy of the machine, as if the process had been killed here.
function Add-Killed([string] $Where, [scriptblock] $More = $null) {
    $copy = Copy-Machine $Machine
    if ($More) {
        & $More
    }
    $Machine.Killed.Add([pscustomobject]@{ Where = $Where; Machine = $copy })
}

function Invoke-Program(
    [string] $Path, [string] $Arguments, [int] $Seconds, [Text.Encoding] $Encoding = $null, [string] $Folder = '') {
    $name = [IO.Path]::GetFileNameWithoutExtension($Path)
    Invoke-Simulated $name $Arguments {
        $Machine.ProgramCall = @{ Path = $Path; Folder = $Folder; Environment = @{}; Encoding = $Encoding }
        Invoke-SimulatedProgram $name $Arguments
    }
}

function Invoke-VisibleProgram([string] $Path, [string] $Arguments, [string] $Folder, [hashtable] $Environment = @{}) {
    $name = [IO.Path]::GetFileNameWithoutExtension($Path)
    Invoke-Simulated $name $Arguments {
        $Machine.ProgramCall = @{ Path = $Path; Folder = $Folder; Environment = $Environment; Encoding = $null }
        (Invoke-SimulatedProgram $name $Arguments).ExitCode
    }
}

function Find-Program([string] $Name) {
    Invoke-Simulated 'Find-Program' $Name { $Machine.Programs[$Name] }
}

function Get-Machine {
    Invoke-Simulated 'Get-Machine' '' { $Machine.Facts }
}

function Get-KernelDebugger {
    Invoke-Simulated 'Get-KernelDebugger' '' { $Machine.KernelDebugger }
}

function Get-Now {
    Invoke-Simulated 'Get-Now' '' { $Machine.Now }
}

function Wait-Second([int] $Count) {
    Invoke-Simulated 'Wait-Second' "$Count" {
        $Machine.Now = $Machine.Now.AddSeconds($Count)
        Step-Traffic $Count
    }
}

function Get-SystemEvent([DateTime] $Since) {
    Invoke-Simulated 'Get-SystemEvent' '' { $Machine.Events | Where-Object { $_.Time -ge $Since } }
}

function Get-DriverService([string] $Name) {
    Invoke-Simulated 'Get-DriverService' $Name {
        if ($Machine.Services.ContainsKey($Name)) {
            $state = if ($Machine.Loaded -contains $Name) { 'Running' } else { 'Stopped' }
            [pscustomobject]@{ Name = $Name; State = $state }
        }
    }
}

function Get-RegistryValue([string] $Key, [string] $Name) {
    Invoke-Simulated 'Get-RegistryValue' "$Key $Name" {
        switch -Regex ("$Key\$Name") {
            'VerifyDrivers$' { if ($Machine.VerifiedDrivers.Count) { $Machine.VerifiedDrivers -join ' ' } }
            'SystemStartOptions$' { $Machine.StartOptions }
            'PROCESSOR_ARCHITECTURE$' { $Machine.NativeProcessor }
            'Services\\([^\\]+)\\Start$' {
                if ($Machine.Services.ContainsKey($Matches[1])) { $Machine.Services[$Matches[1]].Start }
            }
        }
    }
}

function Test-RegistryKey([string] $Key) {
    Invoke-Simulated 'Test-RegistryKey' $Key { $Machine.VolatileKeys -contains $Key }
}

function New-VolatileKey([string] $Key) {
    Invoke-Simulated 'New-VolatileKey' $Key { $null = $Machine.VolatileKeys.Add($Key) }
}

function Remove-RegistryKey([string] $Key) {
    Invoke-Simulated 'Remove-RegistryKey' $Key { $null = $Machine.VolatileKeys.Remove($Key) }
}

function Get-SignatureStatus([string] $Path) {
    Invoke-Simulated 'Get-SignatureStatus' $Path { $Machine.Signature }
}

function Get-Thumbprint([string] $Path) {
    Invoke-Simulated 'Get-Thumbprint' $Path { $Machine.Files[$Path] }
}

function Test-Certificate([string] $Store, [string] $Thumbprint) {
    Invoke-Simulated 'Test-Certificate' "$Store $Thumbprint" { $Machine.Certificates -contains "$Store\$Thumbprint" }
}

function Add-Certificate([string] $Store, [string] $Path) {
    Invoke-Simulated 'Add-Certificate' "$Store $Path" { $null = $Machine.Certificates.Add("$Store\$($Machine.Files[$Path])") }
}

function Remove-Certificate([string] $Store, [string] $Thumbprint) {
    Invoke-Simulated 'Remove-Certificate' "$Store $Thumbprint" { $null = $Machine.Certificates.Remove("$Store\$Thumbprint") }
}

function Read-Text([string] $Path) {
    Invoke-Simulated 'Read-Text' $Path { $Machine.Files[$Path] }
}

function Write-Text([string] $Path, [string] $Text) {
    Invoke-Simulated 'Write-Text' $Path { $Machine.Files[$Path] = $Text }
}

function Add-Line([string] $Path, [string] $Text) {
    Invoke-Simulated 'Add-Line' $Path {
        $old = $Machine.Files[$Path]
        # A kill in the middle leaves a part of the line.
        if ($Machine.KillAt -eq $Machine.Calls -and $Machine.KillMiddle) {
            $Machine.Files[$Path] = "$old$($Text.Substring(0, [int] ($Text.Length / 2)))"
        }
        else {
            $Machine.Files[$Path] = "$old$Text`n"
        }
    }
}

function Set-FileLength([string] $Path, [long] $Length) {
    Invoke-Simulated 'Set-FileLength' $Path {
        $bytes = [Text.Encoding]::UTF8.GetBytes($Machine.Files[$Path])
        $Machine.Files[$Path] = [Text.Encoding]::UTF8.GetString($bytes, 0, $Length)
    }
}

function Test-Exists([string] $Path) {
    Invoke-Simulated 'Test-Exists' $Path { $Machine.Files.ContainsKey($Path) -or $Machine.Folders -contains $Path }
}

function Get-FilePath([string] $Folder, [string] $Pattern) {
    Invoke-Simulated 'Get-FilePath' "$Folder $Pattern" {
        $Machine.Files.Keys | Where-Object { (Split-Path $_) -eq $Folder -and (Split-Path $_ -Leaf) -like $Pattern }
    }
}

function Get-FolderPath([string] $Folder, [string] $Pattern) {
    Invoke-Simulated 'Get-FolderPath' "$Folder $Pattern" {
        $Machine.Folders | Where-Object { (Split-Path $_) -replace '\\', '/' -eq ($Folder -replace '\\', '/') -and (Split-Path $_ -Leaf) -like $Pattern }
    }
}

function Get-Sha256([string] $Path) {
    Invoke-Simulated 'Get-Sha256' $Path { $Machine.Hashes[$Machine.Files[$Path]] }
}

function Get-WriteTime([string] $Path) {
    Invoke-Simulated 'Get-WriteTime' $Path { $Machine.Now }
}

function New-Folder([string] $Path) {
    Invoke-Simulated 'New-Folder' $Path { $null = $Machine.Folders.Add($Path) }
}

function Copy-OneFile([string] $Path, [string] $To) {
    Invoke-Simulated 'Copy-OneFile' $Path {
        if (-not $Machine.Files.ContainsKey($Path)) {
            throw "$Path is not there"
        }
        $Machine.Files[$To] = $Machine.Files[$Path]
    }
}

function Move-Folder([string] $Path, [string] $To) {
    Invoke-Simulated 'Move-Folder' "$Path $To" {
        if ($Machine.Folders -contains $To -or $Machine.Files.ContainsKey($To)) {
            throw "$To is there already"
        }
        foreach ($file in @($Machine.Files.Keys | Where-Object { $_.StartsWith("$Path$([IO.Path]::DirectorySeparatorChar)") })) {
            $Machine.Files[$To + $file.Substring($Path.Length)] = $Machine.Files[$file]
            $Machine.Files.Remove($file)
        }
        foreach ($folder in @($Machine.Folders | Where-Object { $_ -eq $Path -or $_.StartsWith("$Path$([IO.Path]::DirectorySeparatorChar)") })) {
            $null = $Machine.Folders.Remove($folder)
            $null = $Machine.Folders.Add($To + $folder.Substring($Path.Length))
        }
    }
}

function Remove-Path([string] $Path) {
    Invoke-Simulated 'Remove-Path' $Path {
        $below = { $_ -eq $Path -or $_.StartsWith("$Path/") -or $_.StartsWith("$Path\") }
        foreach ($file in @($Machine.Files.Keys | Where-Object $below)) {
            $Machine.Files.Remove($file)
        }
        foreach ($folder in @($Machine.Folders | Where-Object $below)) {
            $null = $Machine.Folders.Remove($folder)
        }
    }
}

function Write-Console([string] $Text) {
    Invoke-Simulated 'Write-Console' '' { $Machine.Console.Add($Text) }
}

function Enter-Lock([string] $Name) {
    Invoke-Simulated 'Enter-Lock' $Name {
        if ($Machine.Locks.Add($Name)) { $Name }
    }
}

function Exit-Lock($Lock) {
    Invoke-Simulated 'Exit-Lock' $Lock { $null = $Machine.Locks.Remove($Lock) }
}

function Start-Work([string] $Script, [string] $Folder) {
    Invoke-Simulated 'Start-Work' $Folder {
        $Machine.Traffic = @{ Folder = $Folder; State = 'Running'; Seconds = 0; Round = 0; Items = [Collections.Generic.List[object]]::new() }
        $Machine.Traffic
    }
}

function Receive-Work($Job) {
    Invoke-Simulated 'Receive-Work' '' {
        $items = $Job.Items.ToArray()
        $Job.Items.Clear()
        $items
    }
}

function Get-WorkState($Job) {
    Invoke-Simulated 'Get-WorkState' '' { $Job.State }
}

function Stop-Work($Job) {
    Invoke-Simulated 'Stop-Work' '' {
        $Job.State = 'Stopped'
        $Machine.Traffic = $null
    }
}

function Get-EnvironmentVariable([string] $Name) {
    Invoke-Simulated 'Get-EnvironmentVariable' $Name { $Machine.Environment[$Name] }
}

function Set-EnvironmentVariable([string] $Name, [string] $Value) {
    Invoke-Simulated 'Set-EnvironmentVariable' $Name { $Machine.Environment[$Name] = $Value }
}

. $MachinePrograms
. $MachineCopies
