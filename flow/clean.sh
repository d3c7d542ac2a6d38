#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Remove all build outputs: build/ of the checkout, or what is in the directory EDGELOOM_BUILD, if the mark is there
# with which flow/paths.py tells its own directories from those of others.
set -eu
unset CDPATH # with it, cd may go to another checkout
root=$(cd "$(dirname "$0")/.." && pwd -P)
given=${EDGELOOM_BUILD:-$root/build}

# refuse REASON: remove nothing
refuse() {
    echo "make clean: BUILD=$given $1; nothing was removed" >&2
    exit 1
}

[ -e "$given" ] || exit 0
directory=$(cd "$given" 2>/dev/null && pwd -P) || refuse "is no directory"
if [ "$directory" = "$(cd "$root/build" 2>/dev/null && pwd -P)" ]; then
    rm -rf "$root/build"
    exit
fi
[ -f "$directory/.edgeloom-build" ] || refuse "was not made by EdgeLoom: it has no file .edgeloom-build"
case $root/ in
    "$directory"/*) refuse "holds the checkout" ;;
esac
(cd "$directory" && find . -mindepth 1 ! -path ./.edgeloom-build -delete)
rm "$directory/.edgeloom-build" # last: a clean that is stopped can be done again
rmdir "$directory" 2>/dev/null || true # it may be a mount point, or where this shell is
