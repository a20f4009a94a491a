"""Endpoints of SageMaker: where they are, how requests are signed, and what their answers mean."""
