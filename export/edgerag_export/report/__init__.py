"""The report: figures of every variant as JSON, as a table in the terminal, and as one HTML file with charts."""
