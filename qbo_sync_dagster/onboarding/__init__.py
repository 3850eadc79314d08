"""Onboarding: bring a company that has been in use for years into the sync, step by step.

What belongs here: asking both sides, and carrying out what staff confirmed. What does not: how a
match is judged (domain). Everything is read live, so each step can be run again at any time.
"""
