"""How values travel through Temporal: the client, the codec that seals payloads, labels that stay readable."""
