"""SageMaker: what its endpoints take, and how they are made."""
