"""Many instances of the app over one catalog and one simulated Azure, in virtual time and with faults, by one seed."""
