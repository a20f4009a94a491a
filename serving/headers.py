"""Names of HTTP headers that our server reads and our clients send."""

TARGET_VARIANT = "X-Amzn-SageMaker-Target-Variant"
"""Which of several variants of an endpoint is asked; the name is SageMaker's."""
