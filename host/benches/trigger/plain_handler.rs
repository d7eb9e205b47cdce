//! What a team would write by hand without poolhook: a handler for one pool, one table and
//! one fixed mapping. The benchmark compares `bootstrap` with it.
//!
//! Its setup is the same as `bootstrap`'s: the same runtime, the same SDK with similar
//! timeouts, the same conditional write, one log line per event. The rest is what poolhook
//! adds.
#![allow(clippy::print_stdout, reason = "Lambda logs what the process prints")]

use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_lambda_events::cognito::CognitoEventUserPoolsPostConfirmation;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};

type Event = CognitoEventUserPoolsPostConfirmation;

fn main() -> Result<(), Error> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(serve())
}

async fn serve() -> Result<(), Error> {
    let table = std::env::var("TABLE")?;
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(1))
        .operation_attempt_timeout(Duration::from_millis(1500))
        .operation_timeout(Duration::from_millis(3500));
    let config = aws_config::defaults(BehaviorVersion::latest())
        .timeout_config(timeouts.build())
        .retry_config(RetryConfig::standard())
        .load()
        .await;
    let dynamodb = Client::new(&config);
    run(service_fn(|event| handle(&dynamodb, &table, event))).await
}

async fn handle(dynamodb: &Client, table: &str, event: LambdaEvent<Event>) -> Result<Event, Error> {
    let LambdaEvent {
        payload, context, ..
    } = event;
    let id = payload
        .cognito_event_user_pools_header
        .user_name
        .clone()
        .ok_or("the event has no userName")?;
    let attributes = &payload.request.user_attributes;
    let email = attributes.get("email").ok_or("the user has no email")?;

    let put = dynamodb
        .put_item()
        .table_name(table)
        .item("id", AttributeValue::S(id))
        .item("email", AttributeValue::S(email.clone()))
        .condition_expression("attribute_not_exists(#key)")
        .expression_attribute_names("#key", "id")
        .send()
        .await;
    let outcome = match put {
        Ok(_) => "written",
        Err(error) => {
            let error = error.into_service_error();
            if !error.is_conditional_check_failed_exception() {
                return Err(error.into());
            }
            "already there"
        }
    };
    println!("{}: {outcome}", context.request_id);
    Ok(payload)
}
