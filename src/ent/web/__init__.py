"""What the web applications share: look, security headers, languages, service health."""
