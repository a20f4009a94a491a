"""Where objects of S3 lie."""

import pytest

from paretoserve.sagemaker.emulator.storage import split_location


@pytest.mark.parametrize(
    ("location", "bucket", "key"),
    [
        ("s3://bucket/a/b.json", "bucket", "a/b.json"),
        ("s3://bucket//a?b#c?", "bucket", "/a?b#c?"),
        ("s3://bucket", "bucket", ""),
        ("s3://[bucket/key", "[bucket", "key"),
    ],
)
def test_a_key_is_all_that_follows_the_bucket(location: str, bucket: str, key: str) -> None:
    assert split_location(location) == (bucket, key)
