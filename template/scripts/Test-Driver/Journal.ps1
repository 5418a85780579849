# The journal: what was changed, how it is undone, how far the run has come, and what it found. Each entry is one line
# of JSON. An entry is on the disk before its change is made. An incomplete last line is an entry whose change was not
# made.
#
# Id is the number of the line. Kind:
#   begin    the test has begun, with these parameters
#   step     the test begins with what Text says
#   done     a step of Steps.ps1 has ended
#   change   a change is made: With has what its undo needs
#   undone   the change with the number Change is undone
#   listed   pnputil has listed the package: its answers are understood
#   check    a result for the report
#   note     a sentence for the report
#   waiting  the test waits for a restart; For is verifier or unload
#   resumed  -Resume goes on
#   ended    the test has ended; changes without an entry undone are not undone

# A journal in a file. Nothing is read or written yet.
function New-Journal([string] $Path) {
    return [pscustomobject]@{
        Path    = $Path
        Entries = [Collections.Generic.List[object]]::new()
        # Lines that cannot be read, as numbers.
        Damaged = [Collections.Generic.List[int]]::new()
        # Lines that could not be written: those of the last entries.
        Unwritten = [Collections.Generic.List[string]]::new()
    }
}

# Reads the entries that an earlier process wrote. Returns whether there is such a file.
function Read-Journal($Journal) {
    $text = Read-Text $Journal.Path
    if ($null -eq $text) {
        return $false
    }
    # What follows the last end of a line is an entry that was not written completely. The next one must not follow it.
    $whole = $text.Substring(0, $text.LastIndexOf("`n") + 1)
    if ($whole.Length -lt $text.Length -and -not $DryRun) {
        Set-FileLength $Journal.Path ([Text.Encoding]::UTF8.GetByteCount($whole))
    }
    $lines = $whole.Split("`n")
    for ($number = 0; $number -lt $lines.Count - 1; $number++) {
        $entry = $null
        try {
            $entry = ConvertFrom-Json $lines[$number]
            $null = $entry.Kind
        }
        catch {
            $entry = $null
        }
        if ($null -eq $entry) {
            $Journal.Damaged.Add($number + 1)
        }
        else {
            $Journal.Entries.Add($entry)
        }
    }
    return $true
}

# Writes an entry, after those that could not be written: what a later process reads has no gap.
function Add-Entry($Journal, [string] $Kind, [hashtable] $Content) {
    $entry = New-Entry $Journal $Kind $Content
    Add-Line $Journal.Path ((@($Journal.Unwritten) + (ConvertTo-Json $entry -Compress -Depth 5)) -join "`n")
    $Journal.Unwritten.Clear()
    $Journal.Entries.Add($entry)
}

# The same for what has happened. If the entry cannot be written, it is written before the next one.
function Add-LateEntry($Journal, [string] $Kind, [hashtable] $Content) {
    try {
        Add-Entry $Journal $Kind $Content
    }
    catch {
        Write-Log "  the journal cannot be written: $($_.Exception.Message)"
        $entry = New-Entry $Journal $Kind $Content
        $Journal.Unwritten.Add((ConvertTo-Json $entry -Compress -Depth 5))
        $Journal.Entries.Add($entry)
    }
}

function New-Entry($Journal, [string] $Kind, [hashtable] $Content) {
    return [pscustomobject] (@{ Kind = $Kind; Id = $Journal.Entries.Count + $Journal.Damaged.Count + 1 } + $Content)
}

# Writes how a change is undone. Called before the change is made.
function Add-Change($Journal, [string] $Undo, [hashtable] $With) {
    Add-Entry $Journal 'change' @{ Undo = $Undo; With = $With }
}

# The entries of a kind, in the order of writing.
function Get-Entry($Journal, [string] $Kind) {
    return @($Journal.Entries | Where-Object { $_.Kind -eq $Kind })
}

# The last entry of a kind, or nothing.
function Get-LastEntry($Journal, [string] $Kind) {
    return Get-Entry $Journal $Kind | Select-Object -Last 1
}

function Test-Ended($Journal) {
    return @(Get-Entry $Journal 'ended').Count -ne 0
}

# The changes that are not undone, the last one first.
function Get-Pending($Journal) {
    $undone = @(Get-Entry $Journal 'undone' | ForEach-Object { $_.Change })
    $pending = @(Get-Entry $Journal 'change' | Where-Object { $undone -notcontains $_.Id })
    [array]::Reverse($pending)
    return $pending
}

# Undoes the changes, the last one first; all of them, or those of one kind. A change that cannot be undone does not stop
# the others. Returns the sentences that say what is left, and whether a restart must come first.
function Undo-Change($Journal, [string] $Kind = '') {
    $left = [Collections.Generic.List[string]]::new()
    $restart = $false
    $loaded = $false
    # What is kept because the driver is loaded, or because something else is left.
    $kept = [Collections.Generic.List[string]]::new()
    foreach ($change in @(Get-Pending $Journal | Where-Object { -not $Kind -or $_.Undo -eq $Kind })) {
        $undo = $undos[$change.Undo]
        if ($null -eq $undo) {
            $left.Add("a change of the unknown kind '$($change.Undo)', line $($change.Id) of $($Journal.Path)")
            continue
        }
        $blocked = $loaded -and ($undo.AfterUnload -or $undo.Unloads)
        if ($blocked -or ($undo.Last -and (Test-OtherPending $Journal))) {
            $kept.Add("$($undo.Name): it is kept until the rest is undone")
            continue
        }
        try {
            # What an undo returns is $true where only a restart can do it.
            if (& $undo.Do $change.With) {
                $restart = $loaded = $true
                continue
            }
        }
        catch {
            $left.Add("$($undo.Name): $($_.Exception.Message)")
            $loaded = $loaded -or $undo.Unloads
            continue
        }
        # If this cannot be written, a later process undoes the change again.
        Add-LateEntry $Journal 'undone' @{ Change = $change.Id }
    }
    # A restart is followed by the rest. An earlier mark that is kept is the same key as the one that is undone last.
    $all = $left.ToArray()
    if ($left.Count -and -not $restart) {
        $all += @($kept | Select-Object -Unique)
    }
    return [pscustomobject]@{ Left = $all; Restart = $restart }
}

# Whether a change is pending that must be undone before those that come last.
function Test-OtherPending($Journal) {
    return $null -ne (Get-Pending $Journal | Where-Object { -not $undos[$_.Undo] -or -not $undos[$_.Undo].Last } | Select-Object -First 1)
}
