"""The starting projects: written, built and run as a new user would."""
