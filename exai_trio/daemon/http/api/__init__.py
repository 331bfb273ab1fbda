"""What the HTTP ports answer as JSON: a module of routes for each page."""
