"""Runs, which turn a suite into records: planned, checked, run cell by cell in processes of their own, stamped."""
