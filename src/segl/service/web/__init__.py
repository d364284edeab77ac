"""What the pages of any portal have: header and footer, style, words for times, safety headers, pages for errors."""
