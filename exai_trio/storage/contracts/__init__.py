"""What is asked of a store of files: uploads and who refers to them, stored contents, deletions, leases, the audit."""
