"""World files: which resources exist at the start. Reads and checks them; fills the simulated Azure from them.

Loading raises no events. The reference for users is simulator/README.md.
"""
