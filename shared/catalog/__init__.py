"""Stores observations: the implementations of `ports.Catalog`."""
