# SPDX-License-Identifier: Apache-2.0
"""Pages of docs/ that show how something is added are followed to the letter, in a copy of the checkout.

A block of code whose fence has a title is a step: ``title="file"`` behind a language is that whole new file; behind
``diff`` it is a place in an existing file, which must be there exactly once, and what becomes of it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from flow import paths
from flow.paths import ROOT

_FENCE = re.compile(r'^```(\w+) title="([^"]+)"\n(.*?)^```$', re.MULTILINE | re.DOTALL)
_FOREIGN = shutil.ignore_patterns("build", "data", "__pycache__", ".*")


@dataclass(frozen=True)
class Step:
    """One block of a page: a whole file, or a change of one."""

    language: str
    file: str
    text: str

    def apply(self, root: Path) -> None:
        """Do it in a checkout."""
        path = root / self.file
        if self.language != "diff":
            assert not path.exists(), f"{self.file} is there already"
            path.write_text(self.text, encoding="utf-8")
            return
        lines = [(line[:1], line[1:]) for line in self.text.splitlines(keepends=True)]
        before = "".join(rest for sign, rest in lines if sign != "+")
        after = "".join(rest for sign, rest in lines if sign != "-")
        text = path.read_text(encoding="utf-8")
        assert text.count(before) == 1, f"{self.file} has {text.count(before)} times:\n{before}"
        path.write_text(text.replace(before, after), encoding="utf-8")


def steps(page: str) -> list[Step]:
    """The steps of a page of docs/."""
    return [Step(*found) for found in _FENCE.findall((ROOT / "docs" / page).read_text(encoding="utf-8"))]


def followed(page: str, root: Path) -> set[str]:
    """Make a copy of the checkout at ``root``, and do in it what a page says. The files that this touches."""
    shutil.copytree(ROOT, root, ignore=_FOREIGN)
    for linked in ("data", ".venv"):
        (root / linked).symlink_to(ROOT / linked)
    _share_builds(root)
    todo = steps(page)
    for step in todo:
        step.apply(root)
    return {step.file for step in todo}


def _share_builds(root: Path) -> None:
    """Let the copy use what has been built here; all of it is named by what it was built from."""
    (root / "build" / "cache").mkdir(parents=True)
    for shared in ("sim", "cache/ccache", "cache/numba"):
        (paths.BUILD / shared).mkdir(parents=True, exist_ok=True)
        (root / "build" / shared).symlink_to(paths.BUILD / shared)


def python(root: Path, *arguments: str) -> str:
    """Run Python in a copy; what it printed, or the test fails with it."""
    variables = {name: value for name, value in os.environ.items() if name != "EDGELOOM_BUILD"}
    ran = subprocess.run(
        [sys.executable, "-E", "-X", "utf8", *arguments], cwd=root, env=variables, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout
