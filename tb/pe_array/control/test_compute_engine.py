# SPDX-License-Identifier: Apache-2.0
"""Bench of compute_engine.v: SETs, commands, changes of tiles_log2, errors; every output in all clocks."""

from __future__ import annotations

from models.pe_array.clocks.compute_engine import ComputeClocks
from models.pe_array.clocks.program_fetch import Item
from models.pe_array.isa.descriptors import Compute, Descriptor, Set, unnamed
from models.pe_array.isa.encoding import pack
from models.pe_array.isa.operations import After
from models.pe_array.isa.pe_command import Op
from tb.lib.bench import Bench, bench_test
from tb.lib.patterns import Gaps
from tb.lib.ports import Source
from tb.pe_array.drivers.descriptor_port import drive_item

DEPTHS = {"ebase": "E_DEPTH", "wbase": "W_DEPTH", "xbase": "X_DEPTH", "ybase": "Y_DEPTH", "rbase": "Y_DEPTH"}


class Engine:
    """The design, a grid that answers at random, what is offered, and the model of the clocks."""

    def __init__(self, b: Bench) -> None:
        self.b, self.pes = b, int(b.params["P"])
        self.gaps = Gaps(b, "d", "set", "cmd")
        self.source: Source[Item] = Source(self.gaps, "d")
        self.quiet = 0.5  # chance that the grid is idle, and chance that the sums are empty

    async def reset(self) -> None:
        self.source.clear()
        self.taken = 0
        self.b.drive(d_valid=0, set_ready=0, cmd_ready=0, grid_done=0, grid_idle=1, grad_empty=0)
        await self.b.reset()
        self.model = ComputeClocks(self.pes)

    def queue(self, descriptor: Descriptor) -> None:
        """Queue a descriptor with anything in the bits that no field has."""
        rng = self.b.rng
        noise = rng.getrandbits(256) & unnamed(descriptor.opcode)
        self.source.queue.append(Item(pack(descriptor) | noise, rng.getrandbits(24)))

    def any_set(self, field: int | None = None) -> Set:
        rng = self.b.rng
        field = rng.choice([*range(6)] * 4 + [6, 7]) if field is None else field
        self.b.cover("field", field)
        return Set(field=field, value=rng.getrandbits(12), pes=rng.getrandbits(64), after=After(rng.getrandbits(24)))

    def any_command(self, op: int | None = None) -> Compute:
        rng = self.b.rng
        op = rng.randrange(4) if op is None else op
        most = self.pes.bit_length() - 1
        log2 = rng.choice([rng.randint(0, most), rng.randint(0, most), rng.getrandbits(3)])
        self.b.cover("op", Op(op).name.lower())
        if op == Op.GRAD:
            self.b.cover("tiles", "too_many" if log2 > most else "legal")
        return Compute(
            op=op,
            swap=rng.random() < 0.5,
            tiles_log2=log2,
            wstride=rng.getrandbits(7),
            ebase=rng.getrandbits(12),
            wbase=rng.getrandbits(12),
            xbase=rng.getrandbits(12),
            ybase=rng.getrandbits(12),
            rbase=rng.getrandbits(12),
        )

    async def clock(self) -> None:
        """One clock; all outputs."""
        b, gaps, model = self.b, self.gaps, self.model
        rng = b.rng
        item = self.source.offer()
        # one ready for both, as the grid has it, or one for each
        set_ready, cmd_ready = gaps.go("set"), gaps.go("cmd")
        grid_done, grid_idle = rng.random() < 0.3, rng.random() < self.quiet
        grad_empty = (1 << self.pes) - 1
        if rng.random() >= self.quiet:
            grad_empty ^= 1 << rng.randrange(self.pes)
        drive_item(b, "d", item)
        b.drive(
            set_ready=set_ready, cmd_ready=cmd_ready, grid_done=grid_done, grid_idle=grid_idle, grad_empty=grad_empty
        )
        await b.clocks()
        d_ready = model.d_ready(set_ready, cmd_ready)
        b.check(
            d_ready=d_ready, done=grid_done, idle=model.idle(grid_idle), error=model.error is not None,
            set_valid=model.set is not None, cmd_valid=model.command is not None, tiles_log2=model.tiles_log2,
        )  # fmt: skip
        if model.error is not None:
            b.check(error_cause=model.error.cause, error_index=model.error.index)
        if (held := model.set) is not None:
            b.check(set_pes=held.pes & ((1 << self.pes) - 1), set_field=held.field, set_value=held.value)
        if (command := model.command) is not None:
            bases = {f"cmd_{name}": getattr(command, name) % b.params[depth] for name, depth in DEPTHS.items()}
            b.check(cmd_op=command.op, cmd_swap=command.swap, cmd_wstride=command.wstride, **bases)
        if item is not None and d_ready:
            self.source.take()
            self.taken += 1
        before = model.tiles_log2
        model.clock(item, set_ready, cmd_ready, grid_idle and grad_empty == (1 << self.pes) - 1)
        if model.tiles_log2 != before:
            b.cover("tiles", "changed")

    async def drain(self) -> None:
        """Until all is through."""
        for _ in range(20_000):
            if not self.source.queue and self.model.idle(True) and self.model.error is None:
                return
            await self.clock()
        raise TimeoutError("descriptors are still inside")


@bench_test(timeout_clocks=60_000)
async def descriptors(b: Bench) -> None:
    """SETs and commands under all patterns, legal or not, with a grid that is now and then idle for long enough."""
    engine = Engine(b)
    await engine.reset()
    for _ in range(10):
        engine.gaps.any()
        engine.quiet = b.rng.choice([0.7, 0.9, 1])
        for _ in range(b.rng.randint(5, 20)):
            engine.queue(engine.any_set() if b.rng.random() < 0.6 else engine.any_command())
        await engine.drain()


@bench_test(timeout_clocks=20_000)
async def speed(b: Bench) -> None:
    """One SET or command per clock, also a GRAD with as many PEs per slot as before, whatever the grid does."""
    engine = Engine(b)
    await engine.reset()
    engine.quiet = 0.0
    for n in range(100):
        engine.queue(engine.any_set(n % 6) if b.rng.random() < 0.5 else engine.any_command(b.rng.choice([0, 2, 3])))
        engine.queue(Compute(op=Op.GRAD, tiles_log2=0))
    for _ in range(200):
        await engine.clock()
    b.equal("taken", engine.taken, 200)
    await engine.drain()


@bench_test(timeout_clocks=20_000)
async def resets(b: Bench) -> None:
    """A reset forgets the descriptor inside, the wait for a change, and tiles_log2."""
    engine = Engine(b)
    for _ in range(10):
        await engine.reset()
        engine.gaps.any()
        engine.quiet = b.rng.choice([0.7, 1])
        for _ in range(10):
            engine.queue(engine.any_set() if b.rng.random() < 0.3 else engine.any_command(Op.GRAD))
        for _ in range(b.rng.randint(1, 30)):
            await engine.clock()
        b.cover("reset", "idle" if engine.model.idle(True) else "holding")
    await engine.drain()
