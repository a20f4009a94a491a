"""The process that `front` starts. It imports what a server needs and no more, so that it starts as fast as one."""

import json
import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

from serving import tuning
from serving.front.server import serve
from serving.front.settings import Settings, VariantSpec


def main() -> None:
    told = json.loads(sys.argv[1])
    specs = [VariantSpec(name, Path(folder), backend, python) for name, folder, backend, python in told["variants"]]
    for name, seconds in told["supervision"].items():
        assert hasattr(tuning, name), f"there is no {name} in serving.tuning"
        setattr(tuning, name, seconds)

    def announce(url: str, plans: Mapping[str, str]) -> None:
        sys.stdout.write(url + "\n")
        sys.stdout.flush()

    module, _, function = told["hosts"].partition(":")
    hosts = getattr(import_module(module), function)
    serve(specs, Settings(port=0, **told["settings"]), announce, hosts=hosts)


if __name__ == "__main__":
    main()
