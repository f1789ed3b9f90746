"""Putting rows away: to S3, GCS, Azure or a folder, and bringing them back as they were."""
