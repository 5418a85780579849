# A copy of a machine that shares nothing with it that changes.
function Copy-Machine($Machine) {
    $copy = Copy-Value $Machine
    foreach ($name in 'Trace', 'Console') {
        $copy[$name] = [Collections.Generic.List[string]]::new()
    }
    $copy.Traffic = $null
    $copy.Killed = $null
    return $copy
}

function Copy-Value($Value) {
    if ($Value -is [hashtable]) {
        $copy = @{}
        foreach ($name in $Value.Keys) {
            $copy[$name] = if ($name -in 'Killed', 'Trace', 'Console') { $null } else { Copy-Value $Value[$name] }
        }
        return $copy
    }
    if ($Value -is [Collections.Generic.HashSet[string]]) {
        return , [Collections.Generic.HashSet[string]]::new($Value)
    }
    if ($Value -is [Collections.IList] -and $Value -isnot [array]) {
        return , ($Value.GetType()::new($Value))
    }
    return , $Value
}
