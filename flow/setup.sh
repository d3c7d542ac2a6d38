#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Set-up of a fresh checkout: .venv with the pinned packages, and Icarus Verilog through apt where that is allowed.
# Called by the Makefile when the stamp .venv/stamp is older than this file or requirements.txt.
# What is missing is named together with the command that installs it.
set -eu
cd "$(dirname "$0")/.."

if [ "$(id -u)" = 0 ]; then
    root=""
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    root="sudo -n"
else
    root=none
fi

# apt PACKAGE…: install, if root or a sudo without password allows it
apt() {
    [ "$root" != none ] && command -v apt-get >/dev/null || return 1
    echo "setup: apt-get install $*"
    export DEBIAN_FRONTEND=noninteractive
    $root apt-get install -y --no-install-recommends "$@" >/dev/null 2>&1 && return
    $root apt-get update >/dev/null 2>&1 || true
    $root apt-get install -y --no-install-recommends "$@" >/dev/null
}

# missing WHAT COMMAND: stop and name the command
missing() {
    echo "setup: $1 is missing; install it with: $2" >&2
    exit 1
}

# program NAME PACKAGE: a program that the build cannot do without
program() {
    command -v "$1" >/dev/null || missing "$1" "sudo apt-get install $2"
}

program c++ g++
program make make
program perl perl

python=""
for candidate in "${EDGELOOM_PYTHON:-python3}" python3.14 python3.13 python3.12 python3.11; do
    if command -v "$candidate" >/dev/null &&
        "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    command -v python3 >/dev/null || missing "Python 3.11 or newer" "sudo apt-get install python3 python3-venv"
    missing "Python 3.11 or newer" "sudo apt-get install python3.11 python3.11-venv"
fi
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
"$python" -c 'import ensurepip, venv' 2>/dev/null || missing "the venv module of Python $version" \
    "sudo apt-get install python$version-venv"

echo "setup: .venv with Python $version and the packages of requirements.txt (about 900 MB, some minutes)"
rm -rf .venv
"$python" -m venv .venv
PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 .venv/bin/python -m pip install --quiet --no-deps -r requirements.txt

# cocotb embeds Python in the simulator and needs its shared library, which Debian packs on its own.
libpython() {
    .venv/bin/python -c 'import find_libpython, sys; sys.exit(find_libpython.find_libpython() is None)'
}
libpython || apt "libpython$version" || true
libpython || missing "the shared library of Python $version" "sudo apt-get install libpython$version"

command -v iverilog >/dev/null || apt iverilog ||
    echo "setup: iverilog is missing (SIM=icarus and make test need it); install it with: sudo apt-get install iverilog"

touch .venv/stamp
