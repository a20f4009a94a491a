"""One request ahead of a campaign, so that a wrong address costs seconds and not minutes."""

import http.client
from urllib.parse import urlsplit

from loadtest.plan.settings import Campaign
from loadtest.results.errors import LoadTestError
from loadtest.sagemaker.signing import SignedHeaders

_EXCERPT_CHARS = 300

_ADVICE = {
    400: "it takes no such request body; check the JSON Lines file",
    401: "it asks for credentials; give an Authorization header",
    403: "it refuses these credentials; check the headers",
    404: "it knows no such path or variant; check the path and the target-variant header",
    415: "it does not take application/json; load an endpoint that does",
    422: "it takes no such request body; check the JSON Lines file",
    429: "it is already overloaded; stop the other load and try again",
    503: "it is not ready; wait until it is and try again",
}


_SAGEMAKER_ADVICE = {
    400: "check the names of the endpoint and of the variant, and whether it is in service",
    403: "these credentials may not call sagemaker:InvokeEndpoint in this region; check them",
    424: "its container does not take the request; check the JSON Lines file, and look into its log",
    429: "its model is not ready; wait until it is and try again",
}


def _post(campaign: Campaign, body: bytes) -> tuple[int, bytes]:
    url = urlsplit(campaign.url)
    kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    connection = kind(url.hostname or "", url.port, timeout=campaign.timeout_s)
    try:
        path = url.path.rstrip("/") + campaign.path
        connection.request("POST", path, body, headers_of(campaign, body))
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def headers_of(campaign: Campaign, body: bytes) -> dict[str, str]:
    """Of one request, with a signature where the endpoint is SageMaker's."""
    if campaign.sagemaker_region is None:
        return {"Content-Type": "application/json", **campaign.headers}
    url = campaign.url.rstrip("/") + campaign.path
    return SignedHeaders(url, campaign.headers, [body], campaign.sagemaker_region).of(0)


def check_endpoint(campaign: Campaign, body: bytes) -> None:
    """Send one request; raises LoadTestError that says what to do unless it is answered 2xx."""
    target = campaign.url.rstrip("/") + campaign.path
    try:
        status, answer = _post(campaign, body)
    except ConnectionRefusedError as error:
        raise LoadTestError(f"Nothing listens at {campaign.url}; start the server or correct the address.") from error
    except TimeoutError as error:
        raise LoadTestError(
            f"{target} gave no answer within {campaign.timeout_s:g} s; check that the server is up or raise timeout_s."
        ) from error
    except (OSError, http.client.HTTPException) as error:
        raise LoadTestError(f"{target} cannot be reached ({error}); correct the address.") from error
    if not 200 <= status < 300:
        known = _ADVICE if campaign.sagemaker_region is None else _ADVICE | _SAGEMAKER_ADVICE
        advice = known.get(status, "look into the server's log")
        excerpt = answer[:_EXCERPT_CHARS].decode(errors="replace").strip()
        # What a signature was made of, session tokens included, may stand in an answer of AWS that refuses it.
        said = "" if campaign.sagemaker_region and status == 403 else f" It said: {excerpt}"
        raise LoadTestError(f"{target} answered {status}: {advice}.{said}")
