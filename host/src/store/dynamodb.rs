//! DynamoDB. The only file that uses its SDK.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{
    AttributeValue as Sdk, ReturnValuesOnConditionCheckFailure as ReturnOld,
};
#[cfg(feature = "cli")]
use aws_sdk_dynamodb::types::{KeySchemaElement, KeyType, TableDescription};
use tokio::time::{Instant, timeout_at};

use super::{BoxFuture, Existing, ItemStore, Put, RefusedAttribute, StoreError};
#[cfg(feature = "cli")]
use super::{KeySchema, Shape};
use crate::aws::{self, Limits, SdkConfig};
use crate::config::{Table, WriteMode};
#[cfg(feature = "cli")]
use crate::item::Key;
use crate::item::{AttributeValue, Item, Number};

/// After this time, a retry is more likely to succeed.
const CONNECT: Duration = Duration::from_secs(1);
const ATTEMPT: Duration = Duration::from_millis(1400);
/// Retries of a throttled table start early and are few, as the caller has only a few
/// seconds in all.
const ATTEMPTS: u32 = 6;
const FIRST_BACKOFF: Duration = Duration::from_millis(50);
const LAST_BACKOFF: Duration = Duration::from_millis(500);

/// The tables of an account, in all regions.
pub struct DynamoDb {
    shared: SdkConfig,
    /// One client per region, created at its first use.
    clients: Mutex<HashMap<String, Client>>,
}

impl DynamoDb {
    /// Uses the credentials and endpoint of this config.
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
        let limits = Limits {
            connect: CONNECT,
            attempt: ATTEMPT,
            retries: RetryConfig::standard()
                .with_max_attempts(ATTEMPTS)
                .with_initial_backoff(FIRST_BACKOFF)
                .with_max_backoff(LAST_BACKOFF),
        };
        let client = Client::new(&aws::client_config(&self.shared, limits, Some(region)));
        clients.insert(region.to_owned(), client.clone());
        client
    }
}

impl ItemStore for DynamoDb {
    fn name(&self) -> String {
        "DynamoDB".to_owned()
    }

    fn put<'a>(
        &'a self,
        table: &'a Table,
        item: &'a Item,
        write: WriteMode,
        until: Instant,
    ) -> BoxFuture<'a, Put> {
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
        if write == WriteMode::Create {
            request = request
                .condition_expression("attribute_not_exists(#key)")
                .expression_attribute_names("#key", &table.partition_key)
                .return_values_on_condition_check_failure(ReturnOld::AllOld);
        }
        Box::pin(async move {
            match timeout_at(until, request.send()).await {
                Ok(Ok(_)) => Ok(Put::Written),
                Ok(Err(error)) => not_written(table, item, error),
                Err(_) => Err(late(table)),
            }
        })
    }
}

#[cfg(feature = "cli")]
impl DynamoDb {
    /// The write capacity units per second that a table is provisioned with; `None` for a
    /// table with on-demand capacity.
    pub async fn write_capacity(&self, table: &Table) -> Result<Option<u64>, StoreError> {
        let described = self.describe(table).await?;
        let units = described.provisioned_throughput;
        let units = units.and_then(|provisioned| provisioned.write_capacity_units);
        Ok(units.and_then(|n| u64::try_from(n).ok()).filter(|n| *n > 0))
    }

    /// The keys of a table and of its indexes.
    pub async fn shape(&self, table: &Table) -> Result<Shape, StoreError> {
        let described = self.describe(table).await?;
        let kind = |name: &str| {
            let definitions = described.attribute_definitions().iter();
            let mut kinds = definitions.filter(|each| each.attribute_name() == name);
            let kind = kinds.next().map(|each| each.attribute_type().as_str());
            kind.unwrap_or_default().to_owned()
        };
        let schema = |elements: &[KeySchemaElement]| {
            let of = |role: &KeyType| {
                let element = elements.iter().find(|each| each.key_type() == role)?;
                let name = element.attribute_name();
                Some((name.to_owned(), kind(name)))
            };
            Some(KeySchema {
                partition: of(&KeyType::Hash)?,
                sort: of(&KeyType::Range),
            })
        };
        let key = schema(described.key_schema()).ok_or_else(|| {
            StoreError::Unavailable("DescribeTable answered without a key".into())
        })?;
        let global = described.global_secondary_indexes().iter();
        let global = global.map(|index| (index.index_name(), index.key_schema()));
        let local = described.local_secondary_indexes().iter();
        let local = local.map(|index| (index.index_name(), index.key_schema()));
        let indexes = global.chain(local).filter_map(|(name, elements)| {
            Some((name.unwrap_or_default().to_owned(), schema(elements)?))
        });
        Ok(Shape {
            key,
            indexes: indexes.collect(),
        })
    }

    async fn describe(&self, table: &Table) -> Result<TableDescription, StoreError> {
        let request = self.client(&table.region).describe_table();
        let answer = request.table_name(table.name.as_str()).send().await;
        let answer = answer.map_err(|error| failed("DescribeTable", table, error))?;
        let missing = || StoreError::Unavailable("DescribeTable answered without a table".into());
        answer.table.ok_or_else(missing)
    }
}

#[cfg(feature = "cli")]
impl super::ItemReader for DynamoDb {
    fn compare<'a>(
        &'a self,
        table: &'a Table,
        item: &'a Item,
        until: Instant,
    ) -> BoxFuture<'a, Option<Existing>> {
        let key = item.key(&table.partition_key, table.sort_key.as_deref());
        let request = self
            .client(&table.region)
            .get_item()
            .table_name(table.name.as_str())
            .set_key(key.map(|key| sdk_key(table, key)))
            .consistent_read(true);
        Box::pin(async move {
            let answer = timeout_at(until, request.send()).await;
            let answer = answer.map_err(|_| late(table))?;
            let answer = answer.map_err(|error| failed("GetItem", table, error))?;
            Ok(answer.item.map(|there| {
                attributes(&there)
                    .map_or(Existing::Unknown, |there| Existing::compare(&there, item))
            }))
        })
    }

    fn keys<'a>(
        &'a self,
        table: &'a Table,
        after: Option<Key>,
        limit: u16,
    ) -> BoxFuture<'a, super::Keys> {
        let mut request = self
            .client(&table.region)
            .scan()
            .table_name(table.name.as_str())
            .projection_expression("#key")
            .expression_attribute_names("#key", &table.partition_key)
            .set_exclusive_start_key(after.map(|key| sdk_key(table, key)))
            .limit(limit.into())
            .consistent_read(true);
        if let Some(sort_key) = &table.sort_key {
            request = request
                .projection_expression("#key, #sort")
                .expression_attribute_names("#sort", sort_key);
        }
        Box::pin(async move {
            let answer = request.send().await;
            let answer = answer.map_err(|error| failed("Scan", table, error))?;
            let key = |item: &HashMap<String, Sdk>| {
                Some(Key {
                    partition: item.get(&table.partition_key)?.as_s().ok()?.clone(),
                    sort: match &table.sort_key {
                        Some(sort_key) => Some(own(item.get(sort_key)?)?),
                        None => None,
                    },
                })
            };
            Ok(super::Keys {
                next: answer.last_evaluated_key().and_then(key),
                keys: answer.items().iter().filter_map(key).collect(),
            })
        })
    }
}

/// A failed condition is an outcome; everything else is an error, classified by
/// DynamoDB's [code][doc].
///
/// [doc]: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
fn not_written<R>(
    table: &Table,
    item: &Item,
    error: SdkError<PutItemError, R>,
) -> Result<Put, StoreError>
where
    R: std::fmt::Debug + Send + Sync + 'static,
{
    let service = error.as_service_error();
    if let Some(PutItemError::ConditionalCheckFailedException(failed)) = service {
        let there = failed.item().and_then(attributes);
        let existing = there.map_or(Existing::Unknown, |there| Existing::compare(&there, item));
        return Ok(Put::AlreadyThere(existing));
    }
    let mut failed = failed("PutItem", table, error);
    if let StoreError::Refused {
        attribute, message, ..
    } = &mut failed
    {
        *attribute = refused_attribute(message, table, item).map(Box::new);
    }
    Err(failed)
}

/// The attribute that DynamoDB's text calls a key, as in `Type mismatch for key id` and
/// `IndexKey: email`. Only for people: nothing depends on it.
fn refused_attribute(message: &str, table: &Table, item: &Item) -> Option<RefusedAttribute> {
    let keys = [Some(&table.partition_key), table.sort_key.as_ref()];
    let names = keys.into_iter().flatten().chain(item.attributes().keys());
    let is_named = |name: &&String| {
        let mut after = message.match_indices("ey").filter_map(|(at, _)| {
            let rest = message.get(at + 2..)?.trim_start_matches(':');
            rest.strip_prefix(' ')?.strip_prefix(name.as_str())
        });
        after.any(|rest| !rest.starts_with(|c: char| c.is_alphanumeric()))
    };
    // Of `a` and `a b`, the longer.
    let longest = names.filter(is_named).max_by_key(|name| name.len())?;
    Some(RefusedAttribute::new(longest, item))
}

fn failed<E, R>(action: &'static str, table: &Table, error: SdkError<E, R>) -> StoreError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    let service = error.as_service_error();
    let code = aws::code_of(service.and_then(|error| error.meta().code()), &error);
    let region = table.region.clone();
    let table = table.name.to_string();
    match code.as_str() {
        "ResourceNotFoundException" => StoreError::NoTable { table, region },
        denied if aws::denies_access(denied) => StoreError::AccessDenied {
            action,
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
        "ItemCollectionSizeLimitExceededException" | "ValidationException" => {
            let service = error.as_service_error();
            let message = service.and_then(|error| error.meta().message());
            StoreError::Refused {
                table,
                region,
                code,
                attribute: None,
                message: message.unwrap_or_default().into(),
            }
        }
        _ => StoreError::Unavailable(error.into()),
    }
}

fn late(table: &Table) -> StoreError {
    StoreError::Timeout {
        table: table.name.to_string(),
        region: table.region.clone(),
    }
}

#[cfg(feature = "cli")]
fn sdk_key(table: &Table, key: Key) -> HashMap<String, Sdk> {
    let partition = (table.partition_key.clone(), Sdk::S(key.partition));
    let sort = table.sort_key.clone().zip(key.sort);
    let sort = sort.map(|(name, value)| (name, sdk(&value)));
    [partition].into_iter().chain(sort).collect()
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

/// Converts an item from the SDK's type; `None` if it has a value that is not valid.
fn attributes(item: &HashMap<String, Sdk>) -> Option<BTreeMap<String, AttributeValue>> {
    let attribute = |(name, value): (&String, &Sdk)| Some((name.clone(), own(value)?));
    item.iter().map(attribute).collect()
}

fn own(value: &Sdk) -> Option<AttributeValue> {
    let number = |text: &String| Number::parse(text).ok();
    Some(match value {
        Sdk::S(text) => AttributeValue::S(text.clone()),
        Sdk::N(text) => AttributeValue::N(number(text)?),
        Sdk::B(bytes) => AttributeValue::B(bytes.as_ref().to_vec()),
        Sdk::Bool(value) => AttributeValue::Bool(*value),
        Sdk::Null(_) => AttributeValue::Null,
        Sdk::Ss(members) => AttributeValue::Ss(members.clone()),
        Sdk::Ns(members) => AttributeValue::Ns(members.iter().map(number).collect::<Option<_>>()?),
        Sdk::Bs(members) => {
            AttributeValue::Bs(members.iter().map(|b| b.as_ref().to_vec()).collect())
        }
        Sdk::L(values) => AttributeValue::L(values.iter().map(own).collect::<Option<_>>()?),
        Sdk::M(entries) => AttributeValue::M(attributes(entries)?),
        _ => return None,
    })
}
