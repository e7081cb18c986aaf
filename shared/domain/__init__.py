"""The immutable values that all other packages use. It imports no other package of the app and does no I/O."""
