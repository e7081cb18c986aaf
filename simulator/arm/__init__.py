"""Resource Manager: routes, operations, locks, permissions, throttling. It knows no resource provider."""
