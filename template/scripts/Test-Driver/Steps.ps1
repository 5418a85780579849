# The steps of a test, in their order. Name: its name in the journal. Text: what the script prints. Plan: what -DryRun
# prints below it. Restart: Windows must be restarted after the step.
$steps = @(
    @{
        Name = 'verifier'; Restart = $true
        Text = 'Set the standard settings of Driver Verifier for the driver'
        Plan = { 'a crash resets them; Windows must be restarted, and -Resume goes on' }
        Do   = { Enable-Verifier }
    }
    @{
        Name = 'certificates'; Restart = $false
        Text = 'Trust the certificates (*.cer) of the package'
        Plan = { 'in the stores Root and TrustedPublisher, if they are not there' }
        Do   = { Add-TestCertificate }
    }
    @{
        Name = 'install'; Restart = $false
        Text = 'Install the package'
        Plan = { 'pnputil /add-driver; the start type becomes demand' }
        Do   = { Add-Package }
    }
    @{
        Name = 'standard'; Restart = $false
        Text = 'Test with the standard settings'
        Plan = { Get-RoundPlan }
        Do   = { Invoke-Round 'Standard settings' $standardFlags $false }
    }
    @{
        Name = 'low resources'; Restart = $false
        Text = 'Make allocations of the driver fail'
        Plan = { 'verifier /volatile sets low resources simulation and those standard settings that it can; the others are off' }
        Do   = { Enable-LowResources }
    }
    @{
        Name = 'low'; Restart = $false
        Text = 'Test with low resources simulation'
        Plan = { Get-RoundPlan }
        Do   = { Invoke-Round 'Low resources' ((Get-VolatileFlag) -bor $lowResourcesFlag) $true }
    }
)

# What a round does, and what is expected of it.
function Get-RoundPlan {
    'fltmc load; the filter must be registered, attached and verified'
    foreach ($request in @(Get-UnloadRequest)) {
        $expected = if ($request.Expected.Unloads) { 'unloads' } else { "fails with $(Format-Code $request.Expected)" }
        "file traffic for $($run.Seconds) seconds, then $($request.Tool) $($request.Verb): $expected"
    }
}

# Runs the steps that are not done. Returns whether Windows must be restarted before the next one.
function Invoke-Step {
    $done = @(Get-Entry $run.Journal 'done' | ForEach-Object { $_.Name })
    foreach ($step in $steps) {
        if ($done -contains $step.Name) {
            continue
        }
        $run.Round = ''
        Set-Step $step.Text
        $null = & $step.Do
        Add-Entry $run.Journal 'done' @{ Name = $step.Name }
        if ($step.Restart) {
            return $true
        }
    }
    return $false
}
