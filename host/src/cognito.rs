//! Lists a user pool's users, page by page, as the events that they would have sent.
//! Only this file and [`pools`] use Cognito's SDK.

pub mod pools;

use std::time::SystemTime;

use aws_sdk_cognitoidentityprovider::Client;
use aws_sdk_cognitoidentityprovider::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_cognitoidentityprovider::types::{UserStatusType, UserType};

use crate::aws::{self, SdkConfig};
use crate::event::{PostConfirmation, TriggerSource, UserPoolId};

/// The most users that `ListUsers` returns.
const PAGE: i32 = 60;

/// A user pool.
pub struct UserPool {
    client: Client,
    id: UserPoolId,
}

/// A page of a pool's users.
#[derive(Debug)]
pub struct Page {
    /// The users, 60 at most.
    pub users: Vec<PoolUser>,
    /// The names, as far as they have one, of users without a name, a creation date or a
    /// status.
    pub malformed: Vec<Option<String>>,
    /// The token of the next page; `None` after the last one.
    pub next: Option<String>,
}

/// A user of a pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolUser {
    /// The event that Post Confirmation would have sent, without the client's id and
    /// metadata, which the pool does not store.
    pub event: PostConfirmation,
    /// When the user was created. Used as the time of the event, so that mapping the
    /// user again gives the same item.
    pub created: SystemTime,
    /// Whether the trigger will not fire for this user any more, so that the row may be
    /// missing. That holds for every status except unconfirmed, whether an admin created,
    /// imported or disabled the user, or the user is federated, archived, or must set a new
    /// password.
    pub confirmed: bool,
}

impl UserPool {
    /// The pool with this id, in its region.
    pub fn new(shared: &SdkConfig, id: &UserPoolId) -> Self {
        Self {
            client: Client::new(&aws::patient_config(shared, Some(id.region()))),
            id: id.clone(),
        }
    }

    /// The pool's id.
    pub fn id(&self) -> &UserPoolId {
        &self.id
    }

    /// Cognito's estimate of the number of users.
    pub async fn estimated_users(&self) -> Result<u64, CognitoError> {
        let request = self.client.describe_user_pool();
        let answer = request.user_pool_id(self.id.as_str()).send().await;
        let answer = answer.map_err(|error| self::error(&self.id, "DescribeUserPool", error))?;
        let users = answer
            .user_pool()
            .map(|pool| pool.estimated_number_of_users);
        Ok(users
            .and_then(|n| u64::try_from(n).ok())
            .unwrap_or_default())
    }

    /// Lists the first page, or the page with this token.
    pub async fn page(&self, token: Option<&str>) -> Result<Page, CognitoError> {
        let request = self
            .client
            .list_users()
            .user_pool_id(self.id.as_str())
            .limit(PAGE)
            .set_pagination_token(token.map(str::to_owned));
        let answer = request.send().await;
        let answer = answer.map_err(|error| match error.as_service_error() {
            // Only the token changes from page to page.
            Some(service) if token.is_some() && service.is_invalid_parameter_exception() => {
                CognitoError::BadToken
            }
            _ => self::error(&self.id, "ListUsers", error),
        })?;
        let (mut users, mut malformed) = (Vec::new(), Vec::new());
        for user in answer.users.unwrap_or_default() {
            let name = user.username.clone();
            match self.user(user) {
                Some(user) => users.push(user),
                None => malformed.push(name),
            }
        }
        Ok(Page {
            users,
            malformed,
            next: answer.pagination_token,
        })
    }

    fn user(&self, user: UserType) -> Option<PoolUser> {
        let user_name = user.username.filter(|name| !name.is_empty())?;
        let created = SystemTime::try_from(user.user_create_date?).ok()?;
        let status = user.user_status?;
        let attributes = user.attributes.unwrap_or_default().into_iter();
        let attributes =
            attributes.filter_map(|attribute| Some((attribute.name, attribute.value?)));
        let status_attribute = ("cognito:user_status".to_owned(), status.as_str().to_owned());
        Some(PoolUser {
            event: PostConfirmation {
                user_pool_id: self.id.clone(),
                region: self.id.region().to_owned(),
                client_id: None,
                user_name,
                trigger_source: TriggerSource::Backfill,
                user_attributes: attributes.chain([status_attribute]).collect(),
                client_metadata: [].into(),
            },
            created,
            confirmed: status != UserStatusType::Unconfirmed,
        })
    }
}

/// Classifies an error by Cognito's [code][doc].
///
/// [doc]: https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_ListUsers.html
fn error<E, R>(pool: &UserPoolId, action: &'static str, error: SdkError<E, R>) -> CognitoError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    let service = error.as_service_error();
    let code = aws::code_of(service.and_then(|error| error.meta().code()), &error);
    let pool = pool.clone();
    match code.as_str() {
        "ResourceNotFoundException" => CognitoError::NoPool { pool },
        denied if aws::denies_access(denied) => CognitoError::AccessDenied { pool, action, code },
        "LimitExceededException" | "ThrottlingException" | "TooManyRequestsException" => {
            CognitoError::Throttled { pool, code }
        }
        _ => CognitoError::Unavailable(error.into()),
    }
}

/// Why a pool's users cannot be listed. No text contains a user's data.
#[derive(Debug, thiserror::Error, strum::IntoStaticStr)]
#[strum(prefix = "Cognito.")]
#[allow(missing_docs, reason = "the texts and the names say it")]
pub enum CognitoError {
    /// The pool does not exist.
    #[error("the user pool {pool} does not exist in this account")]
    NoPool { pool: UserPoolId },
    /// No credentials, or credentials without the permission.
    #[error("access to the user pool {pool} is denied ({code}). Allow cognito-idp:{action} on it")]
    AccessDenied {
        pool: UserPoolId,
        action: &'static str,
        code: String,
    },
    /// Too many requests, even after the retries.
    #[error("Cognito throttles requests for {pool} ({code}). Try a lower rate")]
    Throttled { pool: UserPoolId, code: String },
    /// Cognito no longer accepts a page's token.
    #[error("Cognito rejects the page's token: it has expired, or belongs to another pool")]
    BadToken,
    /// Cognito did not answer, or failed.
    #[error("the request to Cognito failed")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl CognitoError {
    /// The error's name, for logs and callers.
    pub fn name(&self) -> &'static str {
        self.into()
    }
}
