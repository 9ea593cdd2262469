"""What a contract means. Pure: values in, values out; no clock, no network, no Temporal."""
