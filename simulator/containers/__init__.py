"""Microsoft.ContainerInstance: container groups.

Their addresses come from `simulator/network`. The content of containers (logs, commands, images) is not simulated.
"""
