"""Event Grid: the events of resources, their delivery, retries and dead letters.

It listens to the operations and signals of Resource Manager. Nothing about one resource provider may enter.
"""
