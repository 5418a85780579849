<#
.SYNOPSIS
Runs the tests of the emitted scripts, all in this process, and prints how many cases have passed and which statements of
the scripts no case has reached.

.PARAMETER Only
The names of test files, without .Tests.ps1, separated by commas. The default is all.
#>
param([string] $Only = '')

$ErrorActionPreference = 'Stop'
$names = if ($Only) { $Only.Split(',') } else { @((Get-ChildItem $PSScriptRoot -Filter *.Tests.ps1).BaseName -replace '\.Tests$', '') }
Import-Module Pester -MinimumVersion 5.3

# What the cases have reached, as script:line:column.
$global:Covered = [Collections.Generic.HashSet[string]]::new()
$global:AllStatements = [Collections.Generic.HashSet[string]]::new()

# The folder of the scripts under test.
$global:ScriptHome = Join-Path ([IO.Path]::GetTempPath()) "scripts-$PID"

$configuration = New-PesterConfiguration
$configuration.Run.Path = @($names | ForEach-Object { Join-Path $PSScriptRoot "$_.Tests.ps1" })
$configuration.Run.PassThru = $true
$configuration.Output.Verbosity = 'Normal'
$configuration.Output.RenderMode = 'Plaintext'
try {
    $result = Invoke-Pester -Configuration $configuration
}
finally {
    Remove-Item -LiteralPath $ScriptHome -Recurse -Force -ErrorAction SilentlyContinue
}

$missed = @($AllStatements | Where-Object { -not $Covered.Contains($_) } | Sort-Object)
Write-Host "cases: $($result.PassedCount) passed, $($result.FailedCount) failed, $($result.SkippedCount) skipped"
Write-Host "statements: $($AllStatements.Count - $missed.Count) of $($AllStatements.Count) reached"
foreach ($statement in $missed) {
    Write-Host "  not reached: $statement"
}
$failed = $result.FailedCount -ne 0 -or $result.PassedCount -eq 0
exit [int] ($failed -or ($missed.Count -ne 0 -and -not $Only))
