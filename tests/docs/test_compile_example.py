# SPDX-License-Identifier: Apache-2.0
"""The Python example of docs/compile.md runs, from a directory that is not the checkout."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from flow.paths import ROOT


def test_the_example(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "compile.md").read_text()
    example = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(example) == 1
    program = f"import sys\nsys.path.insert(0, {str(ROOT)!r})\n{example[0]}assert logits.shape == (64, 5)\n"
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert re.fullmatch(r"[\d,]+ clocks for 8 pictures", lines[0])
    assert len(lines) == 5
    assert re.fullmatch(r"(49|50|51)% of the weights, logits \(64, 5\)", lines[4])
