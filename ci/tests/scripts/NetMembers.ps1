# The .NET types and members that scripts use, with where. A static member is [Type]::Member, an instance member .Member;
# a call has the number of its arguments. Left out are the names of the scripts' own data: keys of hash tables and columns
# of objects.

function Get-NetMember([object[]] $Trees) {
    $own = [Collections.Generic.HashSet[string]]::new([StringComparer]::OrdinalIgnoreCase)
    # Columns of what cmdlets return, and of JSON, and keys of Test-Driver.psd1.
    foreach ($name in 'Group', 'Hash', 'Status', 'State', 'manifest_path', 'packages', 'target_directory', 'AttachByHand', 'FilterUnload', 'ServiceStop', 'Unloads', 'Codes') {
        $null = $own.Add($name)
    }
    $kinds = { param($Node) $Node.GetType().Name -match '^(MemberExpressionAst|InvokeMemberExpressionAst|TypeExpressionAst|TypeConstraintAst|AttributeAst)$' }
    foreach ($tree in $Trees) {
        foreach ($table in $tree.FindAll({ param($Node) $Node -is [Management.Automation.Language.HashtableAst] }, $true)) {
            foreach ($pair in $table.KeyValuePairs) {
                $null = $own.Add($pair.Item1.Extent.Text)
            }
        }
    }
    $found = @{}
    foreach ($tree in $Trees) {
        foreach ($node in $tree.FindAll($kinds, $true)) {
            if ($node.Parent -is [Management.Automation.Language.MemberExpressionAst] -and $node -is [Management.Automation.Language.TypeExpressionAst]) {
                continue
            }
            $name = Get-NetMemberName $node
            if (-not $own.Contains($name.TrimStart('.')) -and -not $found.ContainsKey($name)) {
                $found[$name] = "$([IO.Path]::GetFileName($node.Extent.File)):$($node.Extent.StartLineNumber)"
            }
        }
    }
    return $found
}

function Get-NetMemberName($Node) {
    if ($Node -isnot [Management.Automation.Language.MemberExpressionAst]) {
        return "[$($Node.TypeName.FullName -replace '\[\]$')]"
    }
    $name = $Node.Member.Extent.Text
    if ($Node -is [Management.Automation.Language.InvokeMemberExpressionAst]) {
        $name += "($(@($Node.Arguments | Where-Object { $_ }).Count))"
    }
    if ($Node.Static) {
        return "[$($Node.Expression.TypeName.FullName)]::$name"
    }
    return ".$name"
}
