"""An audit as people look at it: a page that opens from a file, and tables for a terminal."""
