# For Invoke-ScriptAnalyzer on the emitted scripts (.github/workflows/windows.yml).
@{
    Severity     = @('Error', 'Warning')
    ExcludeRules = @(
        # The scripts talk to a person at a console.
        'PSAvoidUsingWriteHost'
        # Their functions are no cmdlets: nobody calls them with -WhatIf, or completes their names.
        'PSUseShouldProcessForStateChangingFunctions'
        'PSUseSingularNouns'
        # The rules look at one scope of one file: here functions, also those of other files, read what a script sets.
        'PSReviewUnusedParameter'
        'PSUseDeclaredVarsMoreThanAssignments'
    )
    Rules        = @{
        PSUseCompatibleSyntax = @{ Enable = $true; TargetVersions = @('5.1', '7.0') }
    }
}
