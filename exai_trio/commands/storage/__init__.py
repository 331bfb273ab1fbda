"""What is kept in EXAI_HOME, looked at and looked after from a shell, whether or not a daemon runs."""
