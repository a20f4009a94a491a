"""`python -m paretoserve.healthcheck`: exit code 0 where the server of this container is ready, for its HEALTHCHECK.

Imports next to nothing, since it runs every few seconds on the cores that the engine needs.
"""

import http.client
import os
import sys
from collections.abc import Mapping

TIMEOUT_S = 2.0  # as long as SageMaker waits for /ping


def is_service_link(told: str | None) -> bool:
    """Whether `PARETOSERVE_PORT` is not ours but the address of a Service called `paretoserve`, `tcp://10.0.0.1:80`:
    Kubernetes sets it so in all pods beside it."""
    return told is not None and told.startswith("tcp://")


def told_port(environment: Mapping[str, str]) -> int:
    """The port that the environment tells the server of this container to listen on."""
    ours = environment.get("PARETOSERVE_PORT")
    own = "" if is_service_link(ours) else ours
    return int(environment.get("SAGEMAKER_BIND_TO_PORT") or own or 8080)


def is_ready() -> bool:
    """Whether `/ping` on this machine's port is answered 200."""
    connection = http.client.HTTPConnection("127.0.0.1", told_port(os.environ), timeout=TIMEOUT_S)
    try:
        connection.request("GET", "/ping")
        return connection.getresponse().status == http.client.OK
    except OSError:
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(not is_ready())
