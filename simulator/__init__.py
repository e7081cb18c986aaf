"""Azure on localhost: resource providers, Event Grid, DNS and the Functions host, without a subscription.

The function app imports nothing from here. Only the Functions host imports anything of the app: it runs
`function_app.py`. Usage, world files and how close this is to Azure: README.md.
"""
