"""A year of a managed-service provider with two QuickBooks companies, on a moved clock."""
