#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Set-up of a checkout: .venv with the pinned packages; Icarus Verilog and LZ4 through apt where that is allowed.
# The Makefile calls it before every command. It does nothing if .venv/stamp holds what .venv would be made from.
# A new .venv is made beside the old one, which stays in use until the new one is whole.
# What is missing is named together with the command that installs it.
set -eu
cd "$(dirname "$0")/.."
here=$(pwd -P)
new=.venv.new.$$
unset CDPATH PYTHONHOME PYTHONPATH PYTHONSAFEPATH PYTHONOPTIMIZE PIP_TARGET PIP_PREFIX PIP_ROOT PIP_USER PIP_DRY_RUN

# how PACKAGE…: the command that installs Debian's packages, or all that is needed where there is no apt
how() {
    if command -v apt-get >/dev/null; then echo "sudo apt-get install $*"
    elif command -v brew >/dev/null; then echo "xcode-select --install; brew install python icarus-verilog lz4 ccache"
    elif command -v dnf >/dev/null; then
        echo "sudo dnf install gcc-c++ make perl python3 iverilog zlib-devel lz4-devel ccache"
    elif command -v pacman >/dev/null; then echo "sudo pacman -S gcc make perl python iverilog zlib lz4 ccache"
    else echo "sudo apt-get install $*"; fi
}

# missing WHAT PACKAGE…: stop and name the command
missing() {
    what=$1
    shift
    echo "setup: $what is missing; install it with: $(how "$@")" >&2
    exit 1
}

# minor PYTHON: its version as in 3.11, or nothing if it does not run
minor() {
    "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null || true
}

# packages VERSION: what a .venv is made of
packages() {
    echo "Python $1"
    cat requirements.txt
}

# place: where .venv is, which may be a link
place() {
    (cd .venv && pwd -P)
}

# stamp VERSION: all that the set-up depends on
stamp() {
    packages "$1"
    place
    cat flow/setup.sh
}

# usable: true if .venv runs, with the Python that was asked for and the right packages; sets have, its version
usable() {
    [ -f .venv/packages ] && have=$(minor .venv/bin/python) && [ -n "$have" ] || return 1
    [ -z "${EDGELOOM_PYTHON-}" ] || [ "$(minor "$EDGELOOM_PYTHON")" = "$have" ] || return 1
    packages "$have" | cmp -s - .venv/packages
}

# settled: true if nothing is to do
settled() {
    [ -f .venv/stamp ] && usable && stamp "$have" | cmp -s - .venv/stamp
}

# restore: a set-up that ended while it put the new .venv in place has left the old one aside
restore() {
    if [ -e .venv.old ]; then
        if [ -e .venv ]; then rm -rf .venv.old; else mv .venv.old .venv; fi
    fi
    rm -rf .venv.new.*
}

# lock: one set-up at a time; the lock is a link whose target is the number of the process that has it
lock() {
    told=""
    until ln -s "$$" .venv.lock 2>/dev/null; do
        owner=$(readlink .venv.lock || true)
        if [ -z "$owner" ] && [ ! -w . ]; then
            echo "setup: cannot write in $here" >&2
            exit 1
        elif [ -n "$owner" ] && ! kill -0 "$owner" 2>/dev/null; then
            rm -f .venv.lock
        else
            [ -n "$told" ] || echo "setup: waiting for another set-up (process $owner)"
            told=1
            sleep 1
        fi
    done
    trap 'restore; rm -f .venv.lock' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
}

# move_paths DIRECTORY OLD NEW: a .venv keeps its place as text: in its activation, in the first lines of its programs
move_paths() {
    for file in "$1"/pyvenv.cfg "$1"/bin/*; do
        if [ -f "$file" ] && [ ! -h "$file" ] && LC_ALL=C grep -Iq "$2" "$file"; then
            sed "s|$2|$3|g" "$file" >"$1/changed"
            cat "$1/changed" >"$file"
        fi
    done
    echo "$3" >"$1/place"
    rm -f "$1/changed"
}

# apt PACKAGE…: install, if root or a sudo without password allows it
apt() {
    if [ "$(id -u)" = 0 ]; then root=""
    elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then root="sudo -n"
    else return 1; fi
    command -v apt-get >/dev/null || return 1
    echo "setup: apt-get install $*"
    export DEBIAN_FRONTEND=noninteractive
    $root apt-get install -y --no-install-recommends "$@" >/dev/null 2>&1 && return
    $root apt-get update >/dev/null 2>&1 || true
    $root apt-get install -y --no-install-recommends "$@" >/dev/null
}

# program NAME PACKAGE: a program that the build cannot do without
program() {
    command -v "$1" >/dev/null || missing "$1" "$2"
}

# make_venv: a new .venv with the packages, in place of the old one
make_venv() {
    echo "setup: .venv with Python $version and the packages of requirements.txt (about 900 MB, some minutes)"
    "$python" -m venv "$new" --prompt .venv
    if ! PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 "$new/bin/python" -m pip install --quiet --no-deps \
        -r requirements.txt; then
        kept=""
        [ ! -e .venv ] || kept="; .venv is as it was"
        echo "setup: pip could not install the packages of requirements.txt$kept" >&2
        exit 1
    fi
    packages "$version" >"$new/packages"
    move_paths "$new" "$here/$new" "$here/.venv"
    [ ! -e .venv ] || mv .venv .venv.old
    mv "$new" .venv
    rm -rf .venv.old
}

if settled; then exit 0; fi

case $here in
*[!A-Za-z0-9/._+,@~%-]*)
    echo "setup: the checkout is in $here, but make and Verilator only build in folders whose names have no other" \
        "characters than letters, digits and . _ + , @ ~ % -: move it" >&2
    exit 1
    ;;
esac

program c++ g++
program make make
program perl perl

# find_python: a Python that can make a .venv; sets python and version
find_python() {
    python=""
    for candidate in "${EDGELOOM_PYTHON:-python3}" python3.14 python3.13 python3.12 python3.11; do
        if command -v "$candidate" >/dev/null &&
            "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            python=$candidate
            break
        fi
    done
    if [ -z "$python" ]; then
        command -v python3 >/dev/null || missing "Python 3.11 or newer" python3 python3-venv
        missing "Python 3.11 or newer" python3.11 python3.11-venv
    fi
    version=$(minor "$python")
    "$python" -c 'import ensurepip, venv' 2>/dev/null || missing "the venv module of Python $version" \
        "python$version-venv"
}

find_python
lock
restore
if settled; then
    exit 0
elif usable; then
    [ "$(cat .venv/place)" = "$(place)" ] || move_paths .venv "$(cat .venv/place)" "$(place)"
    version=$have
else
    make_venv
fi

# cocotb embeds Python in the simulator and needs its shared library, which Debian packs on its own.
libpython() {
    .venv/bin/python -c 'import find_libpython, sys; sys.exit(find_libpython.find_libpython() is None)'
}
libpython || apt "libpython$version" || true
libpython || missing "the shared library of Python $version" "libpython$version"

command -v iverilog >/dev/null || apt iverilog ||
    echo "setup: iverilog is missing (SIM=icarus and make test need it); install it with: $(how iverilog)"

# Verilator's programs compress waves in FST with them.
headers() {
    printf '#include <lz4.h>\n#include <zlib.h>\n' | c++ -E -x c++ - >/dev/null 2>&1
}
headers || apt liblz4-dev zlib1g-dev ||
    echo "setup: lz4.h and zlib.h are missing (without them waves of Verilator are VCD, 40 times larger); install" \
        "them with: $(how liblz4-dev zlib1g-dev)"

stamp "$version" >.venv/stamp.new
mv .venv/stamp.new .venv/stamp
