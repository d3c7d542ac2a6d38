# SPDX-License-Identifier: Apache-2.0
"""The page about a training of the PE array."""

from __future__ import annotations

import re
from html import escape
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from flow import array_counters, page, provenance
from flow.page import BLUE, GREY, ORANGE
from flow.train import classes, plots
from flow.train.pe_array.request import Request
from flow.train.pe_array.result import table
from flow.train.verdict import verdict
from models.pe_array.isa.sizes import Sizes
from models.pe_array.network.config import Training
from models.pe_array.network.network import PeNetwork
from models.pe_array.training.job import STAGES
from models.pe_array.training.weights_file import starting_network
from studies import html, played_step
from studies.timeline import page as timeline_page

ROWS = 40
"""Of a table of steps or epochs, and bars of a picture, at most."""

_NAMES = 10
"""Steps that have their number below such a picture, at most."""


def report(request: Request, network: PeNetwork, result: dict[str, Any]) -> str:
    """The page.

    Args:
        network: as the training left it.
    """
    config, steps, widths = request.config, result["steps"], request.config.widths
    sizes = Sizes.of({name: int(value) for name, value in request.params.items()})
    shown = _thinned(steps)
    arrays = f"{config.arrays} arrays of " if config.arrays > 1 else ""
    parts = [
        f"<h1>{escape(config.name)}</h1>",
        f'<p class="note">{arrays}{config.pes} PEs of {config.training.batch} MACs; {widths.data}-bit activations, '
        f"gradients and weights, {widths.master}-bit masters, {_rounding(config.training)}; {network.density:.1%} of "
        f"the weights left; {escape(request.data.test.title)}, in Verilog simulation and in its model</p>",
        verdict(result),
        html.rows(table(result)),
        html.section("Layers", "As trained.", _layers(network)),
        html.section("Simulated steps", f"What the array counted.{_left_out(steps)}", _steps(shown)),
        *_parts_of_steps(steps, result["config"]["stages"]),
        timeline_page.section(
            "A step over its clocks",
            played_step.steps_of(*played_step.play(network, sizes)),
            f"Of the weights that are left, in the model{', on one array' if config.staged else ''}. "
            + ("Only the phases, in one program. " if config.link.arrays > 1 else ""),
        ),
        html.section(
            "Epochs",
            "Images right and loss (cross-entropy per image) while training, simulated steps included."
            f"{_left_out(result['history'])}",
            _epochs(_thinned(result["history"])) + _curves(result["history"]),
        ),
    ]  # fmt: skip
    if result["confusion"]:
        parts.append(classes.section(result["confusion"], "after the last epoch", result["class_names"]))
    if steps:
        parts.append(array_counters.section(result["counters"]))
    parts += [
        html.section(
            "PEs at work", f"Clocks of the simulated steps.{_left_out(steps)}", _utilisation(shown, config.pes)
        ),
        html.section("Weights", "Masters before and after training.", _weights(network)),
        html.section("Sparsity", "Kernels and weights that are left, output channels downwards.", _pattern(network)),
        provenance.section(result),
    ]
    return html.document(config.name, parts, timeline_page.STYLE)


def _rounding(training: Training) -> str:
    """What is rounded how."""
    named = (("updates", training.stochastic_updates), ("gradients", training.stochastic_gradients))
    stochastic = [name for name, is_stochastic in named if is_stochastic]
    return f"{' and '.join(stochastic)} rounded stochastically" if stochastic else "rounded half up"


def _thinned(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """At most ROWS of them, evenly spaced."""
    return records[:: _stride(records)]


def _left_out(records: list[dict[str, Any]]) -> str:
    """The note that says so."""
    stride = _stride(records)
    return f" One of {stride} is shown; all of them are in result.json." if stride > 1 else ""


def _stride(records: list[dict[str, Any]]) -> int:
    return max(1, -(-len(records) // ROWS))


def _layers(network: PeNetwork) -> str:
    rows = []
    for number, (layer, weights) in enumerate(zip(network.config.layers, network.weights, strict=True)):
        kept = f"{weights.masters.size:,} of {layer.weights:,}" if weights else "–"
        sizes = (" × ".join(map(str, shape)) for shape in (layer.in_shape, layer.out_shape))
        biases = f"{layer.out_shape[0]:,}" if layer.bias else "–"
        rows.append((f"{number}", layer.kind, *sizes, kept, biases, *map(str, network.saturations[:, number].tolist())))
    head = ("layer", "kind", "input", "output", "weights left", "biases", "clipped forward", "backward", "update")
    return html.rows(rows, head)


def _steps(steps: list[dict[str, Any]]) -> str:
    names = ("LOAD_CLOCKS", "COMPUTE_CLOCKS", "STORE_CLOCKS", "LOAD_BEATS", "STORE_BEATS", "WRITTEN_BEATS")
    rows = [
        (f"{step['step']:,}", f"{step['density']:.1%}", f"{step['correct']} of {step['images']}",
         f"{step['descriptors']:,}", f"{step['counters']['CLOCKS']:,}", f"{step['clocks']:,}",
         *(f"{step['counters'][name]:,}" for name in names), f"{step['compared']:,}")
        for step in steps
    ]  # fmt: skip
    head = (
        "step", "weights left", "right", "descriptors", "clocks", "predicted", "load", "compute", "store",
        "beats loaded", "read by store", "written", "values compared",
    )  # fmt: skip
    return html.rows(rows, head)


def _parts_of_steps(steps: list[dict[str, Any]], stages: list[str] | None) -> list[str]:
    """Sections with the clocks of the stages, and of the parts of steps that are not pipelined.

    Args:
        stages: names of the layers with which they begin; None: there are none.
    """
    found = []
    staged, plain = [step for step in steps if STAGES in step], [step for step in steps if STAGES not in step]
    if stages is not None and staged:
        found.append(html.section(
            "Clocks of the stages",
            "Those in which every stage's program ran, and in brackets those in which it waited for the others. Then "
            "maps and gradients are handed over, which takes the clocks that the model of the link says. A step in "
            f"which the stages are drained has all steps of them until they are empty.{_left_out(staged)}",
            _stages(_thinned(staged), stages),
        ))  # fmt: skip
    if plain:
        found.append(html.section(
            "Clocks of the parts of a step",
            "What each part adds to the clocks of a step, from the end of the parts before it to its own end. Where a "
            "layer has no update by itself, gradients by weights (wg) and by biases (bg) contain it. The others work "
            "beside the phases behind them. From the model that predicts the clocks of the whole step exactly.",
            _parts(plain),
        ))  # fmt: skip
    return found


def _stages(steps: list[dict[str, Any]], stages: list[str]) -> str:
    rows = [
        (f"{step['step']:,}", *(f"{clocks:,} ({waits:,})" for clocks, waits in step[STAGES]),
         *(f"{step['parts'][name]:,}" for name in ("slowest", "hand_over")), f"{sum(step['parts'].values()):,}")
        for step in steps
    ]  # fmt: skip
    return html.rows(rows, ("step", *(f"from {name} on" for name in stages), "slowest", "hand-over", "together"))


def _parts(steps: list[dict[str, Any]]) -> str:
    """Parts of the first step at each density, and of all layers together."""
    shown = list({step["density"]: step for step in reversed(steps)}.values())[::-1]
    rows = []
    for name in shown[0]["parts"]:
        rows.append((name, *(f"{step['parts'][name]:,}" for step in shown)))
    kinds = dict.fromkeys(re.sub(r"\d.*", "", name) for name in shown[0]["parts"] if re.search(r"\d", name))
    for kind in kinds:
        sums = [sum(n for name, n in step["parts"].items() if re.match(rf"{kind}\d", name)) for step in shown]
        rows.append((f"all {kind}", *(f"{each:,}" for each in sums)))
    return html.rows(rows, ("part and layer", *(f"step {step['step']:,}, {step['density']:.1%}" for step in shown)))


def _epochs(history: list[dict[str, Any]]) -> str:
    rows = [
        (f"{each['epoch']}", f"{each['images']:,}", f"{each['training_accuracy']:.2%}", f"{each['loss']:.4f}",
         f"{each['density']:.1%}", f"2^-{each['rate_shift']}")
        for each in history
    ]  # fmt: skip
    return html.rows(rows, ("epoch", "images", "right", "loss", "weights left", "rate"))


def _curves(history: list[dict[str, Any]]) -> str:
    epochs = [each["epoch"] for each in history]
    with mpl.rc_context(page.FIGURES):
        figure = Figure(figsize=(9.2, 2.8))
        right, loss = figure.subplots(1, 2)
        right.plot(epochs, [100 * each["training_accuracy"] for each in history], "o-", color=BLUE)
        right.set_ylabel("right while training, %")
        loss.plot(epochs, [each["loss"] for each in history], "o-", color=ORANGE)
        loss.set_ylabel("loss")
        loss.set_ylim(bottom=0)
        for axes in (right, loss):
            axes.set_xlabel("epoch")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes.grid(axis="y", color=GREY, alpha=0.3)
    return page.image(figure, "accuracy and loss over the epochs")


def _utilisation(steps: list[dict[str, Any]], pes: int) -> str:
    with mpl.rc_context(page.FIGURES):
        figure = Figure(figsize=(6.4, 2.6))
        axes = figure.subplots()
        names, places = [f"{step['step']:,}" for step in steps], np.arange(len(steps))
        below = np.zeros(len(steps))
        for key, label, colour in (("BUSY_PES", "MACs work", BLUE), ("STALL_PES", "PE waits", ORANGE)):
            share = np.array([100 * step["counters"][key] / step["counters"]["CLOCKS"] / pes for step in steps])
            axes.bar(places, share, bottom=below, color=colour, label=label)
            below += share
        every = -(-len(steps) // _NAMES)
        axes.set_xticks(places[::every], names[::every])
        axes.set_ylim(0, 100)
        axes.set_ylabel("% of the clocks of all PEs")
        axes.set_xlabel("step")
        axes.legend(loc="upper right")
    return page.image(figure, "share of the clocks in which PEs work")


def _weights(network: PeNetwork) -> str:
    start, shown = starting_network(network.config), []
    for index, layer in enumerate(network.config.layers):
        if layer.has_weights:
            before, after = (each.layer_weights(index).masters for each in (start, network))
            shown.append((f"layer {index}: {after.size:,} left", before, after, layer.master_frac))
    return plots.histograms(shown)


def _pattern(network: PeNetwork) -> str:
    shown = [index for index, weights in enumerate(network.weights) if weights]
    with mpl.rc_context(page.FIGURES):
        figure, grid = page.panels(len(shown), 2.6)
        for index, axes in zip(shown, grid, strict=True):
            weights = network.layer_weights(index)
            conv, positions = weights.conv, weights.positions
            places = (conv.rows, conv.cols), positions.row, positions.col
            plots.dots(axes, *places, np.ones(len(positions)), cmap="Blues", vmin=0, vmax=1)
            axes.set_title(f"layer {index}: {weights.masters.size / network.config.layers[index].weights:.1%}")
    return page.image(figure, "elements that are left")
