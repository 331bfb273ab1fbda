"""What of the package nobody uses: names that stand nowhere else, and functions that no test and no baseline ever ran."""
