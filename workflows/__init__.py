"""Durable processes: they drive `rules` with Temporal's time and messages, and hand the results to activities."""
