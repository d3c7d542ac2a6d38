# SPDX-License-Identifier: Apache-2.0
"""The C driver and its example: what they train is what the model trains, bit by bit and clock by clock."""

from __future__ import annotations

import dataclasses
import subprocess
from pathlib import Path

import numpy as np
import pytest

from flow.paths import ROOT, FlowError
from flow.run_directory import alone_in
from flow.train.edge import example
from flow.train.edge.example import CONFIG, Outcome
from models.edge.config import EdgeConfig
from models.edge.schedule import Schedule


def test_the_driver_trains_what_the_model_trains(tmp_path: Path) -> None:
    """Random images; the program's parameters, classes and clocks are compared with the model's."""
    config = EdgeConfig.load(CONFIG)
    rng = np.random.default_rng(1)
    images = rng.integers(0, config.format.one, (6, config.layers[0]), endpoint=True).astype(np.int16)
    outcome = example.run(config, images, rng.integers(0, config.classes, len(images)), tmp_path)
    assert outcome.counters == outcome.expected_counters
    assert outcome.numbers == outcome.expected
    assert outcome.counters["CLOCKS"] == Schedule(config).clocks(6, config.training.mode(0))
    words = sum(shape.edges + shape.n_right for shape in config.junctions)
    assert len(outcome.numbers) == words + len(images)


def test_a_program_that_fails_is_one_line(tmp_path: Path) -> None:
    """What it says is what the user reads."""
    with pytest.raises(FlowError, match="failed: nothing to read"):
        example._program(["/bin/sh", "-c", "echo nothing to read >&2; exit 1"], tmp_path)


def test_a_difference_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong bit and a wrong count of clocks are failures, each by itself."""
    good = Outcome({"CLOCKS": 848}, {"CLOCKS": 848}, [1, 2], [1, 2])
    for outcome in (dataclasses.replace(good, numbers=[1, 3]), dataclasses.replace(good, counters={"CLOCKS": 847})):
        monkeypatch.setattr(example, "run", lambda *_, found=outcome: found)
        assert not example.example()
        assert "FAIL" in capsys.readouterr().out
    monkeypatch.setattr(example, "run", lambda *_: good)
    assert example.example()


def test_one_example_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two of them would write the same files."""
    monkeypatch.setattr(example, "BUILD", tmp_path)
    monkeypatch.setattr(example, "run", lambda *_: Outcome({}, {}, [], []))
    with alone_in(tmp_path / "example"), pytest.raises(FlowError, match=r"another run is using .*example: wait"):
        example.example()
    assert example.example()


BUS = """\
#include <stdio.h>
#include <stdlib.h>
#include "edge_bus.h"
#include "edgeloom_edge.h"

static unsigned long polls;

void edge_bus_write(void *bus, uint32_t address, uint32_t value) { (void)bus, (void)address, (void)value; }
uint32_t edge_bus_read(void *bus, uint32_t address)
{
    (void)bus;
    if (address == EDGELOOM_EDGE_STATUS && ++polls > 2000000) {
        fprintf(stderr, "waits for ever\\n");
        exit(2);
    }
    return address == EDGELOOM_EDGE_STATUS ? STATUS : address == EDGELOOM_EDGE_ID ? EDGELOOM_EDGE_ID_VALUE
        : address == EDGELOOM_EDGE_VERSION ? EDGELOOM_EDGE_VERSION_VALUE : 1;
}
void *edge_bus_open(void) { return NULL; }
void edge_bus_close(void *bus) { (void)bus; }
void edge_bus_send_parameters(void *bus, const int32_t *words, size_t count) { (void)bus, (void)words, (void)count; }
size_t edge_bus_take_parameters(void *bus, int32_t *words, size_t count) { (void)bus, (void)words; return count; }
void edge_bus_send_sample(void *bus, const int32_t *activations, size_t count, uint16_t label)
{
    (void)bus, (void)activations, (void)count, (void)label;
}
int edge_bus_take_class(void *bus) { (void)bus; return 0; }
"""
"""A bus to an engine of one junction, all of whose sizes are 1, that always has the same status."""


@pytest.mark.parametrize(
    ("status", "message"),
    [
        ("EDGELOOM_EDGE_STATUS_RUN_BUSY_MASK", "the engine does not end"),
        ("EDGELOOM_EDGE_STATUS_BAD_CMD_MASK", "the engine refuses a command"),
        ("EDGELOOM_EDGE_STATUS_PARAM_ERR_MASK", "the engine refuses parameters"),
    ],
)
def test_an_engine_that_fails_is_one_line(status: str, message: str, tmp_path: Path) -> None:
    """One that stays busy or refuses what it gets; driver and example compile without a warning."""
    (tmp_path / "bus.c").write_text(BUS)
    (tmp_path / "inputs.txt").write_text("0 " * 30)
    flags = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", f"-DSTATUS={status}"]
    folders = [f"-I{ROOT / 'sw' / each}" for each in ("", "include", "examples")]
    sources = [tmp_path / "bus.c", ROOT / "sw" / "examples" / "train_tiny.c", ROOT / "sw" / "edgeloom_edge_driver.c"]
    subprocess.run(["cc", *flags, *folders, *map(str, sources), "-o", str(tmp_path / "program")], check=True)
    command = [str(tmp_path / "program"), "inputs.txt", "outputs.txt"]
    with pytest.raises(FlowError, match=f"failed: train_tiny: {message}"):
        example._program(command, tmp_path)
