"""Where queries run: the only folder that imports a database engine."""
