# Copies MixingBuddy into your own folders, or removes it again:
#   powershell -ExecutionPolicy Bypass -File install.ps1
#   powershell -ExecutionPolicy Bypass -File install.ps1 -Remove
param([switch]$Remove)
$ErrorActionPreference = "Stop"
$plugins = Join-Path $env:LOCALAPPDATA "Programs\Common"
$clap = Join-Path $plugins "CLAP"
$vst3 = Join-Path $plugins "VST3"
$bin = Join-Path $env:LOCALAPPDATA "Programs\MixingBuddy"

foreach ($old in (Join-Path $clap "MixingBuddy.clap"), (Join-Path $vst3 "MixingBuddy.vst3"), $bin) {
    if (Test-Path -LiteralPath $old) { Remove-Item -LiteralPath $old -Recurse -Force }
}
if ($Remove) {
    Write-Output "Removed. Your library of references stays in $env:APPDATA\mixing-buddy."
    exit 0
}
foreach ($folder in $clap, $vst3, $bin) { New-Item -ItemType Directory -Force -Path $folder | Out-Null }
Copy-Item -LiteralPath (Join-Path $PSScriptRoot "MixingBuddy.clap") -Destination $clap -Recurse
Copy-Item -LiteralPath (Join-Path $PSScriptRoot "MixingBuddy.vst3") -Destination $vst3 -Recurse
Copy-Item -LiteralPath (Join-Path $PSScriptRoot "mixing-buddy.exe") -Destination $bin
Write-Output "Installed into $clap, $vst3 and $bin. Let your host scan for plugins again."
