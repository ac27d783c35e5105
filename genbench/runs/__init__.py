"""From a suite to records: what is to be run, checked, run cell by cell in processes of their own, and stamped."""
