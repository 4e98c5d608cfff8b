"""`python -m bench`: speed, memory and agreement, as a table and as JSON. Ratios of one run, because machines drift."""
