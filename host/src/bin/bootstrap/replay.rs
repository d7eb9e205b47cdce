//! The function that a schedule invokes: replays the dead letters whose last failure
//! was transient.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use lambda_runtime::{Context, Error, LambdaEvent, service_fn};
use poolhook::dead_letters::DeadLetters;
use poolhook::host::Host;
use poolhook::replay::{Filter, ReplayOptions, Replayed, replay};
use serde::de::IgnoredAny;
use serde_json::{Value, json};
use tokio::time::{MissedTickBehavior, interval};

use crate::Place;

/// Dead letters per second, at most, so that replaying does not throttle a table that
/// has just recovered.
const RATE: u32 = 20;
/// The time that must be left to start another dead letter: one may take 10 s.
const LAST_LETTER: Duration = Duration::from_secs(15);

pub(crate) async fn serve(place: Place) -> Result<(), Error> {
    let letters = place
        .letters
        .ok_or("POOLHOOK_BLOBS is not set, so there are no dead letters to replay")?;
    let (host, letters) = (Arc::new(place.host), Arc::new(letters));
    lambda_runtime::run(service_fn(move |event: LambdaEvent<IgnoredAny>| {
        let (host, letters) = (Arc::clone(&host), Arc::clone(&letters));
        async move { Box::pin(replay_all(&host, &letters, &event.context)).await }
    }))
    .await
}

/// Replays as many dead letters as the time allows; the next invocation continues.
async fn replay_all(host: &Host, letters: &DeadLetters, context: &Context) -> Result<Value, Error> {
    let filter = Filter {
        retryable: true,
        ..Filter::default()
    };
    let mut pace = interval(Duration::from_secs(1) / RATE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut done, mut stay, mut left) = (0, 0, 0);
    for listed in letters.list(None).await? {
        let time = context.deadline().duration_since(SystemTime::now());
        if time.unwrap_or_default() < LAST_LETTER {
            left += 1;
            continue;
        }
        pace.tick().await;
        match replay(host, letters, &listed.key, filter, ReplayOptions::default()).await {
            Replayed::Done(_) => done += 1,
            Replayed::Stays(report) => {
                stay += 1;
                println!("{}", report.log_line(&context.request_id));
            }
            Replayed::Failed(error) => {
                stay += 1;
                let key = listed.key.as_str();
                let message = error.to_string();
                println!(
                    "{}",
                    json!({ "level": "ERROR", "letter": key, "message": message })
                );
            }
            Replayed::Gone | Replayed::PassedOver => {}
        }
    }
    let summary = json!({ "done": done, "stay": stay, "left": left });
    println!("{}", json!({ "level": "INFO", "replayed": summary }));
    Ok(summary)
}
