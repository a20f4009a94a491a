"""Users who think, for Locust; by hand, with its web page or without:

locust -f loadtest/locustfile.py --host http://127.0.0.1:8080 --bodies bodies.jsonl --think-time 0.5
locust -f loadtest/locustfile.py --host http://127.0.0.1:8080 --headless -u 20 -r 5 -t 60s

`campaign.run_campaign` starts it with `--campaign`: then users climb the levels of the campaign, and `-u`, `-r` and
`-t` do not apply. Where it expects workers, they are started on any machine with

locust -f loadtest/locustfile.py --worker --master-host HOST
"""

import gc
import os
import sys
from pathlib import Path
from typing import Any

import gevent
from locust import events
from locust.runners import MasterRunner, WorkerRunner

from loadtest.generator import shape
from loadtest.generator.crowd import Crowd, LocalCrowd
from loadtest.generator.outputs import Outputs
from loadtest.generator.recorder import Recorder
from loadtest.generator.users import ThinkingUser, Workload, record
from loadtest.generator.workers import RemoteCrowd, Worker
from loadtest.plan.arrivals import Arrivals
from loadtest.plan.settings import Campaign, decode_campaign, read_bodies
from loadtest.results.errors import LoadTestError

_SWITCH_S = 2e-4

SENTENCES = (
    b'{"inputs": "A warm, funny, engaging film."}',
    b'{"inputs": "The plot is thin and the jokes are old."}',
    b'{"inputs": "It is slow at first, but the last half hour, with its quiet scenes by the sea, makes up for it."}',
    b'{"inputs": "Dull."}',
)


def add_arguments(parser: Any) -> None:
    """Locust's hook for own command-line options."""
    parser.add_argument("--bodies", help="JSON Lines file with request bodies; a few sentences without it")
    parser.add_argument(
        "--think-time", type=float, default=1.0, help="mean pause of a user between requests, in seconds"
    )
    parser.add_argument("--path", default="/invocations", help="path to post to")
    parser.add_argument("--timeout", type=float, default=10.0, help="longest wait for an answer, in seconds")
    parser.add_argument("--campaign", help="JSON file with the settings of a campaign, which it then runs")
    parser.add_argument(
        "--requests-out", default="requests.csv.gz", help="of a campaign: gzipped CSV file that gets a row per request"
    )
    parser.add_argument(
        "--events-fd", type=int, default=1, help="of a campaign: file descriptor that gets JSON lines of progress"
    )


def set_up(environment: Any, **_: object) -> None:
    """Locust's hook after its own set-up: give the users what they work with, and a campaign its levels."""
    options = environment.parsed_options
    try:
        campaign = _campaign(options)
        bodies = SENTENCES if options.bodies is None and options.campaign is None else read_bodies(campaign.bodies)
    except LoadTestError as exc:
        sys.exit(str(exc))
    workload = Workload(campaign, bodies, Recorder(), Arrivals("closed", 0, campaign.think_time_s, campaign.seed))
    _set_up_users(workload)
    if isinstance(environment.runner, WorkerRunner):
        Worker(workload, environment.runner, lambda given: _take_part(environment, given))
    elif options.campaign is not None:
        _climb(environment, workload)
    gc.freeze()
    # Timers count from when the loop last looked at the clock, which was before all that was imported and read.
    gevent.get_hub().loop.update_now()


def _set_up_users(workload: Workload) -> None:
    ThinkingUser.workload = workload
    ThinkingUser.connection_timeout = ThinkingUser.network_timeout = workload.campaign.timeout_s


def _campaign(options: Any) -> Campaign:
    if options.campaign is not None:
        return decode_campaign(Path(options.campaign).read_bytes())
    # Locust asks for the host itself, on its page or on the command line.
    host, bodies = options.host or "http://127.0.0.1", Path(options.bodies or "")
    return Campaign(host, bodies, options.path, think_time_s=options.think_time, timeout_s=options.timeout)


def _climb(environment: Any, workload: Workload) -> None:
    """Run a campaign from here, with the users of this process or those of workers."""
    campaign, options, recorder = workload.campaign, environment.parsed_options, workload.recorder
    crowd: Crowd
    if isinstance(environment.runner, MasterRunner):
        crowd = RemoteCrowd(campaign, workload.bodies, recorder, environment.runner)
    else:
        crowd = LocalCrowd(workload)
        _take_part(environment, workload)
    outputs = Outputs(Path(options.requests_out), options.events_fd)
    staircase = shape.Staircase(campaign, recorder, crowd, outputs)
    staircase.runner = environment.runner
    environment.shape_class = staircase


def _take_part(environment: Any, workload: Workload) -> None:
    """Record what the users of this process do."""
    workload.prepare_signatures()
    _set_up_users(workload)
    if workload.campaign.client_cpus is not None:
        os.sched_setaffinity(0, workload.campaign.client_cpus)
    # What a thread computes beside the users may hold them up for so long at a time.
    sys.setswitchinterval(_SWITCH_S)
    environment.events.request.add_listener(_listener(workload.recorder))


def _listener(recorder: Recorder) -> Any:
    def on_request(
        *, response: Any, response_time: float, exception: object, context: dict[str, Any], **_: object
    ) -> None:
        record(recorder, response=response, response_time=response_time, exception=exception, context=context)

    return on_request


events.init_command_line_parser.add_listener(add_arguments)
events.init.add_listener(set_up)

# Locust looks for its users among the names of this file.
__all__ = ["ThinkingUser"]
