# What the scripts use of Windows. The functions contain no decision of the scripts and parse nothing: their callers do. A
# test replaces this file by a simulated Windows with functions of the same names.

# ---------------------------------------------------------------------------------------------------------------------
# Programs

# Runs a program, by its full path, for at most so many seconds: in a folder, or where this process is. Returns its exit
# code, what it wrote, and whether it was ended because the time was over.
function Invoke-Program(
    [string] $Path, [string] $Arguments, [int] $Seconds, [Text.Encoding] $Encoding = $null, [string] $Folder = '') {
    $start = [Diagnostics.ProcessStartInfo]::new($Path, $Arguments)
    $start.UseShellExecute = $false
    $start.WorkingDirectory = $Folder
    $start.CreateNoWindow = $true
    $start.RedirectStandardInput = $true
    $start.RedirectStandardOutput = $true
    $start.RedirectStandardError = $true
    $start.StandardOutputEncoding = $Encoding
    $start.StandardErrorEncoding = $Encoding
    $process = [Diagnostics.Process]::Start($start)
    try {
        $process.StandardInput.Close()
        $output = $process.StandardOutput.ReadToEndAsync()
        $errors = $process.StandardError.ReadToEndAsync()
        $ended = $process.WaitForExit($Seconds * 1000)
        if (-not $ended) {
            $process.Kill()
            $null = $process.WaitForExit(5000)
        }
        # A program that the ended one has started may hold the streams open.
        $null = [Threading.Tasks.Task]::WaitAll([Threading.Tasks.Task[]] @($output, $errors), 5000)
        $text = foreach ($stream in $output, $errors) {
            if ($stream.IsCompleted) {
                $stream.Result
            }
        }
        return [pscustomobject]@{
            ExitCode = if ($process.HasExited) { $process.ExitCode } else { $null }
            Output   = -join $text
            TimedOut = -not $ended
        }
    }
    finally {
        $process.Dispose()
    }
}

# Runs a program in a folder, with additional environment variables. What it writes goes to the console. Returns its exit
# code.
function Invoke-VisibleProgram([string] $Path, [string] $Arguments, [string] $Folder, [hashtable] $Environment = @{}) {
    $start = [Diagnostics.ProcessStartInfo]::new($Path, $Arguments)
    $start.UseShellExecute = $false
    $start.WorkingDirectory = $Folder
    foreach ($name in $Environment.Keys) {
        $start.EnvironmentVariables[$name] = $Environment[$name]
    }
    $process = [Diagnostics.Process]::Start($start)
    try {
        $process.WaitForExit()
        return $process.ExitCode
    }
    finally {
        $process.Dispose()
    }
}

# The full path of a program on the PATH, or nothing.
function Find-Program([string] $Name) {
    return Get-Command $Name -CommandType Application -ErrorAction SilentlyContinue |
        Select-Object -First 1 -ExpandProperty Source
}

# ---------------------------------------------------------------------------------------------------------------------
# The machine

function Get-Machine {
    $user = [Security.Principal.WindowsPrincipal]::new([Security.Principal.WindowsIdentity]::GetCurrent())
    return [pscustomobject]@{
        Build           = [Environment]::OSVersion.Version.Build
        Is64BitProcess  = [Environment]::Is64BitProcess
        Processor       = $env:PROCESSOR_ARCHITECTURE
        Administrator   = $user.IsInRole([Security.Principal.WindowsBuiltInRole]::Administrator)
        System          = [Environment]::SystemDirectory
        Windows         = [Environment]::GetFolderPath('Windows')
        Drive           = $env:SystemDrive
        ProgramData     = [Environment]::GetFolderPath('CommonApplicationData')
        ProgramFiles    = [Environment]::GetFolderPath('ProgramFiles')
    }
}

# KdDebuggerEnabled of KUSER_SHARED_DATA (ntddk.h): bit 0, a kernel debugger is enabled; bit 1, one is attached.
function Get-KernelDebugger {
    return [Runtime.InteropServices.Marshal]::ReadByte([IntPtr] 0x7FFE02D4)
}

function Get-Now {
    return [DateTime]::UtcNow
}

function Wait-Second([int] $Count) {
    Start-Sleep -Seconds $Count
}

# The entries of the System log since a time, with the values of their properties.
function Get-SystemEvent([DateTime] $Since) {
    $time = $Since.ToUniversalTime().ToString('yyyy-MM-ddTHH:mm:ss.fffZ', [Globalization.CultureInfo]::InvariantCulture)
    $query = "*[System[TimeCreated[@SystemTime>='$time']]]"
    $log = [Diagnostics.Eventing.Reader.EventLogQuery]::new('System', 'LogName', $query)
    $reader = [Diagnostics.Eventing.Reader.EventLogReader]::new($log)
    try {
        while ($null -ne ($record = $reader.ReadEvent())) {
            [pscustomobject]@{
                Time     = $record.TimeCreated
                Provider = $record.ProviderName
                Id       = $record.Id
                Values   = @($record.Properties | ForEach-Object { $_.Value })
                Message  = try { $record.FormatDescription() } catch { '' }
            }
        }
    }
    finally {
        $reader.Dispose()
    }
}

# A Win32_SystemDriver, or nothing.
function Get-DriverService([string] $Name) {
    return Get-CimInstance Win32_SystemDriver -Filter "Name='$Name'" -OperationTimeoutSec 60
}

# ---------------------------------------------------------------------------------------------------------------------
# The registry, below HKEY_LOCAL_MACHINE

# A value, or nothing.
function Get-RegistryValue([string] $Key, [string] $Name) {
    return [Microsoft.Win32.Registry]::GetValue("HKEY_LOCAL_MACHINE\$Key", $Name, $null)
}

function Test-RegistryKey([string] $Key) {
    return Test-Path -LiteralPath "HKLM:\$Key"
}

# A key that the next restart removes.
function New-VolatileKey([string] $Key) {
    [Microsoft.Win32.Registry]::LocalMachine.CreateSubKey(
        $Key, [Microsoft.Win32.RegistryKeyPermissionCheck]::Default, [Microsoft.Win32.RegistryOptions]::Volatile).Dispose()
}

function Remove-RegistryKey([string] $Key) {
    [Microsoft.Win32.Registry]::LocalMachine.DeleteSubKey($Key, $false)
}

# ---------------------------------------------------------------------------------------------------------------------
# Signatures and certificates

function Get-SignatureStatus([string] $Path) {
    return [string] (Get-AuthenticodeSignature -LiteralPath $Path).Status
}

function Get-Thumbprint([string] $Path) {
    return [Security.Cryptography.X509Certificates.X509Certificate2]::new($Path).Thumbprint
}

function Test-Certificate([string] $Store, [string] $Thumbprint) {
    return Test-Path -LiteralPath "Cert:\LocalMachine\$Store\$Thumbprint"
}

function Add-Certificate([string] $Store, [string] $Path) {
    $null = Import-Certificate -FilePath $Path -CertStoreLocation "Cert:\LocalMachine\$Store"
}

function Remove-Certificate([string] $Store, [string] $Thumbprint) {
    Remove-Item -LiteralPath "Cert:\LocalMachine\$Store\$Thumbprint"
}

# ---------------------------------------------------------------------------------------------------------------------
# Files

# The text of a file, or nothing where there is no such file.
function Read-Text([string] $Path) {
    if ([IO.File]::Exists($Path)) {
        return [IO.File]::ReadAllText($Path)
    }
}

function Write-Text([string] $Path, [string] $Text) {
    [IO.File]::WriteAllText($Path, $Text)
}

# Appends a line, and returns when it is on the disk. A line that cannot be written completely is removed again.
function Add-Line([string] $Path, [string] $Text) {
    $bytes = [Text.UTF8Encoding]::new($false).GetBytes("$Text`n")
    $stream = [IO.FileStream]::new($Path, [IO.FileMode]::OpenOrCreate)
    try {
        $length = $stream.Length
        $null = $stream.Seek(0, [IO.SeekOrigin]::End)
        try {
            $stream.Write($bytes, 0, $bytes.Length)
            $stream.Flush($true)
        }
        catch {
            $stream.SetLength($length)
            throw
        }
    }
    finally {
        $stream.Dispose()
    }
}

# Cuts a file to a number of bytes.
function Set-FileLength([string] $Path, [long] $Length) {
    $stream = [IO.FileStream]::new($Path, [IO.FileMode]::Open)
    try {
        $stream.SetLength($Length)
        $stream.Flush($true)
    }
    finally {
        $stream.Dispose()
    }
}

function Test-Exists([string] $Path) {
    return [IO.File]::Exists($Path) -or [IO.Directory]::Exists($Path)
}

# The full paths of the files of a folder whose names match; none where there is no such folder.
function Get-FilePath([string] $Folder, [string] $Pattern) {
    if ([IO.Directory]::Exists($Folder)) {
        return [IO.Directory]::GetFiles($Folder, $Pattern)
    }
}

# The full paths of the folders of a folder whose names match; none where there is no such folder.
function Get-FolderPath([string] $Folder, [string] $Pattern) {
    if ([IO.Directory]::Exists($Folder)) {
        return [IO.Directory]::GetDirectories($Folder, $Pattern)
    }
}

# The SHA-256 of a file, in hexadecimal digits.
function Get-Sha256([string] $Path) {
    return (Get-FileHash -LiteralPath $Path -Algorithm SHA256).Hash
}

function Get-WriteTime([string] $Path) {
    return [IO.File]::GetLastWriteTimeUtc($Path)
}

function New-Folder([string] $Path) {
    $null = [IO.Directory]::CreateDirectory($Path)
}

function Copy-OneFile([string] $Path, [string] $To) {
    [IO.File]::Copy($Path, $To, $true)
}

function Move-Folder([string] $Path, [string] $To) {
    [IO.Directory]::Move($Path, $To)
}

# Removes a file, or a folder with all that it contains.
function Remove-Path([string] $Path) {
    Remove-Item -LiteralPath $Path -Recurse -Force
}

# ---------------------------------------------------------------------------------------------------------------------
# This script and its console

function Write-Console([string] $Text) {
    Write-Host $Text
}

# Takes what only one process of the machine can hold, until Exit-Lock or the end of the process. Returns nothing where
# another process holds it.
function Enter-Lock([string] $Name) {
    $mutex = [Threading.Mutex]::new($false, "Global\$Name")
    try {
        $taken = $mutex.WaitOne(0)
    }
    catch [Threading.AbandonedMutexException] {
        $taken = $true
    }
    if ($taken) {
        return $mutex
    }
    $mutex.Dispose()
}

function Exit-Lock($Lock) {
    $Lock.ReleaseMutex()
    $Lock.Dispose()
}

# Runs a script in a process of its own, which ends with this one.
function Start-Work([string] $Script, [string] $Folder) {
    return Start-Job -LiteralPath $Script -ArgumentList $Folder, $PID
}

# What the script has returned since the last call.
function Receive-Work($Job) {
    return Receive-Job $Job -ErrorAction SilentlyContinue
}

function Get-WorkState($Job) {
    return [string] $Job.State
}

function Stop-Work($Job) {
    Stop-Job $Job
    Remove-Job $Job -Force
}

# A variable of this process and of those that it starts, or nothing.
function Get-EnvironmentVariable([string] $Name) {
    return [Environment]::GetEnvironmentVariable($Name)
}

function Set-EnvironmentVariable([string] $Name, [string] $Value) {
    [Environment]::SetEnvironmentVariable($Name, $Value)
}
