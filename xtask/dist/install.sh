#!/bin/sh
# Copies MixingBuddy into your own folders, or removes it again:
#   sh install.sh
#   sh install.sh --remove
set -eu
here=$(cd "$(dirname "$0")" && pwd)
case $(uname -s) in
    Darwin)
        clap="$HOME/Library/Audio/Plug-Ins/CLAP"
        vst3="$HOME/Library/Audio/Plug-Ins/VST3"
        ;;
    *)
        clap="$HOME/.clap"
        vst3="$HOME/.vst3"
        ;;
esac
bin="$HOME/.local/bin"

remove() {
    rm -rf "$clap/MixingBuddy.clap" "$vst3/MixingBuddy.vst3"
    rm -f "$bin/mixing-buddy"
}

case ${1-} in
    "")
        mkdir -p "$clap" "$vst3" "$bin"
        remove
        cp -R "$here/MixingBuddy.clap" "$clap/"
        cp -R "$here/MixingBuddy.vst3" "$vst3/"
        cp "$here/mixing-buddy" "$bin/"
        echo "Installed into $clap, $vst3 and $bin. Let your host scan for plugins again."
        ;;
    --remove)
        remove
        echo "Removed. Your library of references stays in ${XDG_DATA_HOME:-$HOME/.local/share}/mixing-buddy."
        ;;
    *)
        echo "Usage: sh install.sh [--remove]" >&2
        exit 2
        ;;
esac
