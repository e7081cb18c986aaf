"""The command line tool of nearzone. It speaks HTTP with the apps of all regions, and imports nothing of them."""
