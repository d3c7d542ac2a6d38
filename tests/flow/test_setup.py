# SPDX-License-Identifier: Apache-2.0
"""The set-up script names what is missing together with the command that installs it, and then changes nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from flow.paths import ROOT

OLD_PYTHON = '#!/bin/sh\ncase "$2" in *version_info*) exit 1;; esac\n'
BARE_PYTHON = """#!/bin/sh
case "$2" in
    *"< (3, 11)"*) exit 0;;
    *version_info*) echo 3.12; exit 0;;
    *ensurepip*) exit 1;;
esac
exit 9
"""


def setup(tmp_path: Path, programs: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a copy of the script where only the given programs and a few of the system's exist."""
    (tmp_path / "flow").mkdir()
    shutil.copy(ROOT / "flow" / "setup.sh", tmp_path / "flow")
    binaries = tmp_path / "bin"
    binaries.mkdir()
    for name in ("sh", "dirname", "id", "rm", "touch"):
        found = shutil.which(name)
        assert found
        (binaries / name).symlink_to(found)
    for name, text in programs.items():
        (binaries / name).write_text(text)
        (binaries / name).chmod(0o755)
    environment = {"PATH": str(binaries), "HOME": os.environ.get("HOME", "/")}
    command = ["sh", str(tmp_path / "flow" / "setup.sh")]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


TOOLS = dict.fromkeys(("c++", "make", "perl"), "#!/bin/sh\n")


@pytest.mark.parametrize(
    ("programs", "message"),
    [
        ({}, "c++ is missing; install it with: sudo apt-get install g++"),
        ({"c++": ""}, "make is missing; install it with: sudo apt-get install make"),
        ({"c++": "", "make": ""}, "perl is missing; install it with: sudo apt-get install perl"),
        (TOOLS, "Python 3.11 or newer is missing; install it with: sudo apt-get install python3 python3-venv"),
        (
            TOOLS | {"python3": OLD_PYTHON},
            "Python 3.11 or newer is missing; install it with: sudo apt-get install python3.11 python3.11-venv",
        ),
        (
            TOOLS | {"python3": BARE_PYTHON},
            "the venv module of Python 3.12 is missing; install it with: sudo apt-get install python3.12-venv",
        ),
    ],
)
def test_missing_tool_is_named(tmp_path: Path, programs: dict[str, str], message: str) -> None:
    result = setup(tmp_path, programs)
    assert result.returncode == 1
    assert message in result.stderr
    assert not (tmp_path / ".venv").exists()


def test_requirements_are_pinned() -> None:
    lines = [line.strip() for line in (ROOT / "requirements.txt").read_text().splitlines()]
    packages = [line for line in lines if line and not line.startswith("#")]
    assert len(packages) > 20
    assert all("==" in line for line in packages)
