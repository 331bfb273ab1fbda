"""What a terminal shows: widths, Markdown, the passing status line."""
