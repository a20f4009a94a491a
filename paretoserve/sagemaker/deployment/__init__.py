"""SageMaker endpoints of packaged variants: planned as data, made, watched, and removed."""
