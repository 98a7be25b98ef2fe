"""Cells on a Dask cluster."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from .batches import Batches
from .grid import Grid
from .local import ship
from .worker import Outcome, Shipped, run_batch

#: Seconds in which a scheduler must answer, and in which it must have a worker.
_ANSWER, _WORKERS = 10, 60
#: Batches with the scheduler, at least: workers that join later find some there.
_WINDOW = 256
_DIED = "Worker processes died while they ran this cell: killed, out of memory, or crashed in compiled code."


def cluster(
    function: Callable[..., Any], grid: Grid, pending: Sequence[int], *, scheduler: str | None, jobs: int
) -> Generator[list[Outcome]]:
    """Run cells on the cluster at an address, or on one of `jobs` processes made for the sweep.

    Dask runs the cells of a worker that dies somewhere else; a cell that several workers died of has failed.

    Raises:
        ImportError: If Dask is not installed.
        ConnectionError: If no scheduler answers, it has no workers, or it goes away.
    """
    try:
        import distributed
    except ImportError as error:
        raise ImportError("sweeps on Dask need its scheduler: pip install 'eossim[dask]'") from error

    shipped = ship(function)
    with contextlib.ExitStack() as stack:
        if scheduler is None:
            address: Any = stack.enter_context(
                distributed.LocalCluster(n_workers=jobs, threads_per_worker=1, dashboard_address=":0")
            )
        else:
            address = scheduler
        client = stack.enter_context(_connected(distributed, address, str(scheduler)))
        yield from _run(distributed, client, shipped, grid, pending)


def _connected(distributed: Any, address: Any, shown: str) -> Any:
    if isinstance(address, str):
        try:
            # a client that finds nobody is left half made, and may block when Python disposes of it
            with ThreadPoolExecutor(1) as thread:  # notebooks have an event loop of their own
                thread.submit(asyncio.run, _knock(distributed, address)).result()
        except Exception as error:  # whatever a stranger at that address may answer
            raise ConnectionError(
                f"no Dask scheduler answers at {shown} ({error}): start one with 'dask scheduler', or check the address"
            ) from error
    client = distributed.Client(address, timeout=_ANSWER, set_as_default=False)
    try:
        client.wait_for_workers(1, timeout=_WORKERS)
    except TimeoutError as error:
        client.close()
        raise ConnectionError(
            f"the scheduler at {shown} has had no workers for {_WORKERS} s: start some with 'dask worker {shown}'"
        ) from error
    return client


async def _knock(distributed: Any, address: str) -> None:
    """Connect to a scheduler and go away again."""
    arguments = distributed.Security().get_connection_args("client")
    comm = await distributed.comm.connect(address, timeout=_ANSWER, **arguments)
    await comm.close()


def _run(
    distributed: Any, client: Any, shipped: Shipped, grid: Grid, pending: Sequence[int]
) -> Generator[list[Outcome]]:
    function = client.submit(_same, shipped, pure=False)  # sent once; made again if the worker that holds it dies
    slots = sum(client.nthreads().values())
    batches = Batches(pending, slots)
    on_the_way: dict[str, list[int]] = {}
    finished = distributed.as_completed(loop=client.loop, with_results=True, raise_errors=False)
    suspects: list[int] = []

    def submit(batch: list[int]) -> None:
        cells = [(k, grid.cell(k)) for k in batch]
        future = client.submit(run_batch, function, cells, grid.dims, 1, pure=False)
        on_the_way[future.key] = batch
        finished.add(future)

    def fill() -> None:
        while len(on_the_way) < max(_WINDOW, 2 * slots) and (batch := batches.take()):
            submit(batch)

    fill()
    asked = time.monotonic()
    for future, result in finished:
        batch = on_the_way.pop(future.key)
        if _done(distributed, future):
            outcomes, seconds = result
            batches.done(batch, seconds)
            yield outcomes
        else:
            suspects += batch
        del future, result  # the cluster may forget them
        if time.monotonic() > asked + 2:
            slots, asked = sum(client.nthreads().values()), time.monotonic()
        fill()
    for index in suspects:  # alone, for Dask suspects all cells that waited at a worker that died
        submit([index])
        future, result = next(finished)
        yield result[0] if _done(distributed, future) else [(index, None, f"{_DIED} {future.exception()}")]


def _done(distributed: Any, future: Any) -> bool:
    """Return whether cells came back: True, or False if their workers died.

    Raises:
        ConnectionError: If the scheduler went away.
        RuntimeError: If the function cannot be run there.
    """
    if future.status == "finished":
        return True
    if future.status != "error":
        raise ConnectionError("the Dask scheduler went away: finished cells are kept if there is a store; sweep again")
    error = future.exception()
    if not isinstance(error, distributed.scheduler.KilledWorker):
        raise RuntimeError(f"workers cannot run the function: {type(error).__name__}: {error}") from error
    return False


def _same(shipped: Shipped) -> Shipped:
    return shipped
