"""What the pages of all portals share: header and footer, style, words for times, security headers, error pages."""
