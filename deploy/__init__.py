"""The whole system on one machine: Temporal, Postgres, a mail catcher and Ombud itself, started as one."""
