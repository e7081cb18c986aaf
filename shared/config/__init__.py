"""Parses the app settings and reports every fault with its location. It knows neither Azure nor the catalog."""
