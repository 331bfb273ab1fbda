"""HTTP beside the WebSocket: health answers and pages."""
