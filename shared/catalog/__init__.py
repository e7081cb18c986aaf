"""Where observations are kept: implementations of `ports.Catalog`."""
