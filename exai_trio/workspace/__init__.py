"""Files that tools may read: path policy and reading."""
