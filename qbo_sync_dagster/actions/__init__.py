"""What staff decide: connect, configure, link, ask for a cycle. Each takes plain values.

Belongs here: judging the input, one ledger transaction, one audit row per change. Does not: asking
for the input (cli, jobs) or anything a cycle does by itself (sync).
"""
