"""The auditor: a model that looks at figures now and then, and says what it sees."""
