//! Blobs in an S3 bucket, below a prefix: the only file that knows its SDK.
