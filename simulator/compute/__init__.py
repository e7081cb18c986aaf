"""Microsoft.Compute: virtual machines, scale sets, extensions, and what moving a VM changes."""
