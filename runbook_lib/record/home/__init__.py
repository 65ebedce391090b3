"""Where an archive is kept: a folder, or an Amazon S3 bucket with a local copy of the parts in use."""
