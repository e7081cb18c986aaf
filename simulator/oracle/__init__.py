"""What every zone should answer, derived from the world file alone. It shares no code with the app."""
