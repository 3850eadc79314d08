"""Jobs: the cycle, and what operators start by hand or by the clock."""
