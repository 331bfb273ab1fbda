"""The simulator over HTTP: requests, endpoints, answers step by step."""
