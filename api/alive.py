"""``python -m api.alive``: whether the API of this container answers; the image's health check."""

from __future__ import annotations

import http.client
import os
import sys

SECONDS = 3.0


def main() -> int:
    """Ask for ``/livez`` on loopback; return 0 when it is answered with 200, else 1."""
    connection = http.client.HTTPConnection(
        "127.0.0.1", int(os.environ.get("CERTD_PORT", "8000")), timeout=SECONDS
    )
    try:
        connection.request("GET", "/livez")
        status = connection.getresponse().status
    except OSError as error:
        sys.stderr.write(f"The API does not answer: {error}\n")
        return 1
    finally:
        connection.close()
    return 0 if status == http.HTTPStatus.OK else 1


if __name__ == "__main__":
    sys.exit(main())
