"""The gateway to QuickBooks Online: tokens, transport, faults, queries, writes, typed objects.

What belongs here: everything that knows Intuit's wire format. What does not: AlgaPSA, our ledger,
and any rule about money; the gateway reports what QuickBooks says and judges nothing.
"""
