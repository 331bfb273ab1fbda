"""Model providers: one Protocol, one adapter for OpenAI-compatible services, tables for what differs."""
