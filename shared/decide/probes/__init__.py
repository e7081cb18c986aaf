"""What follows from probes: which addresses are probed, and which verdicts and distances their results amount to."""
