"""The function app's own code. `decide` decides, `loop` acts through `ports`, `bootstrap` wires them."""
