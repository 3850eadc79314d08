"""Keeps AlgaPSA and QuickBooks Online in step, both ways, and proves that they agree."""
