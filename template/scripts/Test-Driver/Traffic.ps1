# Performs file operations in a folder, until the folder has a file named stop or the process that started it has ended.
# Returns an object each time it has performed all operations, and one for each operation that has failed. After a failure
# it begins again with the first operation.
param([string] $Folder, [int] $Starter)
$ErrorActionPreference = 'Stop'

# ERROR_SHARING_VIOLATION: another program, such as a virus scanner, has the file open.
$sharingViolation = 0x20

# The operations, in this order. $file is the file that they work with.
$operations = [ordered]@{
    'create a folder'       = { [IO.Directory]::CreateDirectory($inner) }
    'write a file'          = { [IO.File]::WriteAllBytes($file, [byte[]]::new(100000)) }
    'read and write'        = {
        $stream = [IO.File]::Open($file, 'Open', 'ReadWrite')
        try {
            $stream.Read([byte[]]::new(4096), 0, 4096)
            $stream.Lock(0, 100)
            $stream.Write([byte[]]::new(4096), 0, 4096)
            $stream.Flush($true)
            $stream.Unlock(0, 100)
            $stream.SetLength(50000)
        }
        finally {
            $stream.Dispose()
        }
    }
    'write a named stream'  = { Set-Content -LiteralPath "${file}:stream" 'an alternate data stream' }
    'map a file'            = {
        $map = [IO.MemoryMappedFiles.MemoryMappedFile]::CreateFromFile($file)
        try {
            $view = $map.CreateViewAccessor()
            $view.ReadByte(0)
            $view.Dispose()
        }
        finally {
            $map.Dispose()
        }
    }
    'set a time'            = { [IO.File]::SetLastWriteTimeUtc($file, [DateTime]::UtcNow) }
    'read security'         = { Get-Acl -LiteralPath $file }
    'rename a file'         = { [IO.File]::Move($file, "$file renamed") }
    'copy a file'           = { [IO.File]::Copy("$file renamed", "$file copied") }
    'list a folder'         = { [IO.Directory]::GetFiles($inner) }
    'delete a folder'       = { Remove-Item -LiteralPath $inner -Recurse }
}

# The error number of Windows behind an error of .NET, which may be wrapped in others.
function Get-ErrorNumber($Exception) {
    while ($null -ne $Exception.InnerException) {
        $Exception = $Exception.InnerException
    }
    return $Exception.HResult -band 0xFFFF
}

$round = 0
while (-not [IO.File]::Exists((Join-Path $Folder 'stop')) -and (Get-Process -Id $Starter -ErrorAction SilentlyContinue)) {
    $round++
    $inner = Join-Path $Folder "round $round"
    $file = Join-Path $inner 'file'
    $whole = $true
    foreach ($operation in $operations.Keys) {
        try {
            $null = & $operations[$operation]
        }
        catch {
            $whole = $false
            $number = Get-ErrorNumber $_.Exception
            if ($number -ne $sharingViolation) {
                [pscustomobject]@{ Round = $round; Operation = $operation; Error = $number; Text = $_.Exception.Message }
            }
            break
        }
    }
    if ([IO.Directory]::Exists($inner)) {
        Remove-Item -LiteralPath $inner -Recurse -Force -ErrorAction SilentlyContinue
    }
    if ($whole) {
        [pscustomobject]@{ Round = $round; Operation = ''; Error = 0; Text = '' }
    }
}
