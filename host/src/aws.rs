//! What the clients of all AWS services share: the environment's configuration, their
//! set-up, and the codes by which AWS denies access.

use std::error::Error;
use std::iter::successors;
use std::time::Duration;

pub use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region};
use aws_credential_types::provider::error::CredentialsError;

/// Loads region, credentials, endpoints (`AWS_ENDPOINT_URL`, or one service's own,
/// such as `AWS_ENDPOINT_URL_S3`) and the rest from where the AWS CLI reads them.
///
/// Load it once per process: clients made from one config share a credentials cache.
/// Each client sets its own timeouts and retries.
pub async fn config() -> SdkConfig {
    aws_config::load_defaults(BehaviorVersion::latest()).await
}

/// The configuration of a client of the command line. It waits and retries patiently: other
/// callers of the account share the service's rate limit, so patience is better than giving up
/// or pressing harder. `region` replaces the shared one.
#[cfg(feature = "cli")]
pub fn patient_config(shared: &SdkConfig, region: Option<&str>) -> SdkConfig {
    let limits = Limits {
        connect: Duration::from_secs(3),
        attempt: Duration::from_secs(10),
        retries: RetryConfig::adaptive()
            .with_max_attempts(8)
            .with_initial_backoff(Duration::from_millis(500))
            .with_max_backoff(Duration::from_secs(10)),
    };
    client_config(shared, limits, region)
}

/// How long a client waits, and how often it retries. By default, the SDKs wait for an
/// answer without a limit.
pub(crate) struct Limits {
    /// For a connection.
    pub(crate) connect: Duration,
    /// For an answer to one attempt, the connection included.
    pub(crate) attempt: Duration,
    /// The attempts and their backoff.
    pub(crate) retries: RetryConfig,
}

/// The configuration of one client. `region` replaces the shared one.
pub(crate) fn client_config(shared: &SdkConfig, limits: Limits, region: Option<&str>) -> SdkConfig {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(limits.connect)
        .operation_attempt_timeout(limits.attempt);
    let config = shared
        .to_builder()
        .timeout_config(timeouts.build())
        .retry_config(limits.retries);
    match region {
        Some(region) => config.region(Region::new(region.to_owned())).build(),
        None => config.build(),
    }
}

/// In place of a service's error code: nothing was sent, as there are no credentials.
pub(crate) const NO_CREDENTIALS: &str =
    "no credentials: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY";

/// The code of a request's error: the service's, or one that says that there are no
/// credentials; empty if it has none.
pub fn code_of(service: Option<&str>, error: &(dyn Error + 'static)) -> String {
    let none = || lacks_credentials(error).then_some(NO_CREDENTIALS);
    service.or_else(none).unwrap_or_default().to_owned()
}

/// Whether a request failed because there are no credentials.
pub(crate) fn lacks_credentials(error: &(dyn Error + 'static)) -> bool {
    let is = |error: &(dyn Error + 'static)| {
        let error = error.downcast_ref::<CredentialsError>();
        matches!(error, Some(CredentialsError::CredentialsNotLoaded(_)))
    };
    successors(Some(error), |error| (*error).source()).any(is)
}

/// Whether a service denies access with this error code, one of AWS's JSON protocol or of its
/// query protocol: the credentials are missing or invalid, or do not have the permission.
pub fn denies_access(code: &str) -> bool {
    matches!(
        code,
        NO_CREDENTIALS
            | "AccessDenied"
            | "AccessDeniedException"
            | "ExpiredToken"
            | "ExpiredTokenException"
            | "InvalidClientTokenId"
            | "InvalidSignatureException"
            | "MissingAuthenticationToken"
            | "MissingAuthenticationTokenException"
            | "NotAuthorizedException"
            | "SignatureDoesNotMatch"
            | "UnrecognizedClientException"
    )
}
