//! The settings of an account's user pools, as Cognito sends and takes them.
//!
//! The settings are raw JSON. The SDK's types drop what they do not know, which an update
//! would then reset; here the SDK does credentials, signing, endpoints and retries alone.

use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_cognitoidentityprovider::Client;
use aws_sdk_cognitoidentityprovider::config::interceptors::{
    AfterDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextMut,
};
use aws_sdk_cognitoidentityprovider::config::retry::RetryConfig;
use aws_sdk_cognitoidentityprovider::config::{
    Builder, ConfigBag, Intercept, RuntimeComponents, http::HttpResponse,
};
use aws_sdk_cognitoidentityprovider::error::{
    BoxError, DisplayErrorContext, ProvideErrorMetadata, SdkError,
};
use serde_json::{Map, Value};

use super::CognitoError;
use crate::aws::{self, SdkConfig};
use crate::event::UserPoolId;

/// The most pools that `ListUserPools` returns.
const PAGE: i32 = 60;

/// A JSON object of Cognito's, with every member that Cognito sent.
pub type Document = Map<String, Value>;

/// The user pools of an account in one Region.
pub struct UserPools {
    client: Client,
}

/// A pool, as `ListUserPools` has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The pool's id, as Cognito writes it.
    pub id: String,
    /// The name, which need not be unique.
    pub name: String,
}

/// A page of the account's pools.
#[derive(Clone, Debug)]
pub struct PoolPage {
    /// The pools, 60 at most.
    pub pools: Vec<Listed>,
    /// The token of the next page; `None` after the last one.
    pub next: Option<String>,
}

impl UserPools {
    /// The account's pools in `region`; `None` for the environment's.
    pub fn new(shared: &SdkConfig, region: Option<&str>) -> Self {
        Self {
            client: Client::new(&aws::patient_config(shared, region)),
        }
    }

    /// Lists the first page, or the page with this token.
    pub async fn page(&self, token: Option<&str>) -> Result<PoolPage, ListError> {
        let request = self.client.list_user_pools().max_results(PAGE);
        let answer = request
            .set_next_token(token.map(str::to_owned))
            .send()
            .await;
        let answer = answer.map_err(|error| {
            let service = error.as_service_error();
            let code = aws::code_of(service.and_then(|error| error.meta().code()), &error);
            if aws::denies_access(&code) {
                ListError::AccessDenied { code }
            } else {
                ListError::Unavailable(error.into())
            }
        })?;
        let listed = |pool: aws_sdk_cognitoidentityprovider::types::UserPoolDescriptionType| {
            Some(Listed {
                id: pool.id?,
                name: pool.name.unwrap_or_default(),
            })
        };
        Ok(PoolPage {
            pools: answer
                .user_pools
                .unwrap_or_default()
                .into_iter()
                .filter_map(listed)
                .collect(),
            next: answer.next_token,
        })
    }

    /// The member `UserPool` of `DescribeUserPool`'s answer.
    pub async fn describe(&self, pool: &UserPoolId) -> Result<Document, CognitoError> {
        let raw = Answer::default();
        let request = self.client.describe_user_pool();
        let request = request.user_pool_id(pool.as_str()).customize();
        let answer = request.interceptor(raw.clone()).send().await;
        let raw = raw.take_unless(answer, |error| {
            super::error(pool, "DescribeUserPool", error)
        });
        match raw?.remove("UserPool") {
            Some(Value::Object(pool)) => Ok(pool),
            _ => Err(CognitoError::Unavailable(
                "DescribeUserPool answered without a UserPool".into(),
            )),
        }
    }

    /// The answer of `GetUserPoolMfaConfig`.
    pub async fn mfa(&self, pool: &UserPoolId) -> Result<Document, CognitoError> {
        let raw = Answer::default();
        let request = self.client.get_user_pool_mfa_config();
        let request = request.user_pool_id(pool.as_str()).customize();
        let answer = request.interceptor(raw.clone()).send().await;
        raw.take_unless(answer, |error| {
            super::error(pool, "GetUserPoolMfaConfig", error)
        })
    }

    /// Sends `UpdateUserPool` once, with this request: what it does not have, Cognito resets.
    pub async fn update(&self, pool: &UserPoolId, request: &Document) -> Result<(), WriteError> {
        let operation = self.client.update_user_pool();
        let operation = operation.user_pool_id(pool.as_str()).customize();
        let operation = operation
            .config_override(once())
            .interceptor(Body::of(request));
        let answer = operation.send().await;
        answer.map_err(|error| WriteError::of("UpdateUserPool", &error))?;
        Ok(())
    }

    /// Sends `SetUserPoolMfaConfig` once, with this request.
    pub async fn set_mfa(&self, pool: &UserPoolId, request: &Document) -> Result<(), WriteError> {
        let operation = self.client.set_user_pool_mfa_config();
        let operation = operation.user_pool_id(pool.as_str()).customize();
        let operation = operation
            .config_override(once())
            .interceptor(Body::of(request));
        let answer = operation.send().await;
        answer.map_err(|error| WriteError::of("SetUserPoolMfaConfig", &error))?;
        Ok(())
    }
}

/// A write is not repeated before its effect is known.
fn once() -> Builder {
    Builder::new().retry_config(RetryConfig::disabled())
}

/// Copies the JSON of a successful answer.
#[derive(Clone, Debug, Default)]
struct Answer(Arc<Mutex<Option<Document>>>);

impl Answer {
    /// The JSON, if there was a successful answer. The SDK's own result counts only if there
    /// was none: it refuses an answer without a member that its types require.
    fn take_unless<T, E>(
        &self,
        result: Result<T, E>,
        error: impl FnOnce(E) -> CognitoError,
    ) -> Result<Document, CognitoError> {
        let raw = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        match (raw, result) {
            (Some(raw), _) => Ok(raw),
            (None, Err(failed)) => Err(error(failed)),
            (None, Ok(_)) => Ok(Document::new()),
        }
    }
}

impl Intercept for Answer {
    fn name(&self) -> &'static str {
        "Answer"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if !context.response().status().is_success() {
            return Ok(());
        }
        let bytes = context.response().body().bytes().unwrap_or_default();
        let raw = serde_json::from_slice(bytes)?;
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(raw);
        Ok(())
    }
}

/// Replaces a request's JSON.
#[derive(Clone, Debug)]
struct Body(String);

impl Body {
    fn of(request: &Document) -> Self {
        Self(serde_json::to_string(request).unwrap_or_default())
    }
}

impl Intercept for Body {
    fn name(&self) -> &'static str {
        "Body"
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request_mut();
        let length = self.0.len().to_string();
        request.headers_mut().insert("content-length", length);
        *request.body_mut() = self.0.as_str().into();
        Ok(())
    }
}

/// Why the account's pools cannot be listed.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the texts say it")]
pub enum ListError {
    /// No credentials, or credentials without the permission.
    #[error(
        "access to the account's user pools is denied ({code}). Allow cognito-idp:ListUserPools"
    )]
    AccessDenied { code: String },
    /// Cognito did not answer, or failed.
    #[error("the request to Cognito failed")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// What came of a write that has no success to show.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// Cognito refused the request. It says that it changed nothing.
    #[error("{action} is refused ({code}): {message}")]
    Refused {
        /// The API's action.
        action: &'static str,
        /// Cognito's error code.
        code: String,
        /// Cognito's text, or ours about missing credentials.
        message: String,
    },
    /// There is no answer, or one of a failing server: the pool may be changed or not.
    #[error("{action} has no answer: {reason}")]
    Unanswered {
        /// The API's action.
        action: &'static str,
        /// What happened in place of an answer.
        reason: String,
    },
}

impl WriteError {
    fn of<E>(action: &'static str, error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let code = aws::code_of(error.code(), error);
        let failed = error
            .raw_response()
            .is_some_and(|response| response.status().is_server_error());
        if code.is_empty() || failed {
            let reason = DisplayErrorContext(error).to_string();
            return Self::Unanswered { action, reason };
        }
        let message = error.message().unwrap_or("nothing was sent").to_owned();
        Self::Refused {
            action,
            code,
            message,
        }
    }

    /// Whether the same request may succeed later: other requests are in the way.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unanswered { .. } => true,
            Self::Refused { code, .. } => {
                self.is_throttled() || code == "ConcurrentModificationException"
            }
        }
    }

    /// Whether Cognito has refused the request because there are too many.
    pub fn is_throttled(&self) -> bool {
        const CODES: [&str; 3] = [
            "LimitExceededException",
            "ThrottlingException",
            "TooManyRequestsException",
        ];
        matches!(self, Self::Refused { code, .. } if CODES.contains(&code.as_str()))
    }
}
