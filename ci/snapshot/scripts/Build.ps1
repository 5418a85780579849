# What the scripts that build and package the driver have in common. Each of them loads this file first.

Set-StrictMode -Version Latest
# A caller's preferences do not apply. ($PSNativeCommandUseErrorActionPreference has no effect on Windows.ps1, which starts
# programs without PowerShell.)
$ErrorActionPreference = 'Stop'
$WarningPreference = 'Continue'
$ProgressPreference = 'SilentlyContinue'
$ConfirmPreference = 'None'
$WhatIfPreference = $false
$PSDefaultParameterValues = @{}

. "$PSScriptRoot/Windows.ps1"

# The full path of a program, which must be on the PATH.
function Get-Program([string] $Name, [string] $Advice) {
    $path = Find-Program $Name
    if (-not $path) {
        throw "$Name is not on the PATH: $Advice"
    }
    return $path
}

# How a program has ended that did not succeed, for a message.
function Format-End($Answer, [int] $Seconds) {
    if ($Answer.TimedOut) {
        return "no answer within $Seconds seconds"
    }
    return "exit code $($Answer.ExitCode)"
}

# Does something at most so many times, ten seconds apart, until it returns 0: a server may be busy. Returns the last
# number.
function Invoke-Attempt([int] $Count, [scriptblock] $Do) {
    foreach ($attempt in 1..$Count) {
        $code = & $Do
        if ($code -eq 0) {
            break
        }
        if ($attempt -lt $Count) {
            Write-Console "Attempt $attempt of $Count failed with exit code $code. The next one begins in 10 seconds."
            Wait-Second 10
        }
    }
    return $code
}

# Removes a file or a folder, if it exists.
function Clear-Path([string] $Path) {
    if (Test-Exists $Path) {
        Remove-Path $Path
    }
}

# Sets a variable for the steps that follow in a pipeline: GitHub ("Workflow commands for GitHub Actions", the file
# GITHUB_ENV) and Azure ("Set variables in scripts", task.setvariable).
function Set-PipelineVariable([string] $Name, [string] $Value) {
    $file = Get-EnvironmentVariable 'GITHUB_ENV'
    if ($file) {
        Add-Line $file "$Name=$Value"
    }
    if (Get-EnvironmentVariable 'TF_BUILD') {
        Write-Console "##vso[task.setvariable variable=$Name]$Value"
    }
}
