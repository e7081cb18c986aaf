"""Azure Resource Manager through the Azure SDKs: implementations of `ports.Inventory` and `ports.RecordSets`."""
