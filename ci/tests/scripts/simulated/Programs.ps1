# The programs of the simulated Windows, with what their documents say of them. $words translates what a tool prints.

$words = @{
    en = @{
        Flags = 'Verifier Flags'; Module = 'MODULE'; Load = 'load'; Unload = 'unload'; Statistics = 'Verifier Statistics Summary'
        Faults = 'Faults Injected'; Irqls = 'Raise IRQLs'; Published = 'Published Name'; Original = 'Original Name'
        Provider = 'Provider Name'; None = 'No drivers are currently verified.'; Failed = 'failed with error'
    }
    de = @{
        Flags = 'Verifizierer-Flags'; Module = 'MODUL'; Load = 'Laden'; Unload = 'Entladen'; Statistics = 'Zusammenfassung'
        Faults = 'Eingefügte Fehler'; Irqls = 'IRQLs'; Published = 'Veröffentlichter Name'; Original = 'Originalname'
        Provider = 'Anbietername'; None = 'Es werden derzeit keine Treiber überprüft.'; Failed = 'Fehler'
    }
    zh = @{
        Flags = '验证程序标志'; Module = '模块'; Load = '加载'; Unload = '卸载'; Statistics = '验证程序统计信息摘要'
        Faults = '注入的错误'; Irqls = '提升 IRQL'; Published = '发布名称'; Original = '原始名称'
        Provider = '提供程序名称'; None = '当前未验证任何驱动程序。'; Failed = '失败'
    }
}

function New-Answer([int] $ExitCode, [string] $Output = '') {
    return [pscustomobject]@{ ExitCode = $ExitCode; Output = $Output; TimedOut = $false }
}

# The answer of Invoke-Program where the time was over. On Windows, the exit code of a process that was ended is -1.
function New-Silence {
    return [pscustomobject]@{ ExitCode = -1; Output = ''; TimedOut = $true }
}

function Invoke-SimulatedProgram([string] $Name, [string] $Arguments) {
    switch ($Name) {
        'verifier' { return Invoke-SimulatedVerifier $Arguments }
        'fltmc' { return Invoke-SimulatedFltmc $Arguments }
        'sc' { return Invoke-SimulatedSc $Arguments }
        'pnputil' { return Invoke-SimulatedPnputil $Arguments }
    }
    if ($Machine.OtherProgram) {
        return & $Machine.OtherProgram $Name $Arguments
    }
    throw "no such program: $Name"
}

# "Driver Verifier Command Syntax", "Using Volatile Settings". Exit codes: "verifier" (Windows commands): 0, 1 for an
# error, 2 where a restart is needed.
function Invoke-SimulatedVerifier([string] $Arguments) {
    $text = $words[$Machine.Language]
    switch -Regex ($Arguments) {
        '^/query$' { return New-Answer 0 (Format-VerifierReport $text) }
        '^/standard /driver (\S+)$' {
            $Machine.VerifiedDrivers = @($Matches[1])
            $Machine.BootMode = 'persistent'
            return New-Answer 2
        }
        '^/bootmode (\w+)$' {
            $Machine.BootMode = $Matches[1]
            return New-Answer 2
        }
        '^/reset$' {
            $Machine.VerifiedDrivers = @()
            return New-Answer 2
        }
        # With /volatile, the flags take the place of those of the registry, and only some are taken.
        '^/volatile /flags 0x([0-9A-F]+)$' {
            $flags = [Convert]::ToInt64($Matches[1], 16)
            $allowed = if ($Machine.Facts.Build -ge 22000) { 0x6A4 } else { 0x6FBF }
            if ($flags -band (-bnot $allowed)) {
                return New-Answer 1
            }
            $Machine.ActiveFlags = $flags
            return New-Answer 0
        }
        '^/volatile /faults 1000 "" "" 0$' { return New-Answer 0 }
    }
    return New-Answer 1 'syntax'
}

# The report of verifier /query, with the words of its message table (verifier.exe.mui).
function Format-VerifierReport($Text) {
    if ($Machine.ActiveDrivers.Count -eq 0) {
        return $Text.None
    }
    $lines = @(
        "$($Text.Flags): 0x$('{0:x8}' -f $Machine.ActiveFlags)", ''
        "    [$(if ($Machine.ActiveFlags -band 1) { 'X' } else { ' ' })] 0x00000001 Special pool", '', '  [X] ...', ''
        $Text.Statistics, "  $($Text.Irqls):      0", "  $($Text.Faults):        $($Machine.Faults)", ''
    )
    foreach ($driver in $Machine.ActiveDrivers.Keys) {
        $counts = $Machine.ActiveDrivers[$driver]
        $lines += "  $($Text.Module): $driver ($($Text.Load): $($counts.Loads) / $($Text.Unload): $($counts.Unloads))"
        $lines += '      Current Pool Allocations:  (      0 /      0 )'
    }
    return $lines -join "`r`n"
}

# "Load a minifilter", "Unload a minifilter" (fltmc). fltmc prints an HRESULT: 0x801F0010 is STATUS_FLT_DO_NOT_DETACH.
function Invoke-SimulatedFltmc([string] $Arguments) {
    switch -Regex ($Arguments) {
        '^load (\S+)$' { return Invoke-SimulatedLoad $Matches[1] }
        '^unload (\S+)$' { return Invoke-SimulatedUnload $Matches[1] $Machine.Driver.FilterUnload }
        '^filters$' {
            $rows = foreach ($name in $Machine.Loaded) { "$name                      3       370030         0" }
            return New-Answer 0 (@('Filter Name  Num Instances  Altitude  Frame') + @($rows) -join "`r`n")
        }
        '^instances -f (\S+)$' {
            $rows = foreach ($volume in $Machine.Attached) { "$volume      370030     $($Matches[1])   0     00000003" }
            return New-Answer 0 (@('Volume Name  Altitude  Instance Name  Frame  VlStatus') + @($rows) -join "`r`n")
        }
        '^attach (\S+) (\S+)$' {
            if ($Machine.Loaded -notcontains $Matches[1]) {
                return New-Answer 1 '0x801f0013'
            }
            $null = $Machine.Attached.Add($Matches[2])
            return New-Answer 0
        }
    }
    return New-Answer 1 'syntax'
}

function Invoke-SimulatedLoad([string] $Name) {
    if (-not $Machine.Services.ContainsKey($Name) -or $Machine.Loaded -contains $Name) {
        return New-Answer 1 '0x80070002'
    }
    Invoke-CrashAt 'load'
    $low = $Machine.ActiveFlags -band 4
    if ($low -and $Machine.Driver.FailedLoads -gt 0) {
        $Machine.Driver.FailedLoads--
        $Machine.Faults++
        return New-Answer 1 '0x8007000e'
    }
    if ($Machine.Driver.NeverLoads) {
        return New-Answer 1 '0xc0000001'
    }
    $null = $Machine.Loaded.Add($Name)
    $Machine.Attached.Clear()
    if (-not $Machine.Driver.AttachByHand -or $Machine.Driver.AttachesAnyway) {
        $null = $Machine.Attached.Add($Machine.Facts.Drive)
    }
    if ($Machine.VerifiedActive -contains "$Name.sys") {
        if (-not $Machine.ActiveDrivers.ContainsKey("$Name.sys")) {
            $Machine.ActiveDrivers["$Name.sys"] = @{ Loads = 0; Unloads = 0 }
        }
        $Machine.ActiveDrivers["$Name.sys"].Loads++
    }
    return New-Answer 0
}

function Invoke-SimulatedUnload([string] $Name, $Behaviour) {
    if ($Machine.Loaded -notcontains $Name) {
        return New-Answer 1062 '0x801f0013'
    }
    Invoke-CrashAt 'unload'
    $Machine.Unloads.Add([pscustomobject]@{
            Flags    = $Machine.ActiveFlags
            Verified = $Machine.ActiveDrivers.ContainsKey("$Name.sys") -and $Machine.ActiveDrivers["$Name.sys"].Loads -gt $Machine.ActiveDrivers["$Name.sys"].Unloads
            Seconds  = if ($Machine.Traffic) { $Machine.Traffic.Seconds } else { 0 }
            Rounds   = if ($Machine.Traffic) { $Machine.Traffic.Round } else { 0 }
        })
    if ($Machine.Traffic) {
        $Machine.Traffic.Seconds = 0
    }
    if (-not $Behaviour.Unloads) {
        return New-Answer $Behaviour.ExitCode $Behaviour.Output
    }
    if (-not $Behaviour.Hangs) {
        $null = $Machine.Loaded.Remove($Name)
        $Machine.Attached.Clear()
        if ($Machine.ActiveDrivers.ContainsKey("$Name.sys")) {
            $Machine.ActiveDrivers["$Name.sys"].Unloads++
        }
    }
    return New-Answer 0
}

# "sc stop" answers 0, or the system's error: 1052 is ERROR_INVALID_SERVICE_CONTROL.
function Invoke-SimulatedSc([string] $Arguments) {
    switch -Regex ($Arguments) {
        '^stop (\S+)$' { return Invoke-SimulatedUnload $Matches[1] $Machine.Driver.ServiceStop }
        '^config (\S+) start= (\w+)$' {
            if (-not $Machine.Services.ContainsKey($Matches[1])) {
                return New-Answer 1060
            }
            $Machine.Services[$Matches[1]].Start = @{ boot = 0; system = 1; auto = 2; demand = 3; disabled = 4 }[$Matches[2]]
            return New-Answer 0
        }
        '^delete (\S+)$' {
            $Machine.Services.Remove($Matches[1])
            return New-Answer 0
        }
    }
    return New-Answer 1639
}

# "PnPUtil Command Syntax": /add-driver /install answers 0, 259 (no device for the driver) or 3010.
function Invoke-SimulatedPnputil([string] $Arguments) {
    $text = $words[$Machine.Language]
    switch -Regex ($Arguments) {
        '^/enum-drivers$' {
            $blocks = foreach ($name in $Machine.Packages.Keys) {
                "$($text.Published):     $name`r`n$($text.Original):      $($Machine.Packages[$name])`r`n$($text.Provider):      Example"
            }
            return New-Answer 0 (@('Microsoft PnP Utility') + @($blocks) -join "`r`n`r`n")
        }
        '^/add-driver "(.+)" /install$' {
            $inf = Split-Path $Matches[1] -Leaf
            $name = "oem$($Machine.NextPackage).inf"
            $Machine.NextPackage++
            $Machine.Packages[$name] = $inf
            $Machine.Services[($inf -replace '\.inf$', '')] = @{ Start = $Machine.Driver.StartType }
            return New-Answer $Machine.Driver.InstallCode "$name $inf"
        }
        '^/delete-driver (\S+) /uninstall$' {
            if (-not $Machine.Packages.ContainsKey($Matches[1])) {
                return New-Answer 2
            }
            $service = $Machine.Packages[$Matches[1]] -replace '\.inf$', ''
            $Machine.Packages.Remove($Matches[1])
            # Windows removes the service of a loaded driver when the driver is unloaded.
            if (-not $Machine.Driver.ServiceStays -and $Machine.Loaded -notcontains $service) {
                $Machine.Services.Remove($service)
            }
            return New-Answer 0
        }
    }
    return New-Answer 1
}

# Time passes for the traffic.
function Step-Traffic([int] $Seconds) {
    $traffic = $Machine.Traffic
    if ($null -eq $traffic -or $traffic.State -ne 'Running') {
        return
    }
    if ($Machine.Files.ContainsKey("$($traffic.Folder)\stop") -and -not $Machine.Driver.TrafficHangs) {
        $traffic.State = 'Completed'
        return
    }
    Invoke-CrashAt 'traffic'
    if ($Machine.Driver.TrafficDies) {
        $traffic.State = 'Failed'
        return
    }
    $traffic.Seconds += $Seconds
    if (-not $Machine.Driver.TrafficHangs) {
        $traffic.Round++
        if ($Machine.Driver.TrafficError) {
            $traffic.Items.Add([pscustomobject]@{ Round = $traffic.Round; Operation = 'map a file'; Error = 5; Text = "denied in round $($traffic.Round)" })
        }
        $traffic.Items.Add([pscustomobject]@{ Round = $traffic.Round; Operation = ''; Error = 0; Text = '' })
    }
}

# A crash of Windows at the n-th of an event: the process is gone, and the next start logs it.
function Invoke-CrashAt([string] $Event) {
    if ($Machine.CrashAt -eq $Event -and $Machine.CrashAfter-- -le 0) {
        $Machine.CrashAt = ''
        $Machine.Crashed = 0xC4
        $Machine.Dead = $true
        throw 'Windows crashed'
    }
}
