"""Azure on localhost: private DNS, VMs, their events and their DNS answers, without a subscription.

Nothing in here is imported by the function app, and nothing of the app is imported here but by the Functions host.
"""
