"""Resource Manager: routes, operations, locks, permissions, tags, throttling.

It knows no resource provider: nothing about one resource type may enter. Providers register here.
"""
