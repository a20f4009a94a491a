"""Loads an HTTP endpoint with Locust until it throttles, and reports what it measured.

This package speaks HTTP only and imports no other package of the project, so its numbers are what any client sees.
"""
