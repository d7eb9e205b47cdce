//! What calls the publisher: S3's notifications, by themselves or through `EventBridge`.

use std::time::{Duration, UNIX_EPOCH};

use aws_lambda_events::s3::S3Event;
use percent_encoding::percent_decode_str;
use poolhook::text::shown;
use poolhook::timestamp::Timestamp;
use serde::Deserialize;
use serde_json::Value;

/// An object that was written.
pub(crate) struct Written {
    pub(crate) bucket: String,
    pub(crate) key: String,
    /// When S3 had written it.
    pub(crate) at: Timestamp,
}

/// Not a notification about written objects.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unread {
    /// The [test][doc] that S3 sends when a bucket's notifications are configured.
    ///
    /// [doc]: https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
    #[error("S3's test event: notifications arrive")]
    Test,
    #[error(
        "neither a notification of S3 nor an `Object Created` event of EventBridge, but {shape}; the bucket must notify the publisher itself"
    )]
    Unknown { shape: String },
}

/// The objects of which an event tells.
pub(crate) fn parse(event: &Value) -> Result<Vec<Written>, Unread> {
    if event["Event"] == "s3:TestEvent" {
        return Err(Unread::Test);
    }
    let unknown = || Unread::Unknown {
        shape: shape(event),
    };
    if let Ok(S3Event { records, .. }) = S3Event::deserialize(event) {
        let written = records.into_iter().map(|record| {
            let millis = u64::try_from(record.event_time.timestamp_millis()).ok()?;
            Some(Written {
                bucket: record.s3.bucket.name?,
                key: decoded(&record.s3.object.key?)?,
                at: (UNIX_EPOCH + Duration::from_millis(millis)).into(),
            })
        });
        return written.collect::<Option<_>>().ok_or_else(unknown);
    }
    let created = Created::deserialize(event).map_err(|_| unknown())?;
    if created.kind != "Object Created" || created.source != "aws.s3" {
        return Err(unknown());
    }
    Ok(vec![Written {
        bucket: created.detail.bucket.name,
        key: created.detail.object.key,
        at: created.time,
    }])
}

/// An [event][doc] of `EventBridge`, which does not encode keys.
///
/// [doc]: https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
#[derive(Deserialize)]
struct Created {
    source: String,
    #[serde(rename = "detail-type")]
    kind: String,
    time: Timestamp,
    detail: Detail,
}

#[derive(Deserialize)]
struct Detail {
    bucket: Bucket,
    object: Object,
}

#[derive(Deserialize)]
struct Bucket {
    name: String,
}

#[derive(Deserialize)]
struct Object {
    key: String,
}

/// S3's notifications encode keys as in a form.
fn decoded(key: &str) -> Option<String> {
    let key = key.replace('+', " ");
    let key = percent_decode_str(&key).decode_utf8().ok()?;
    Some(key.into_owned())
}

/// What an event looks like, without its values.
fn shape(event: &Value) -> String {
    match event {
        Value::Object(entries) if entries.is_empty() => "an empty object".to_owned(),
        Value::Object(entries) => {
            let names: Vec<_> = entries.keys().map(String::as_str).collect();
            format!("an object with {}", shown(&names.join(", ")))
        }
        Value::Array(_) => "a list".to_owned(),
        Value::Null => "nothing".to_owned(),
        _ => "a text, number or boolean".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Unread, parse};

    #[test]
    fn objects_of_s3_and_of_eventbridge() {
        let s3 = json!({ "Records": [{
            "eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "eu-west-1",
            "eventTime": "2026-11-23T09:06:52.045Z", "eventName": "ObjectCreated:Put",
            "userIdentity": { "principalId": "A" },
            "requestParameters": { "sourceIPAddress": "127.0.0.1" },
            "responseElements": { "x-amz-request-id": "A", "x-amz-id-2": "B" },
            "s3": {
                "s3SchemaVersion": "1.0", "configurationId": "uploads",
                "bucket": { "name": "b", "arn": "arn:aws:s3:::b" },
                "object": { "key": "uploads/acme/v+2%2B.wasm", "size": 3, "eTag": "e" },
            },
        }]});
        let eventbridge = json!({
            "version": "0", "id": "1", "detail-type": "Object Created", "source": "aws.s3",
            "account": "1", "time": "2026-11-23T09:06:52Z", "region": "eu-west-1",
            "resources": [],
            "detail": { "version": "0", "bucket": { "name": "b" },
                        "object": { "key": "uploads/acme/v 2+.wasm", "size": 3 } },
        });
        for (event, at) in [
            (s3, "2026-11-23T09:06:52.045Z"),
            (eventbridge, "2026-11-23T09:06:52.000Z"),
        ] {
            let written = parse(&event).unwrap();
            let [object] = &written[..] else {
                panic!("one object");
            };
            assert_eq!(object.bucket, "b");
            assert_eq!(object.key, "uploads/acme/v 2+.wasm");
            assert_eq!(object.at.to_string(), at);
        }
    }

    #[test]
    fn anything_else_is_an_error_that_says_its_shape() {
        let test = json!({ "Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "b" });
        assert!(matches!(parse(&test), Err(Unread::Test)));
        for (event, shape) in [
            (json!({ "records": [] }), "an object with records"),
            (
                json!({ "Records": [{ "s3": {} }] }),
                "an object with Records",
            ),
            (
                json!({ "source": "aws.s3", "detail-type": "Object Deleted", "time": "2026-11-23T09:06:52Z",
                        "detail": { "bucket": { "name": "b" }, "object": { "key": "k" } } }),
                "an object with detail, detail-type, source, time",
            ),
            (json!({}), "an empty object"),
            (json!([]), "a list"),
            (Value::Null, "nothing"),
            (json!("x"), "a text, number or boolean"),
        ] {
            let error = parse(&event).err().unwrap().to_string();
            assert!(error.contains(&format!("but {shape};")), "{error}");
        }
    }
}
