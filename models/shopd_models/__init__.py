"""Trains the recommendation models that shopd serves."""
