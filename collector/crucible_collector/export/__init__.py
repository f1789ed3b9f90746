"""Taking rows away: as CSV, JSON lines, Parquet or Arrow, in constant memory."""
