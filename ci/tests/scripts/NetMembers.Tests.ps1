# The emitted scripts run in Windows PowerShell 5.1, on .NET Framework 4.8: they use only members that are in the list,
# each with its page there.

BeforeAll {
    . (Join-Path $PSScriptRoot 'NetMembers.ps1')

    $listed = @{}
    foreach ($line in [IO.File]::ReadAllLines((Join-Path $PSScriptRoot 'net-members.tsv'))) {
        $member, $page = $line.Split("`t")
        $listed[$member] = $page
    }
    $folder = Join-Path (Split-Path (Split-Path (Split-Path $PSScriptRoot))) 'template/scripts'
    $trees = foreach ($file in Get-ChildItem $folder -Recurse -Filter *.ps1) {
        [Management.Automation.Language.Parser]::ParseFile($file.FullName, [ref] $null, [ref] $null)
    }
    $used = Get-NetMember $trees
}

Describe 'The .NET members of the scripts' {
    It 'are in net-members.tsv' {
        $missing = foreach ($member in $used.Keys) {
            if (-not $listed.ContainsKey($member)) {
                "$member in $($used[$member])"
            }
        }
        $missing | Sort-Object | Should -BeNullOrEmpty -Because 'net-members.tsv needs each with its page of .NET Framework 4.8'
    }

    It 'are used, if they are in net-members.tsv' {
        $listed.Keys | Where-Object { -not $used.ContainsKey($_) } | Sort-Object | Should -BeNullOrEmpty
    }

    It 'have a page each' {
        foreach ($member in $listed.Keys) {
            $listed[$member] | Should -Match '^https://learn\.microsoft\.com/(dotnet/api/[a-z0-9.-]+\?view=netframework-4\.8|powershell/(scripting|module)/.+\?view=powershell-5\.1)$' -Because $member
        }
    }

    It 'are found: <_>' -ForEach @(
        '[IO.File]::Move(3)', '[Text.Json.JsonSerializer]::New', '.ReplaceLineEndings(0)', '.ExitTime', '[index]'
    ) {
        $text = '$run = @{ Name = 1 }; $run.Name; [IO.File]::Move($a, $b, $true); $a.ReplaceLineEndings(); $process.ExitTime; [Text.Json.JsonSerializer]::New; [index] $a'
        $tree = [Management.Automation.Language.Parser]::ParseInput($text, [ref] $null, [ref] $null)
        $found = Get-NetMember @($tree)
        $found.Keys | Should -Contain $_
        $found.Keys | Should -Not -Contain '.Name'
    }
}

Describe 'The functions of the scripts' {
    It 'have approved verbs, which PSScriptAnalyzer asks for' {
        $verbs = (Get-Verb).Verb
        $names = foreach ($tree in $trees) {
            $tree.FindAll({ param($Node) $Node -is [Management.Automation.Language.FunctionDefinitionAst] }, $true) | ForEach-Object { $_.Name }
        }
        $names.Count | Should -BeGreaterThan 50
        $names | Where-Object { $_ -and $verbs -notcontains $_.Split('-')[0] } | Should -BeNullOrEmpty
    }
}
