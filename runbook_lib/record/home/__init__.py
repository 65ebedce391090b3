"""Where an archive is kept: a folder, or a bucket of Amazon S3 with a copy here of what is needed of it."""
