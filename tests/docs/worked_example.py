# SPDX-License-Identifier: Apache-2.0
"""Worked examples of the docs: their diffs are applied to a copy of the checkout, in which the example has to work."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from flow.paths import ROOT

_FOLDERS = ("configs", "docs", "flow", "models", "rtl", "studies", "sw", "tb")
_DIFF = re.compile(r"^```diff\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class WorkedExample:
    """A copy of the checkout with the changes of a section of a page.

    Attributes:
        root: of the copy.
        files: that the section changes, from the checkout on; what is generated is not among them.
    """

    def __init__(self, root: Path, page: str, heading: str = "") -> None:
        """Copy and apply. heading: of the section, with its ``#``; "" for the whole page."""
        self.root = root
        for folder in _FOLDERS:
            shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
        text = (ROOT / page).read_text(encoding="utf-8")
        if heading:
            level = heading.partition(" ")[0]
            text = re.split(
                rf"^#{{1,{len(level)}}} ", text.partition(f"{heading}\n")[2], maxsplit=1, flags=re.MULTILINE
            )[0]
        diffs = _DIFF.findall(text)
        assert diffs, f"{page} {heading}: there is no ```diff in it"
        self.files = sorted(set(re.findall(r"^\+\+\+ b/(\S+)$", "".join(diffs), re.MULTILINE)))
        for diff in diffs:
            self._run(["git", "apply", "-"], f"{page}: this change does not fit to the checkout:\n{diff}", diff)

    def flow(self, *words: str) -> str:
        """What a command of flow prints in the copy; it must succeed."""
        return self._run([sys.executable, "-E", "-X", "utf8", "-m", "flow", *words], f"flow {' '.join(words)}")

    def _run(self, command: list[str], what: str, given: str = "") -> str:
        environment = {**os.environ, "EDGELOOM_BUILD": "", "GIT_CEILING_DIRECTORIES": str(self.root.parent)}
        result = subprocess.run(
            command, cwd=self.root, env=environment, input=given, capture_output=True, text=True, check=False
        )
        assert result.returncode == 0, f"{what}\n{result.stdout}{result.stderr}"
        return result.stdout
