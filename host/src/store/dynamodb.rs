//! DynamoDB, the only file that knows its SDK.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{Builder, Region};
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue as Sdk;

use super::{ItemStore, Put, StoreError};
use crate::aws::SdkConfig;
use crate::config::{Table, Write};
use crate::item::{AttributeValue, Item, Number};

/// Cognito waits 5 s for the trigger, of which a plugin may use one. The SDK by
/// itself would wait for an answer for ever.
const CONNECT: Duration = Duration::from_secs(1);
const ATTEMPT: Duration = Duration::from_millis(1400);
const ALL_ATTEMPTS: Duration = Duration::from_millis(2900);

/// The tables of an account, in all regions.
pub struct DynamoDb {
    shared: SdkConfig,
    /// One client for each region, made at its first use.
    clients: Mutex<HashMap<String, Client>>,
}

impl DynamoDb {
    /// With the credentials and endpoint of this config.
    pub fn new(shared: &SdkConfig) -> Self {
        Self {
            shared: shared.clone(),
            clients: Mutex::default(),
        }
    }

    fn client(&self, region: &str) -> Client {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(region) {
            return client.clone();
        }
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT)
            .operation_attempt_timeout(ATTEMPT)
            .operation_timeout(ALL_ATTEMPTS);
        let config = Builder::from(&self.shared)
            .region(Region::new(region.to_owned()))
            .timeout_config(timeouts.build())
            .retry_config(RetryConfig::standard());
        let client = Client::from_conf(config.build());
        clients.insert(region.to_owned(), client.clone());
        client
    }
}

impl ItemStore for DynamoDb {
    async fn put(&self, table: &Table, item: &Item, write: Write) -> Result<Put, StoreError> {
        let attributes = item.attributes().iter();
        let mut request = self
            .client(&table.region)
            .put_item()
            .table_name(table.name.as_str())
            .set_item(Some(
                attributes
                    .map(|(name, value)| (name.clone(), sdk(value)))
                    .collect(),
            ));
        if write == Write::Create {
            request = request
                .condition_expression("attribute_not_exists(#key)")
                .expression_attribute_names("#key", &table.partition_key);
        }
        match request.send().await {
            Ok(_) => Ok(Put::Written),
            Err(error) => not_written(table, error),
        }
    }
}

/// A failed condition is an outcome; everything else is an error of ours by
/// the SDK's type, then by DynamoDB's [code][doc].
///
/// [doc]: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
fn not_written<R>(table: &Table, error: SdkError<PutItemError, R>) -> Result<Put, StoreError>
where
    R: std::fmt::Debug + Send + Sync + 'static,
{
    let Some(service) = error.as_service_error() else {
        return Err(StoreError::Unavailable(error.into()));
    };
    if service.is_conditional_check_failed_exception() {
        return Ok(Put::AlreadyThere);
    }
    let (region, code) = (
        table.region.clone(),
        service.code().unwrap_or_default().to_owned(),
    );
    let table = table.name.to_string();
    Err(match code.as_str() {
        "ResourceNotFoundException" => StoreError::NoTable { table, region },
        "AccessDeniedException"
        | "ExpiredTokenException"
        | "InvalidSignatureException"
        | "MissingAuthenticationTokenException"
        | "UnrecognizedClientException" => StoreError::AccessDenied {
            table,
            region,
            code,
        },
        "ProvisionedThroughputExceededException"
        | "RequestLimitExceeded"
        | "ThrottlingException" => StoreError::Throttled {
            table,
            region,
            code,
        },
        "ItemCollectionSizeLimitExceededException" | "ValidationException" => StoreError::Refused {
            table,
            region,
            code,
        },
        _ => StoreError::Unavailable(error.into()),
    })
}

fn sdk(value: &AttributeValue) -> Sdk {
    match value {
        AttributeValue::S(text) => Sdk::S(text.clone()),
        AttributeValue::N(number) => Sdk::N(number.to_string()),
        AttributeValue::B(bytes) => Sdk::B(Blob::new(bytes.clone())),
        AttributeValue::Bool(value) => Sdk::Bool(*value),
        AttributeValue::Null => Sdk::Null(true),
        AttributeValue::Ss(members) => Sdk::Ss(members.clone()),
        AttributeValue::Ns(members) => Sdk::Ns(members.iter().map(Number::to_string).collect()),
        AttributeValue::Bs(members) => Sdk::Bs(members.iter().cloned().map(Blob::new).collect()),
        AttributeValue::L(values) => Sdk::L(values.iter().map(sdk).collect()),
        AttributeValue::M(entries) => Sdk::M(
            entries
                .iter()
                .map(|(name, value)| (name.clone(), sdk(value)))
                .collect(),
        ),
    }
}
