# SPDX-License-Identifier: Apache-2.0
"""The directory of a run's results: for one run at a time, of one configuration, and never with stale or cut results.

From the first moment of a run until its end, result.json says that the run is not complete, and the other results of
the run before are gone. At the end all results take their places together, result.json last. A run that is killed
leaves what the first moment wrote.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from filelock import FileLock, Timeout

from flow.paths import ROOT, FlowError, relative, writing
from models.lib.whole_file import part_of, write_text, written

RESULT = "result.json"
JOB = "job.json"
"""In the scratch directory: what the run is to do. A directory that has it was made by a run."""
CONFIG = "config.toml"
"""In the scratch directory: the configuration that the run works with, whatever becomes of the user's file."""

RUNNING, COMPLETE, FAILED, INTERRUPTED = "running", "complete", "failed", "interrupted"
"""``state`` in result.json. A run that was killed remains ``running``."""

Writer = Callable[[BinaryIO], object]


def text_writer(text: str) -> Writer:
    """Writes a text."""
    return lambda file: file.write(text.encode())


@contextlib.contextmanager
def alone_in(directory: Path) -> Iterator[None]:
    """A run's directory, made if need be, for one run at a time. Raises FlowError, for a disk that fails too."""
    with writing(directory):
        directory.mkdir(parents=True, exist_ok=True)
        lock = FileLock(f"{directory}.lock", timeout=0)
        try:
            lock.acquire()
        except Timeout:
            raise FlowError(f"another run is using {relative(directory)}: wait for its end") from None
        try:
            yield
        finally:
            lock.release()


class RunDirectory:
    """Results of a run; use it inside ``alone_in``."""

    def __init__(self, directory: Path, origin: Mapping[str, Any], result: str = RESULT) -> None:
        """
        Args:
            origin: what result.json says of where it comes from; of a configuration at least ``configuration_file``
                and ``configuration`` (its text). See flow/provenance.py.
            result: name of the file of figures.

        Raises:
            FlowError: the directory has results of another configuration.
        """
        self.directory, self.origin, self.result = directory, dict(origin), directory / result
        self._check_owner()

    def _check_owner(self) -> None:
        try:
            before = json.loads(self.result.read_text())
            path, text = before["configuration_file"], before["configuration"]
        except (OSError, ValueError, KeyError, TypeError):
            return  # no results, or none of a configuration
        mine = self.origin.get("configuration_file")
        if path != mine and text != self.origin.get("configuration") and (ROOT / path).is_file():
            raise FlowError(
                f"{relative(self.directory)} has the results of {path}, which has the same name as {mine}: give one of "
                f"them another name, or remove {relative(self.directory)}"
            )

    @contextlib.contextmanager
    def run(self, *stale: str) -> Iterator[None]:
        """A run, which ``publish`` completes; how it ended otherwise is in its result file.

        Args:
            stale: names of what the run before left and this one will make.
        """
        self.published = False
        self._note(RUNNING)
        _remove(self.directory, stale)
        try:
            yield
        except BaseException as error:
            if not self.published:
                stopped = isinstance(error, KeyboardInterrupt)
                with contextlib.suppress(OSError):  # without room the file remains as it was: not complete
                    self._note(INTERRUPTED if stopped else FAILED, None if stopped else f"{error}")
            raise
        if not self.published:
            self._note(FAILED)

    def _note(self, state: str, failure: str | None = None) -> None:
        text = json.dumps({"complete": False, "state": state, "failure": failure, **self.origin}, indent=1)
        write_text(self.result, text + "\n")

    def scratch(self, save_job: Callable[[Path], None], makes: Sequence[str]) -> Path:
        """The directory run/ in which a simulator works, emptied of what the runs before made; others' files stay.

        Args:
            save_job: writes the file JOB, before anything else is there.
            makes: names of the files that a run leaves there, beside JOB and CONFIG.

        Raises:
            FlowError: others' files are where the run would write.
        """
        run, names = self.directory / "run", (CONFIG, *makes)
        run.mkdir(exist_ok=True)
        if not (run / JOB).is_file():
            for name in names:
                if (run / name).exists():
                    raise FlowError(f"{relative(run / name)} was not made by a run: move it away")
        save_job(run / JOB)
        _remove(run, names)
        return run

    def publish(self, result: Mapping[str, Any], others: Mapping[str, Writer]) -> None:
        """Put the results in their places: all of them, or none.

        Args:
            result: for the result file; what it has of ``complete`` and ``failure`` gives its ``state``.
            others: what writes the other files, by name.
        """
        state = COMPLETE if result["complete"] else FAILED if result["failure"] is not None else INTERRUPTED
        text = json.dumps({"complete": result["complete"], "state": state, **self.origin, **result}, indent=1)
        writers = {**others, self.result.name: text_writer(text + "\n")}
        with written(*(self.directory / name for name in writers)) as files:
            for file, writer in zip(files, writers.values(), strict=True):
                writer(file)
        self.published = True


def _remove(directory: Path, names: Sequence[str]) -> None:
    """Remove files, and what is left of them where a run was killed while it wrote them."""
    for name in names:
        for path in (directory / name, part_of(directory / name)):
            path.unlink(missing_ok=True)
