"""Event Grid: the events of resources, their delivery, retries and dead letters."""
