"""World files: what resources exist at the start. Reads and checks them; builds the simulated Azure from them."""
