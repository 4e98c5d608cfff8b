"""Videos, analyses and the work they need, kept in SQL and a data folder; nothing here knows of the web."""
