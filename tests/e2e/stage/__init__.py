"""What end-to-end tests play on: homes, daemons, and clients that speak in plain frames."""
