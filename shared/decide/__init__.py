"""Every decision of the app, as pure functions and values: no clock, no chance, no environment, no log, no I/O."""
