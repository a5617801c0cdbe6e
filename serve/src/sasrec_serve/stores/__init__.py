"""Stores of users' histories: none, Parquet, SQLite, Redis or Valkey, PostgreSQL."""
