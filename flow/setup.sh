#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Set-up of a checkout: .venv with the pinned packages; Icarus Verilog and LZ4 through apt where that is allowed.
# The Makefile calls it before every command. It does nothing if .venv/stamp holds what .venv would be made from.
# A new .venv is made beside the old one, which stays in use until the new one is whole.
# What is missing is named together with the command that installs it.
set -eu
unset CDPATH # with it, cd may go to another checkout
cd "$(dirname "$0")/.."
here=$(pwd -P)
new=.venv.new.$$
unset PYTHONHOME PYTHONPATH PYTHONSAFEPATH PYTHONOPTIMIZE PIP_TARGET PIP_PREFIX PIP_ROOT PIP_USER PIP_DRY_RUN

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
}

# lock: one set-up at a time. The kernel keeps the lock, on an open file, and frees it however its owner ends; no number
# of a process is asked for, since another one has the same after a container was killed. What this script starts has
# the file open too: a pip that outlives it still keeps others out. The file stays: who removed it could let two in.
lock() {
    if [ ! -w . ]; then
        echo "setup: cannot write in $here" >&2
        exit 1
    fi
    exec 9>>.venv.flock
    "$python" -c '
import fcntl, signal
signal.signal(signal.SIGINT, signal.SIG_DFL)
try:
    fcntl.flock(0, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    print("setup: waiting for another set-up", flush=True)
    fcntl.flock(0, fcntl.LOCK_EX)
except OSError as error:
    print(f"setup: start no other command meanwhile: this file system has no locks ({error.strerror})")
' <&9
    trap 'rm -rf "$new"; restore' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    restore
    rm -rf .venv.new.* .venv.lock # of set-ups that were killed; the link .venv.lock was the lock of earlier versions
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

# apt PACKAGE…: install, if root or a sudo without password allows it; what that starts for good must not keep the lock
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
} 9>&-

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

# plain: true if make and Verilator can name this folder; flow/paths.py has the same characters
plain() (
    LC_ALL=C
    case $here in
    *[!A-Za-z0-9/._+,@~%-]*) exit 1 ;;
    esac
)
if ! plain; then
    echo "setup: the checkout is in $here, but make and Verilator only build in folders whose names have no other" \
        "characters than letters, digits and . _ + , @ ~ % -: move it" >&2
    exit 1
fi

program c++ g++
program make make
program perl perl

# find_python: a Python that can make a .venv, the one that was asked for and no other; sets python and version
find_python() {
    python=""
    set -- python3 python3.14 python3.13 python3.12 python3.11
    [ -z "${EDGELOOM_PYTHON-}" ] || set -- "$EDGELOOM_PYTHON"
    for candidate; do
        if command -v "$candidate" >/dev/null &&
            "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            python=$candidate
            break
        fi
    done
    if [ -z "$python" ] && [ -n "${EDGELOOM_PYTHON-}" ]; then
        echo "setup: EDGELOOM_PYTHON=$EDGELOOM_PYTHON is no Python 3.11 or newer that runs here: name another" >&2
        exit 1
    elif [ -z "$python" ]; then
        command -v python3 >/dev/null || missing "Python 3.11 or newer" python3 python3-venv
        missing "Python 3.11 or newer" python3.11 python3.11-venv
    fi
    version=$(minor "$python")
    "$python" -c 'import ensurepip, venv' 2>/dev/null || missing "the venv module of Python $version" \
        "python$version-venv"
}

find_python
lock
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
