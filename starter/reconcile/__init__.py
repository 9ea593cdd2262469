"""`ombud reconcile`: what Postgres and Temporal each hold of the same complaints, compared, and put right."""
