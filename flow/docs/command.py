# SPDX-License-Identifier: Apache-2.0
"""`make docs`: draws what is stale and builds the site, in which a warning is an error."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from flow.docs import pictures
from flow.paths import BUILD, ROOT, FlowError, relative


def docs() -> Path:
    """Build the site; its first page. Raises FlowError with what MkDocs says if it warns."""
    for changed in pictures.refresh():
        print(f"drawn: {relative(changed)}")
    return build(BUILD / "docs") / "index.html"


def build(site: Path) -> Path:
    """The site from the pages as they are. MkDocs counts no warnings when it is told to be quiet."""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(site)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if result.returncode:
        raise FlowError(f"the site is not built: {(result.stdout + result.stderr).strip()}")
    return site
