//! The function that a schedule invokes: replays the dead letters whose last failure
//! was transient.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use lambda_runtime::{Context, Error, LambdaEvent, service_fn};
use poolhook::dead_letters::DeadLetters;
use poolhook::host::Host;
use poolhook::log::{self, Level};
use poolhook::replay::{Filter, ReplayOptions, Replayed, Rounds, replay};
use serde::de::IgnoredAny;
use serde_json::{Value, json};
use tokio::time::{MissedTickBehavior, interval};

use crate::Setup;

/// Dead letters per second, at most, so that replaying does not throttle a table that
/// has just recovered.
const RATE: u32 = 20;
/// The time that must be left to start another dead letter: one may take 10 s.
const TIME_PER_DEAD_LETTER: Duration = Duration::from_secs(15);

pub(crate) async fn serve(setup: Setup) -> Result<(), Error> {
    let dead_letters = setup
        .dead_letters
        .ok_or("POOLHOOK_BLOBS is not set, so there are no dead letters to replay")?;
    let (host, dead_letters) = (Arc::new(setup.host), Arc::new(dead_letters));
    lambda_runtime::run(service_fn(move |event: LambdaEvent<IgnoredAny>| {
        let (host, dead_letters) = (Arc::clone(&host), Arc::clone(&dead_letters));
        async move { Box::pin(replay_all(&host, &dead_letters, &event.context)).await }
    }))
    .await
}

/// Replays as many dead letters as the time allows; the next invocation continues.
async fn replay_all(
    host: &Host,
    dead_letters: &DeadLetters,
    context: &Context,
) -> Result<Value, Error> {
    let filter = Filter {
        retryable: true,
        ..Filter::default()
    };
    let mut pace = interval(Duration::from_secs(1) / RATE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let is_time_left = || {
        let time = context.deadline().duration_since(SystemTime::now());
        time.unwrap_or_default() >= TIME_PER_DEAD_LETTER
    };
    let mut rounds = Rounds::begin(dead_letters).await?;
    let (mut done, mut stay, mut differing, mut left) = (0, 0, 0, 0);
    while is_time_left() {
        let Some(batch) = rounds.next().await? else {
            break;
        };
        // While a pool's table fails, each of its dead letters may take 10 s. The other
        // pools' turns come first.
        let mut fails = false;
        for key in &batch {
            if fails || !is_time_left() {
                left += 1;
                continue;
            }
            let turn = async { _ = pace.tick().await };
            let how = ReplayOptions::default();
            match replay(host, dead_letters, key, &filter, how, turn).await {
                Replayed::Done(_) => done += 1,
                Replayed::Stays(report) => {
                    stay += 1;
                    differing += u32::from(report.differs());
                    println!("{}", report.log_line(&context.request_id));
                    fails = report.outcome.is_err_and(|failure| failure.is_retryable());
                }
                Replayed::Failed(error) => {
                    stay += 1;
                    let key = key.as_str();
                    let body = json!({ "deadLetter": key, "message": error.to_string() });
                    println!("{}", log::line(Level::Error, &body));
                }
                Replayed::Unreadable | Replayed::Gone | Replayed::PassedOver => {}
            }
        }
        rounds.save().await?;
    }
    let summary = json!({
        "done": done,
        "stay": stay,
        "differing": differing,
        "left": left,
        "poolsLeft": rounds.pools_left(),
    });
    println!(
        "{}",
        log::line(Level::Info, &json!({ "replayed": summary }))
    );
    Ok(summary)
}
