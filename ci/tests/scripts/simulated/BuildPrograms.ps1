# The programs that New-Package.ps1 and Install-BuildTools.ps1 start, on the simulated Windows: $Machine.Build says how
# they behave (New-BuildMachine in ../BuildMachine.ps1).

function Invoke-BuildProgram([string] $Name, [string] $Arguments) {
    switch -Regex ($Name) {
        '^cargo$' { return Invoke-SimulatedCargo $Arguments }
        '^nuget$' { return Invoke-SimulatedNuget $Arguments }
        '^curl$' { return Invoke-SimulatedCurl $Arguments }
        '^clang$' { return Invoke-SimulatedClang $Arguments }
        '^LLVM-' { return Invoke-SimulatedInstaller $Arguments }
    }
    throw "no such program: $Name"
}

function Add-SimulatedFile([string] $Path, [string] $Text = 'binary') {
    $Machine.Files[$Path] = $Text
    for ($folder = [IO.Path]::GetDirectoryName($Path); $folder.Length -gt 3; $folder = [IO.Path]::GetDirectoryName($folder)) {
        $null = $Machine.Folders.Add($folder)
    }
}

# The processor of a program of LLVM is in the text of its file.
function Add-SimulatedLlvm([string] $Folder, [string] $Version, [string] $Triple) {
    Add-SimulatedFile (Join-Path $Folder 'bin\clang.exe') "$Version $Triple"
    Add-SimulatedFile (Join-Path $Folder 'bin\libclang.dll')
    Add-SimulatedFile (Join-Path $Folder "lib\clang\$($Version.Split('.')[0])\include\stddef.h")
}

# "cargo metadata" (The Cargo Book): one line of JSON, in UTF-8. "cargo wdk" is cargo-wdk 0.2.0, src/cli.rs: --version
# prints the name and the version. Exit codes: 101 where there is no such command ("cargo", exit status).
function Invoke-SimulatedCargo([string] $Arguments) {
    $build = $Machine.Build
    if ($Machine.ProgramCall.Folder -ne $build.Project) {
        throw "cargo was started in $($Machine.ProgramCall.Folder), where rustup does not see rust-toolchain.toml"
    }
    switch -Regex ($Arguments) {
        '^metadata --format-version 1 --no-deps --locked$' {
            if ($build.Metadata) {
                return $build.Metadata
            }
            $members = @($build.Members | ForEach-Object { @{ name = $_[0]; version = $_[1]; manifest_path = $_[2] } })
            $text = ConvertTo-Json -Compress -Depth 5 @{ packages = $members; target_directory = $build.Target }
            if ($Machine.ProgramCall.Encoding -isnot [Text.UTF8Encoding]) {
                $text = $text -replace '[^\x00-\x7F]', '?'
            }
            return New-Answer 0 "$text`ninfo: syncing channel updates for 1.95.0`n"
        }
        '^wdk --version$' { return $build.WdkVersion }
        '^wdk build --locked --profile (dev|release) --target-arch (amd64|arm64) --target-platform (desktop|universal) --sign-mode (off|test)( --signtool-args "((?:[^"\\]|\\")+)")?$' {
            # src/cli.rs: custom arguments go to signtool sign, and no test certificate is made.
            if ($Matches[6]) {
                if ($Matches[4] -eq 'off') {
                    return New-Answer 2 '`--signtool-args` cannot be used with `--sign-mode=off`.'
                }
                $build.Signtool = $Matches[6].Replace('\"', '"')
            }
            return New-Answer (Invoke-SimulatedWdk $Matches[1] $Matches[2] $Matches[3] $Matches[4])
        }
    }
    return New-Answer 2 'unexpected argument'
}

# cargo-wdk 0.2.0, src/actions/build/package_task.rs, PackageTask::run: it removes the folder, makes it again, and leaves
# what it has when a tool fails. src/actions/build/mod.rs, build_and_package: it returns without a package and without an
# error where it does not find the driver's metadata.
function Invoke-SimulatedWdk([string] $CargoProfile, [string] $Arch, [string] $Platform, [string] $Signing) {
    $build = $Machine.Build
    if ($build.Skips) {
        return 0
    }
    $triple = if ($Arch -eq 'arm64') { 'aarch64-pc-windows-msvc' } else { 'x86_64-pc-windows-msvc' }
    $folder = if ($CargoProfile -eq 'dev') { 'debug' } else { 'release' }
    $made = Join-Path $build.Target "$triple/$folder/$($build.Driver)_package"
    $version = if ($build.OtherVersion) { $build.OtherVersion } else { $Machine.ProgramCall.Environment.STAMPINF_VERSION }
    Add-SimulatedFile (Join-Path $made "$($build.Driver).sys") "sys of run $($build.Run)"
    Add-SimulatedFile (Join-Path $made "$($build.Driver).pdb") "pdb of run $($build.Run)"
    Add-SimulatedFile (Join-Path $made "$($build.Driver).inf") "[Version]`r`nDriverVer = 11/26/2026,$version`r`n"
    $failure = if ($Signing -eq 'test') { 'signing' } else { $Platform }
    if ($build.Failures[$failure] -gt 0) {
        $build.Failures[$failure]--
        return 1
    }
    Add-SimulatedFile (Join-Path $made "$($build.Driver).cat") "cat of run $($build.Run)"
    if ($Signing -eq 'test' -and -not $build.Signtool) {
        Add-SimulatedFile (Join-Path $made 'WDRLocalTestCert.cer') 'cer'
    }
    foreach ($name in $build.Lacks) {
        $Machine.Files.Remove((Join-Path $made $name))
    }
    return 0
}

# "install command (NuGet CLI)". A package brings those that it depends on. NuGet/Home issue 8746: where the folder of a
# package exists, nuget does nothing and reports success.
function Invoke-SimulatedNuget([string] $Arguments) {
    $build = $Machine.Build
    if ($Arguments -notmatch '^install Microsoft\.Windows\.WDK\.(x64|ARM64) -Version (\S+) -OutputDirectory "([^"]+[^\\"])" -Source https://api\.nuget\.org/v3/index\.json -NonInteractive$') {
        return New-Answer 1 'syntax'
    }
    $platform = $Matches[1]
    $version = $Matches[2]
    $folder = $Matches[3]
    $package = Join-Path $folder "Microsoft.Windows.WDK.$platform.$version"
    if ($Machine.Folders -contains $package) {
        return New-Answer 0
    }
    # A part of a package is there as soon as it begins.
    Add-SimulatedFile (Join-Path $package 'Microsoft.Windows.WDK.nuspec')
    if ($build.Failures.nuget -gt 0) {
        $build.Failures.nuget--
        return New-Answer 1
    }
    $library = $platform.ToLowerInvariant()
    foreach ($file in 'Include\10.0.26100.0\km\crt\crt.h', 'Include\10.0.26100.0\km\fltKernel.h', 'Include\10.0.26100.0\shared\sal.h',
        "Lib\10.0.26100.0\km\$library\fltMgr.lib", "bin\10.0.26100.0\$library\stampinf.exe", "tools\10.0.26100.0\$library\infverif.exe") {
        if ($build.Lacks -notcontains [IO.Path]::GetFileName($file.Replace('\', '/'))) {
            Add-SimulatedFile (Join-Path $package "c\$file")
        }
    }
    foreach ($sdk in $build.Sdks) {
        Add-SimulatedFile (Join-Path $folder "$sdk\c\bin\10.0.26100.0\$library\signtool.exe")
    }
    return New-Answer 0
}

# "curl.1 the man page": 22 is an error of the server with --fail.
function Invoke-SimulatedCurl([string] $Arguments) {
    $build = $Machine.Build
    if ($Arguments -notmatch '^--fail --location --silent --show-error --output "([^"]+)" https://github\.com/llvm/llvm-project/releases/download/llvmorg-([\d.]+)/LLVM-\2-(win64|woa64)\.exe$') {
        return New-Answer 2 'syntax'
    }
    $file = $Matches[1]
    $content = if ($build.Download) { $build.Download } else { "$($Matches[2]) $($Matches[3])" }
    Add-SimulatedFile $file 'a part'
    if ($build.Failures.curl -gt 0) {
        $build.Failures.curl--
        return New-Answer 22
    }
    $Machine.Files[$file] = $content
    return New-Answer 0
}

# "Installer Usage" (NSIS): /D is the last argument and has no quotation marks.
function Invoke-SimulatedInstaller([string] $Arguments) {
    $build = $Machine.Build
    if ($Arguments -notmatch '^/S /D=([^"]+)$') {
        return New-Answer 1
    }
    $folder = $Matches[1]
    $version, $file = $Machine.Files[$Machine.ProgramCall.Path].Split(' ')
    Add-SimulatedFile (Join-Path $folder 'bin\clang.exe') 'a part'
    if ($build.Failures.installer -gt 0) {
        $build.Failures.installer--
        return New-Answer 2
    }
    $triple = if ($file -eq 'woa64') { 'aarch64-pc-windows-msvc' } else { 'x86_64-pc-windows-msvc' }
    Add-SimulatedLlvm $folder $version $triple
    foreach ($name in $build.Lacks) {
        $Machine.Files.Remove((Join-Path $folder "bin\$name"))
    }
    return New-Answer 0
}

# clang 17.0.6: the version, and the triple of the target, which is that of the program.
function Invoke-SimulatedClang([string] $Arguments) {
    $version, $triple = $Machine.Files[$Machine.ProgramCall.Path].Split(' ')
    if (-not $triple.Contains('windows')) {
        throw 'not a valid Win32 application'
    }
    return New-Answer 0 "clang version $version`r`nTarget: $triple`r`nThread model: posix`r`n"
}
