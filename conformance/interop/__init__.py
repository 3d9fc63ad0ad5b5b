"""Lets implementations talk to each other, and says who works with whom."""
