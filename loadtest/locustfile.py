"""The file Locust is started with, by `campaign.run_campaign` or by hand:

locust -f loadtest/locustfile.py --headless --host http://127.0.0.1:8080 --stop-timeout 11 --exit-code-on-error 0 \
    --campaign campaign.json --requests-out requests.csv.gz --events-fd 1
"""

import gc
import os
from pathlib import Path
from typing import Any

from locust import events

from loadtest.generator.recorder import Recorder
from loadtest.generator.shape import Outputs, Staircase
from loadtest.generator.users import ThinkingUser, Workload, record, shuffled_forever
from loadtest.plan.settings import decode_campaign, read_bodies


def add_arguments(parser: Any) -> None:
    """Locust's hook for own command-line options."""
    parser.add_argument("--campaign", required=True, help="JSON file with the settings of the campaign")
    parser.add_argument("--requests-out", required=True, help="gzipped CSV file that gets one row per request")
    parser.add_argument("--events-fd", type=int, required=True, help="file descriptor that gets JSON lines of progress")


def set_up(environment: Any, **_: object) -> None:
    """Locust's hook after its own set-up: give users and shape what they work with."""
    options = environment.parsed_options
    campaign = decode_campaign(Path(options.campaign).read_bytes())
    if campaign.client_cpus is not None:
        os.sched_setaffinity(0, campaign.client_cpus)
    bodies = shuffled_forever(read_bodies(campaign.bodies), campaign.seed)
    workload = Workload(campaign, bodies, Recorder())
    ThinkingUser.workload = workload
    ThinkingUser.connection_timeout = ThinkingUser.network_timeout = campaign.timeout_s
    environment.shape_class.workload = workload
    environment.shape_class.outputs = Outputs(Path(options.requests_out), options.events_fd)
    environment.events.request.add_listener(_listener(workload.recorder))
    gc.freeze()


def _listener(recorder: Recorder) -> Any:
    def on_request(
        *, response: Any, response_time: float, exception: object, context: dict[str, Any], **_: object
    ) -> None:
        record(recorder, response=response, response_time=response_time, exception=exception, context=context)

    return on_request


events.init_command_line_parser.add_listener(add_arguments)
events.init.add_listener(set_up)

# Locust looks for these two among the names of this file.
__all__ = ["Staircase", "ThinkingUser"]
