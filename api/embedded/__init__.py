"""The embedded stack: a private Valkey and worker processes, started by command beside the API."""

from api.embedded.stack import EmbeddedStack

__all__ = ["EmbeddedStack"]
