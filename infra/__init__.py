"""nearzone's own Azure resources, as code."""
