"""The rounds of probes: what a vantage has found becomes rows of the catalog and dirty names."""
