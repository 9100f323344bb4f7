"""Looks at the machine: accelerator and processor cores."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from certd.cli.doctor.finding import broken, doubtful, fine
from certd.models.runtime.threads import available_cores

if TYPE_CHECKING:
    from collections.abc import Iterator

    from certd.cli.doctor.finding import Finding
    from certd.settings import Settings

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")


def look_at_accelerator(settings: Settings) -> Iterator[Finding]:
    """Ask torch for the device that workers of this machine are to use."""
    try:
        import torch
    except ImportError:
        yield doubtful("device", "torch is not installed", "pip install 'certd[workers]' where workers run.")
        return
    wanted = settings.device
    if not wanted.startswith("cuda"):
        spare = ", though CUDA is there: CERTD_DEVICE=cuda" if torch.cuda.is_available() else ""
        yield fine("device", f"{wanted}{spare}")
    elif not torch.cuda.is_available():
        yield broken(
            "device",
            f"CERTD_DEVICE={wanted}, but torch {torch.__version__} sees no CUDA device",
            "Mend the driver or install a CUDA build of torch; or set CERTD_DEVICE=cpu.",
        )
    else:
        yield from _look_at_gpus(torch.cuda.device_count())


def _look_at_gpus(count: int) -> Iterator[Finding]:
    import torch

    for index in range(count):
        free, total = torch.cuda.mem_get_info(index)
        name = torch.cuda.get_device_name(index)
        yield fine("device", f"cuda:{index} {name}, {free / 2**30:.1f} of {total / 2**30:.1f} GiB free")


def look_at_cores(settings: Settings) -> Iterator[Finding]:
    """Compare the threads of one worker, and what runs already, with the cores there are."""
    cores = available_cores()
    detail = f"{cores} usable, {settings.threads} a worker: room for {cores // settings.threads} workers"
    if settings.threads > cores:
        yield doubtful(
            "cores", detail, f"Set CERTD_THREADS to at most {cores}: threads wait for one another."
        )
    else:
        yield fine("cores", detail)
    load = os.getloadavg()[0]
    if load > 1.5 * cores:
        yield doubtful(
            "load", f"{load:.1f} on {cores} cores", "Stop something; busy threads slow each other."
        )
    for name in THREAD_VARIABLES:
        if int(os.environ.get(name, "0") or 0) > cores:
            yield doubtful(name, f"{os.environ[name]} on {cores} cores", f"Unset it, or set it to {cores}.")
