"""Read a network as a graph of layers."""

from __future__ import annotations

from collections import Counter
from copy import deepcopy
from itertools import chain
from typing import TYPE_CHECKING

import torch
from torch.fx import GraphModule, Node, symbolic_trace
from torch.fx.passes.shape_prop import ShapeProp, TensorMetadata
from torch.fx.proxy import TraceError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import nn

# A network's own code runs while it is traced, with stand-ins for tensors, and fails on them in its own way.
UNTRACEABLE = (
    TraceError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)


class Layers:
    """A network's layers in the order of their calls, in a copy that may be changed.

    Args:
        network: In eval mode; it is left as it is.

    Raises:
        UNTRACEABLE: If the network's code does not run on stand-ins for tensors.
    """

    def __init__(self, network: nn.Module) -> None:
        self.module: GraphModule = deepcopy(symbolic_trace(network))
        layers = (self.layer(node) for node in self.nodes())
        self._calls = Counter(id(layer) for layer in layers if layer is not None)

    def nodes(self) -> Iterator[Node]:
        """Return the graph's nodes, in order; the graph may change meanwhile."""
        return iter(list(self.module.graph.nodes))

    def layer(self, node: object) -> nn.Module | None:
        """Return the layer that ``node`` calls, or None if it calls none."""
        if isinstance(node, Node) and node.op == "call_module":
            return self.module.get_submodule(str(node.target))
        return None

    def owned(self, node: object) -> nn.Module | None:
        """Return the layer that ``node`` and no other calls, so that it may be changed for this call."""
        layer = self.layer(node)
        return layer if layer is not None and self._calls[id(layer)] == 1 else None

    def infer_shapes(self, input_shape: tuple[int, int, int]) -> None:
        """Let :meth:`shape` know what each node returns for one image of ``input_shape``."""
        state = chain(self.module.parameters(), self.module.buffers())
        alike = next((tensor for tensor in state if tensor.is_floating_point()), torch.zeros(()))
        ShapeProp(self.module).propagate(alike.new_zeros(1, *input_shape))
        for node in self.nodes():
            found = node.meta.get("tensor_meta")
            node.meta["shape"] = tuple(found.shape) if isinstance(found, TensorMetadata) else None

    def shape(self, node: Node) -> tuple[int, ...]:
        """Return the shape of what ``node`` returns, which must be a tensor; needs :meth:`infer_shapes`."""
        shape: tuple[int, ...] = node.meta["shape"]
        return shape

    def replace(self, nodes: Sequence[Node], layer: nn.Module, arguments: tuple[Node, ...]) -> None:
        """Let ``layer`` compute from ``arguments`` what a chain of nodes did, each alone read by the next."""
        end = nodes[-1]
        name = f"fused_{end.name}"
        self.module.add_submodule(name, layer)
        with self.module.graph.inserting_before(end):
            call = self.module.graph.call_module(name, arguments)
        call.meta["shape"] = end.meta["shape"]
        end.replace_all_uses_with(call)
        for node in reversed(nodes):
            self.module.graph.erase_node(node)

    def remove(self, node: Node, stand_in: Node) -> None:
        """Take ``node`` out; whatever read it reads ``stand_in``."""
        node.replace_all_uses_with(stand_in)
        self.module.graph.erase_node(node)

    def finish(self) -> GraphModule:
        """Return the changed network, without the layers that nothing calls any more."""
        self.module.delete_all_unused_submodules()
        self.module.recompile()
        return self.module
