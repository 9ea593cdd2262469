"""The contract under which Ombud watches itself: its complaints are nobody's, and count in no figure."""

CANARY = "canary"
