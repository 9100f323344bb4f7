"""Networks made by the user's own Python: the one format that runs code."""

from __future__ import annotations

import importlib
import inspect

from torch import nn

from certd.errors import Forbidden, InvalidParameter, NotFound


def build_from_code(target: str, *, allow_code: bool, sigma: float | None = None) -> nn.Module:
    """Import ``module`` and return what its ``factory()`` makes.

    A factory with a parameter ``sigma`` is given the noise level: who denoises before classifying must know
    it.

    Args:
        target: ``module:factory``.
        allow_code: True only where the person who asks runs the process, which is the command line. A server
            never passes it.
        sigma: Noise level of the certification, in input units, where it is known.

    Raises:
        Forbidden: Unless ``allow_code``.
        InvalidParameter: If ``target`` names no module and factory, or the factory makes no ``nn.Module``.
        NotFound: If there is no such module or factory.
    """
    if not allow_code:
        raise Forbidden("py: runs code and is for the command line; register weights and an architecture.")
    module, separator, factory = target.partition(":")
    if not (module and separator and factory):
        raise InvalidParameter(f"py:{target} must read py:module:factory.")
    try:
        make = getattr(importlib.import_module(module), factory)
    except (ModuleNotFoundError, AttributeError) as error:
        raise NotFound(f"py:{target} cannot be made: {error}.") from error
    if "sigma" in inspect.signature(make).parameters:
        if sigma is None:
            raise InvalidParameter(f"py:{target} asks for the noise level; say --sigma.", pointer="/sigma")
        network = make(sigma=sigma)
    else:
        network = make()
    if not isinstance(network, nn.Module):
        raise InvalidParameter(f"py:{target} made a {type(network).__name__}, not a torch.nn.Module.")
    return network
