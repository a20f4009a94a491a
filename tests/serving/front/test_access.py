"""Whose requests are answered: by their Host, and by their key. Asked of a real server whose replicas are not."""

import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from typer.testing import CliRunner

from model_store.errors import ParetoServeError, UnknownHost
from paretoserve.cli import app
from serving.front.access import Access, access_of, allowed_hosts, host_name, read_keys
from serving.front.settings import Settings, VariantSpec
from tests.serving.front_server import Front, front

FAKES = "tests.serving.fake_replica:fakes"
KEY, NEW_KEY = "k" * 16, "a-new-key-of-the-operator"
ROUTES = [
    ("GET", "/ping"),
    ("POST", "/invocations"),
    ("GET", "/v2"),
    ("GET", "/v2/health/live"),
    ("GET", "/v2/health/ready"),
    ("GET", "/v2/models/one"),
    ("GET", "/v2/models/one/ready"),
    ("POST", "/v2/models/one/infer"),
    ("GET", "/variants"),
    ("GET", "/metrics"),
    ("GET", "/openapi.json"),
    ("GET", "/no-such-path"),
]
HEALTH = ("/ping", "/v2/health/live", "/v2/health/ready")


def variant(name: str, folder: Path) -> VariantSpec:
    return VariantSpec(name, folder, "onnxruntime")


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    """A server with keys, for hosts of its own only."""
    folder = tmp_path_factory.mktemp("guarded")
    (folder / "keys").write_text(f"{KEY}\n\n{NEW_KEY}\n")
    with front(
        [variant("one", folder)],
        hosts=FAKES,
        allow_hosts=["models.example"],
        api_key_file=str(folder / "keys"),
        log=folder / "log",
        log_level="debug",
    ) as served:
        yield served


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    """A server as it is by default, with one variant."""
    with front([variant("one", tmp_path_factory.mktemp("one"))], hosts=FAKES, allow_hosts=[]) as served:
        yield served


# Hosts


@pytest.mark.parametrize("path", ["/ping/", "/invocations/", "/v2/models/", "/variants/"])
def test_nobody_is_sent_elsewhere(one: Front, path: str) -> None:
    for method in ("GET", "POST"):
        answer = one.http.request(method, path, headers={"Host": "localhost"})
        assert (answer.status_code, answer.headers.get("location")) == (404, None)


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize("host", ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "localhost.evil", ""])
def test_a_host_that_is_not_ours_is_misdirected_on_every_route(one: Front, method: str, path: str, host: str) -> None:
    answer = one.http.request(method, path, headers={"Host": host, "X-Request-Id": "mine"})
    assert (answer.status_code, answer.json()["type"]) == (421, "UnknownHost")
    assert "--allow-hosts" in answer.json()["error"]
    assert answer.headers["x-request-id"] == "mine"


@pytest.mark.parametrize("host", ["localhost", "LocalHost:1", "localhost.", "127.0.0.1", "127.1.2.3:80", "[::1]:8080"])
def test_loopback_is_always_ours(one: Front, host: str) -> None:
    assert one.http.get("/ping", headers={"Host": host}).status_code == 200


def test_so_is_the_machine_by_its_name(one: Front) -> None:
    assert one.http.get("/ping", headers={"Host": f"{socket.gethostname()}:80"}).status_code == 200


def test_a_request_without_a_host_comes_from_no_browser(one: Front) -> None:
    with socket.create_connection(one.address) as client:
        client.sendall(b"GET /ping HTTP/1.0\r\n\r\n")
        assert client.recv(65536).split()[1] == b"200"


def test_a_host_that_was_named_is_ours_and_others_are_not(guarded: Front) -> None:
    for host, status in (("models.example", 200), ("Models.Example.:443", 200), ("a.models.example", 421)):
        assert guarded.http.get("/ping", headers={"Host": host}).status_code == status


def test_refused_hosts_are_counted(one: Front) -> None:
    before = one.metric("requests_total", variant="unknown", code="421")
    one.http.get("/variants", headers={"Host": "evil.example"})
    assert one.metric("requests_total", variant="unknown", code="421") == before + 1


def test_on_all_addresses_any_host_is_ours_unless_some_are_named() -> None:
    for everywhere in ("0.0.0.0", "::"):  # noqa: S104  nothing listens
        assert allowed_hosts(everywhere, (), "machine") is None
        assert allowed_hosts(everywhere, ("a,B ", "c"), "machine") == frozenset({"a", "b", "c", everywhere, "machine"})
        assert allowed_hosts(everywhere, ("a", "*"), "machine") is None
    assert allowed_hosts("10.1.2.3", (), "Machine") == frozenset({"10.1.2.3", "machine"})


def test_the_address_that_a_connection_came_in_on_is_ours() -> None:
    access = Access(frozenset({"models.example"}))
    scope = {"server": ("10.1.2.3", 8080), "path": "/ping"}
    access.check(scope, {b"host": b"10.1.2.3:30080"})
    with pytest.raises(UnknownHost):
        access.check(scope, {b"host": b"10.1.2.4"})


@pytest.mark.parametrize(
    ("host", "name"),
    [(b"a:1", "a"), (b"[::1]:8", "::1"), (b"::1", "::1"), (b"A.b.", "a.b"), (b"", ""), (b"[", ""), (b"\xff", "ÿ")],
)
def test_the_name_in_a_host(host: bytes, name: str) -> None:
    assert host_name(host) == name


def test_what_is_remembered_of_hosts_has_an_end() -> None:
    access = Access(frozenset())
    for port in range(1000):
        access.check({"path": "/ping"}, {b"host": b"localhost:%d" % port})
    assert len(access._seen) < 1000


# Keys


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_all_but_health_wants_a_key(guarded: Front, method: str, path: str) -> None:
    answer = guarded.http.request(method, path)
    if path in HEALTH:
        assert answer.status_code == 200
    else:
        assert (answer.status_code, answer.json()["type"]) == (401, "Unauthorized")
        assert answer.headers["www-authenticate"].startswith("Bearer")


def authorizations(key: str) -> list[dict[str, str]]:
    return [{"Authorization": f"Bearer {key}"}, {"Authorization": f"bearer  {key}"}, {"X-Api-Key": key}]


@pytest.mark.parametrize("key", [KEY, NEW_KEY])
def test_each_key_opens_in_either_header(guarded: Front, key: str) -> None:
    for headers in authorizations(key):
        assert guarded.http.get("/variants", headers=headers).status_code == 200
        assert guarded.http.post("/invocations", json={"inputs": "good"}, headers=headers).status_code == 200


@pytest.mark.parametrize("key", ["-", KEY[:-1], f"{KEY}k", f"{KEY}\n{NEW_KEY}".replace("\n", " "), "é" * 8])
def test_what_is_no_key_opens_nothing(guarded: Front, key: str) -> None:
    for headers in authorizations(key):
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        assert guarded.http.get("/variants", headers=raw).status_code == 401
    assert guarded.http.get("/variants", headers={"Authorization": f"Basic {KEY}"}).status_code == 401


def test_a_request_without_a_key_is_answered_before_its_body_is_there(guarded: Front) -> None:
    with socket.create_connection(guarded.address) as client:
        client.sendall(b"POST /invocations HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{")
        assert client.recv(65536).split()[1] == b"401"


def test_a_key_stands_nowhere_but_in_its_file(guarded: Front, tmp_path: Path) -> None:
    headers = {"Authorization": f"Bearer {KEY}"}
    texts = [guarded.http.get(path, headers=headers).text for path in ("/variants", "/metrics", "/openapi.json")]
    process = psutil.Process(guarded.process.pid)
    for one in (process, *process.children(recursive=True)):
        texts += [" ".join(one.cmdline()), str(one.environ())]
    (log,) = (Path(file.path) for file in process.open_files() if file.path.endswith("/log"))
    texts.append(log.read_text())
    assert not [text for text in texts if KEY in text or NEW_KEY in text]
    keys = tmp_path / "keys"
    keys.write_text(KEY)
    assert KEY not in repr(access_of(Settings(api_key_file=keys)))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read"),
        (b"", "no key"),
        (b"\n \n", "no key"),
        (b"\xff\xfe", "cannot be read"),
        (b"only-fifteen-ch", "too short"),
        (f"{KEY}\nshort".encode(), "too short"),
        (b"two words of a key", "without spaces"),
        ("ключ-ключ-ключ-ключ".encode(), "ASCII"),
    ],
)
def test_a_file_of_keys_that_cannot_be_used_is_told_without_its_keys(
    tmp_path: Path, content: bytes | None, message: str
) -> None:
    file = tmp_path / "keys"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ParetoServeError, match=message) as told:
        read_keys(file)
    assert "only-fifteen" not in str(told.value)
    assert KEY not in str(told.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_of_keys_that_may_not_be_read_is_told(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(KEY)
    file.chmod(0)
    with pytest.raises(ParetoServeError, match="Permission denied"):
        read_keys(file)


# Options


def test_the_options_of_serve_reach_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Settings] = []
    monkeypatch.setattr(
        "paretoserve.commands.serve._run", lambda variants, name, backend, settings, _: told.append(settings)
    )
    runner = CliRunner()
    words = ["serve", "x", "--allow-hosts", "a.example, b.example", "--allow-hosts", "c", "--api-key-file", "keys"]
    assert runner.invoke(app, words, catch_exceptions=False).exit_code == 0
    environment = {"PARETOSERVE_ALLOW_HOSTS": "a.example,b.example", "PARETOSERVE_API_KEY_FILE": "keys"}
    assert runner.invoke(app, ["serve", "x"], env=environment, catch_exceptions=False).exit_code == 0
    assert runner.invoke(app, ["serve", "x"], catch_exceptions=False).exit_code == 0
    assert [one.allow_hosts for one in told] == [("a.example", "b.example", "c"), ("a.example", "b.example"), ()]
    assert [one.api_key_file for one in told] == [Path("keys"), Path("keys"), None]


# Target variants


@pytest.mark.parametrize("target", ["AllTraffic", "one", "a-name-of-the-platform", "\xff"])
def test_one_variant_answers_whatever_the_target_says(one: Front, target: str) -> None:
    headers = [(b"X-Amzn-SageMaker-Target-Variant", target.encode("latin-1"))]
    answer = one.http.post("/invocations", content=b'{"inputs": "good"}', headers=headers)
    assert (answer.status_code, answer.headers["x-amzn-invoked-production-variant"]) == (200, "one")


def test_a_name_in_a_path_stays_exact(one: Front) -> None:
    assert one.http.post("/v2/models/AllTraffic/infer", json={}).status_code == 404


def test_of_several_variants_all_traffic_goes_to_the_first_and_unknown_names_nowhere(tmp_path: Path) -> None:
    with front([variant("one", tmp_path), variant("two", tmp_path)], hosts=FAKES) as server:
        asked = [("", "one"), ("AllTraffic", "one"), ("two", "two")]
        for target, name in asked:
            assert server.ask("good", target).headers["x-amzn-invoked-production-variant"] == name
        unknown = server.ask("good", "alltraffic")
        assert (unknown.status_code, unknown.json()["type"]) == (404, "UnknownVariant")
        assert re.search("choose one of one, two", unknown.json()["error"])


def test_a_variant_that_is_called_so_gets_its_own_traffic(tmp_path: Path) -> None:
    with front([variant("one", tmp_path), variant("AllTraffic", tmp_path)], hosts=FAKES) as server:
        answer: httpx.Response = server.ask("good", "AllTraffic")
        assert answer.headers["x-amzn-invoked-production-variant"] == "AllTraffic"
