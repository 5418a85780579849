# The changes that the test makes, and how each is undone. Those of Driver Verifier are in Verifier.ps1. An undo can be
# repeated, and checks at its end that the change is gone.

# Name: for a message. Unloads: unloads the driver. AfterUnload: not while the driver is loaded. Last: not while something
# else is left. The mark is the last: as long as something is left, -Resume must know whether Windows was restarted.
$undos = @{
    Mark         = @{ Name = 'the mark of this start of Windows'; Unloads = $false; AfterUnload = $true; Last = $true; Do = { param($With) Undo-Mark $With } }
    Verifier     = @{ Name = 'Driver Verifier'; Unloads = $false; AfterUnload = $false; Last = $false; Do = { param($With) Undo-Verifier $With } }
    Certificate  = @{ Name = 'a certificate'; Unloads = $false; AfterUnload = $false; Last = $false; Do = { param($With) Undo-Certificate $With } }
    Package      = @{ Name = 'the package'; Unloads = $false; AfterUnload = $true; Last = $false; Do = { param($With) Undo-Package $With } }
    Load         = @{ Name = 'the driver'; Unloads = $true; AfterUnload = $false; Last = $false; Do = { param($With) Undo-Load $With } }
    LowResources = @{ Name = 'low resources simulation'; Unloads = $false; AfterUnload = $false; Last = $false; Do = { param($With) Undo-LowResources $With } }
    Traffic      = @{ Name = 'the file traffic'; Unloads = $false; AfterUnload = $false; Last = $false; Do = { param($With) Undo-Traffic $With } }
}

# ---------------------------------------------------------------------------------------------------------------------
# Tools of Windows

$toolSeconds = 120

# Runs a tool of Windows. Its answer goes to the log. NoAnswer: '', or the sentence that it did not answer in time; then
# the rest has no meaning. Failed: '', or the sentence that its exit code is not 0.
function Invoke-Tool([string] $Name, [string] $Arguments) {
    $result = Invoke-Program (Join-Path $run.Machine.System "$Name.exe") $Arguments $toolSeconds
    $code = if ($result.TimedOut) { "no answer within $toolSeconds seconds" } else { $result.ExitCode }
    Write-Log "  $Name $Arguments -> $code"
    if ($run.Report -and $result.Output.Trim()) {
        Invoke-Optional 'the log cannot be written' { Add-Line (Join-Path $run.Report 'log.txt') $result.Output.Trim() }
    }
    return [pscustomobject]@{
        ExitCode = $result.ExitCode
        Output   = $result.Output
        NoAnswer = if ($result.TimedOut) { "$Name $Arguments did not answer within $toolSeconds seconds" } else { '' }
        Failed   = if ($result.ExitCode) { "$Name $Arguments failed with $($result.ExitCode): $($result.Output.Trim())" } else { '' }
    }
}

# The same for a tool that must succeed.
function Invoke-Required([string] $Name, [string] $Arguments, [int[]] $Fine = @(0)) {
    $result = Invoke-Tool $Name $Arguments
    if ($result.NoAnswer) {
        throw $result.NoAnswer
    }
    if ($Fine -notcontains $result.ExitCode) {
        throw $result.Failed
    }
    return $result
}

# ---------------------------------------------------------------------------------------------------------------------
# The mark of this start of Windows: a volatile registry key. A restart removes it, and so does the end of a test

function Get-MarkKey {
    return "SOFTWARE\Test-Driver-$($run.Driver)"
}

function Add-Mark {
    Add-Change $run.Journal 'Mark' @{ Key = Get-MarkKey }
    New-VolatileKey (Get-MarkKey)
    if (-not (Test-RegistryKey (Get-MarkKey))) {
        throw "the registry key HKLM\$(Get-MarkKey) is not there after it was created"
    }
}

function Undo-Mark($With) {
    Remove-RegistryKey $With.Key
    if (Test-RegistryKey $With.Key) {
        throw "the registry key HKLM\$($With.Key) is still there"
    }
}

# ---------------------------------------------------------------------------------------------------------------------
# Certificates

# The certificates that the package is test-signed with, as files.
function Get-TestCertificate([string] $Package) {
    return @(Get-FilePath $Package '*.cer')
}

function Add-TestCertificate {
    foreach ($file in Get-TestCertificate $run.Package) {
        $thumbprint = Get-Thumbprint $file
        if (-not $thumbprint) {
            throw "$file is no certificate"
        }
        foreach ($store in 'Root', 'TrustedPublisher') {
            if (Test-Certificate $store $thumbprint) {
                continue
            }
            Add-Change $run.Journal 'Certificate' @{ Store = $store; Thumbprint = $thumbprint }
            Add-Certificate $store $file
            if (-not (Test-Certificate $store $thumbprint)) {
                throw "the certificate $file is not in the store $store after it was added"
            }
        }
    }
}

function Undo-Certificate($With) {
    try {
        Remove-Certificate $With.Store $With.Thumbprint
    }
    catch {
        Write-Log "  $($_.Exception.Message)"
    }
    if (Test-Certificate $With.Store $With.Thumbprint) {
        throw "$($With.Thumbprint) is still in the store $($With.Store)"
    }
}

# ---------------------------------------------------------------------------------------------------------------------
# The package

# The packages of the driver store that were made from this driver's INF, as oemNN.inf. pnputil separates packages with
# an empty line; its words are translated.
function Get-InstalledPackage {
    $blocks = (Invoke-Required 'pnputil' '/enum-drivers').Output -split '\r?\n\s*\r?\n'
    foreach ($block in $blocks) {
        $published = [regex]::Match($block, '(?im)\s(oem\d+\.inf)\s*$')
        if ($published.Success -and $block -match "(?im)\s$([regex]::Escape($run.Driver))\.inf\s*`$") {
            $published.Groups[1].Value
        }
    }
}

# The start type of the service, as a number; nothing where there is no service.
function Get-StartType {
    return Get-RegistryValue "SYSTEM\CurrentControlSet\Services\$($run.Driver)" 'Start'
}

# Installs the package, and sets the service's start type to demand: after a crash, Windows must not load the driver
# before -Resume or -Cleanup. The start type has no entry in the journal and is not put back: the service is removed with
# the package.
function Add-Package {
    Add-Change $run.Journal 'Package' @{ Before = @(Get-InstalledPackage) }
    # 259: no device is there for the package, as for every filter. 3010: Windows asks for a restart.
    $inf = Join-Path $run.Package "$($run.Driver).inf"
    if ((Invoke-Required 'pnputil' "/add-driver `"$inf`" /install" @(0, 259, 3010)).ExitCode -eq 3010) {
        Add-Note 'pnputil asked for a restart after the installation. The test went on without it.'
    }
    if ($null -eq (Get-DriverService $run.Driver)) {
        throw "pnputil did not create the service $($run.Driver): see setupapi.dev.log"
    }
    if (@(Get-InstalledPackage).Count -eq 0) {
        throw "pnputil /enum-drivers does not list $($run.Driver).inf after it was added"
    }
    Add-Entry $run.Journal 'listed' @{}
    $type = Get-StartType
    if ($type -ne 3) {
        $null = Invoke-Required 'sc' "config $($run.Driver) start= demand"
        if ((Get-StartType) -ne 3) {
            throw "the start type of $($run.Driver) is not demand after it was set"
        }
        $name = @('boot', 'system', 'auto', 'demand', 'disabled')[$type]
        Add-Note "The start type $name of the INF was not tested: the test loads the driver on demand."
    }
}

# If pnputil has never listed the package, but the service exists, its answers were not understood. A restart may have
# loaded a driver whose start type was not yet demand.
function Undo-Package($With) {
    if (Undo-Load @{ Driver = $run.Driver }) {
        return $true
    }
    $names = @(Get-NewPackage $With)
    if ($names.Count) {
        Add-LateEntry $run.Journal 'listed' @{}
    }
    elseif ($null -ne (Get-DriverService $run.Driver) -and @(Get-Entry $run.Journal 'listed').Count -eq 0) {
        throw "pnputil /enum-drivers does not list $($run.Driver).inf, whose service $($run.Driver) is there"
    }
    foreach ($name in $names) {
        $null = Invoke-Tool 'pnputil' "/delete-driver $name /uninstall"
    }
    $left = @(Get-NewPackage $With)
    if ($left.Count) {
        throw "$($left -join ', ') is still in the driver store"
    }
    if ($null -ne (Get-DriverService $run.Driver)) {
        $null = Invoke-Tool 'sc' "delete $($run.Driver)"
    }
    if ($null -ne (Get-DriverService $run.Driver)) {
        throw "the service $($run.Driver) is still there"
    }
}

# The packages that were not there before the test.
function Get-NewPackage($With) {
    return Get-InstalledPackage | Where-Object { @($With.Before) -notcontains $_ }
}

# ---------------------------------------------------------------------------------------------------------------------
# The loaded driver

function Test-Loaded {
    $service = Get-DriverService $run.Driver
    return $null -ne $service -and $service.State -ne 'Stopped'
}

# Waits up to ten seconds for the wanted state. Returns whether it was reached.
function Wait-Loaded([bool] $Wanted) {
    foreach ($attempt in 1..11) {
        if ((Test-Loaded) -eq $Wanted) {
            return $true
        }
        Wait-Second 1
    }
    return $false
}

# Unloads the driver, by either way. Returns $true where only a restart can unload it.
function Undo-Load($With) {
    foreach ($way in @(@{ Tool = 'fltmc'; Verb = 'unload' }, @{ Tool = 'sc'; Verb = 'stop' })) {
        if (-not (Test-Loaded)) {
            return
        }
        Invoke-Optional "$($way.Tool) cannot be started" { $null = Invoke-Tool $way.Tool "$($way.Verb) $($With.Driver)" }
        if (Wait-Loaded $false) {
            return
        }
    }
    # The restart must not load it again. The start type is not put back, as in Add-Package.
    if ((Get-StartType) -lt 3) {
        $null = Invoke-Required 'sc' "config $($With.Driver) start= demand"
    }
    return $true
}

# The path of a folder that the file traffic works in, without its end, a GUID. It is on the volume that the filter is
# attached to.
function Get-TrafficStart {
    return "$($run.Machine.Drive)\Test-Driver-$($run.Driver)-"
}

# The folders with such a path.
function Get-TrafficFolder {
    $form = "^$([regex]::Escape((Get-TrafficStart)))[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`$"
    return Get-FolderPath "$($run.Machine.Drive)\" 'Test-Driver-*' | Where-Object { $_ -match $form }
}

# Removes the folder that the file traffic works in.
function Undo-Traffic($With) {
    if ($run.Traffic) {
        Invoke-Optional 'the process of the file traffic is not ended' { Stop-Work $run.Traffic }
        $run.Traffic = $null
    }
    if (Test-Exists $With.Folder) {
        Remove-Path $With.Folder
    }
    if (Test-Exists $With.Folder) {
        throw "the folder $($With.Folder) is still there"
    }
}
