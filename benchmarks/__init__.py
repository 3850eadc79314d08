"""What is measured: each benchmark builds a world of its own and runs one real cycle in it."""
