"""Which device a command runs on."""

from __future__ import annotations

from certd.errors import InvalidParameter

AUTO = "auto"


def chosen_device(name: str) -> str:
    """Return the device called ``name``; ``auto`` is a GPU where there is one.

    Raises:
        InvalidParameter: If there is no such device here.
    """
    import torch

    if name == AUTO:
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        kind = torch.device(name).type
    except RuntimeError:
        raise InvalidParameter(f"--device is auto, cpu, cuda or cuda:0, not {name!r}.") from None
    if kind == "cuda" and not torch.cuda.is_available():
        raise InvalidParameter("There is no CUDA device that torch can use here; leave --device out.")
    return name
