//! The configuration that the clients of all AWS services share.

use aws_config::BehaviorVersion;
pub use aws_config::SdkConfig;

/// Loads region, credentials, endpoints (`AWS_ENDPOINT_URL`, or one service's own,
/// such as `AWS_ENDPOINT_URL_S3`) and the rest from where the AWS CLI reads them.
///
/// Load it once per process: clients made from one config share a credentials cache.
/// Each client sets its own timeouts and retries.
pub async fn config() -> SdkConfig {
    aws_config::load_defaults(BehaviorVersion::latest()).await
}
