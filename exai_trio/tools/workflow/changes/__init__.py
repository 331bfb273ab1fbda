"""What has changed in a repository, and how a model is shown it."""
