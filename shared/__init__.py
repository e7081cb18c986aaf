"""The function app's own code. Pure rooms decide, thin shells do I/O, `bootstrap` wires them."""
