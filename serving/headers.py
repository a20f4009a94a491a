"""Names of HTTP headers that our server reads and our clients send."""

TARGET_VARIANT = "X-Amzn-SageMaker-Target-Variant"
"""Which of several variants of an endpoint is asked; the name is SageMaker's."""

ALL_TRAFFIC = "AllTraffic"
"""What SageMaker's SDK calls the variant of an endpoint that has one; with several of ours it asks for the default."""
