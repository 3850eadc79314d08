"""Outcome -> rows, Markdown and small pictures, for Dagster and the command line alike."""
