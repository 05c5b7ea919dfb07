"""The product measured against its budgets, through the commands people use."""
