"""Stand-ins for four model servers that people run on their own machine: Ollama, llama-server, LM Studio, vLLM."""
