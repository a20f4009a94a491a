"""The one error of this package."""


class LoadTestError(Exception):
    """A campaign or a report could not be made; the message is one sentence that says what to do."""
