"""What processes tell about themselves: logs, metrics, traces."""
