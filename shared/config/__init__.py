"""Reads the app settings and reports every fault with its place. It knows neither Azure nor the catalog."""
