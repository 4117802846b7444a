"""What it means that an attack succeeded."""
