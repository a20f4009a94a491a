"""What people read: words, tables, charts, one page."""
