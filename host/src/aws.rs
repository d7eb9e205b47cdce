//! What the clients of all AWS services share.

use aws_config::BehaviorVersion;
pub use aws_config::SdkConfig;

/// Region, credentials, endpoints (`AWS_ENDPOINT_URL`, or one service's own, such
/// as `AWS_ENDPOINT_URL_S3`) and the rest, from where AWS's tools look for them.
///
/// Load it once for a process: clients made of one config share the credentials
/// and their cache. Time limits and retries are each client's own.
pub async fn config() -> SdkConfig {
    aws_config::load_defaults(BehaviorVersion::latest()).await
}
