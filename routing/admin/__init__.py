"""Families, models, providers, upstreams, and the pools with their routes."""

from routing.admin import families, pools, upstreams

__all__ = ["families", "pools", "upstreams"]
