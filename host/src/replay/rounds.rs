//! Goes through the dead letters of all pools in rounds, a batch of each pool at a time, so
//! that a pool with many of them does not hold up the others.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::blobs::{BlobError, Blobs, Condition, Key, Read};
use crate::dead_letters::DeadLetters;
use crate::event::UserPoolId;

/// The key of the position where the last run ended.
const POSITION: &str = "replay.json";
const MAX_POSITION_BYTES: u64 = 4 << 20;
/// The most dead letters of a pool before the next pool has its turn.
const BATCH: u16 = 100;

/// The rounds of one run. They begin where the last run ended, and end when each dead
/// letter had its turn once.
pub struct Rounds<'a> {
    dead_letters: &'a DeadLetters,
    pools: VecDeque<Turn>,
    position: Position,
}

/// Where a run ended.
#[derive(Default, Deserialize, Serialize)]
#[serde(default)]
struct Position {
    /// The pool that had the last turn.
    pool: String,
    /// The last dead letter of each pool that had only a part of its turns.
    after: BTreeMap<String, String>,
}

/// A pool that waits for its turn.
struct Turn {
    pool: UserPoolId,
    /// Where this run began with this pool; empty: at its first dead letter.
    began: String,
    after: String,
    /// Whether the last dead letter was reached, so that the first ones follow.
    wrapped: bool,
}

impl<'a> Rounds<'a> {
    /// Begins with the pool after the one that had the last turn.
    pub async fn begin(dead_letters: &'a DeadLetters) -> Result<Self, BlobError> {
        let position = Position::read(dead_letters.blobs()).await?;
        let mut pools = dead_letters.pools().await?;
        let first = pools.partition_point(|pool| pool.as_str() <= position.pool.as_str());
        pools.rotate_left(first);
        let turn = |pool: UserPoolId| {
            let began = position.after.get(pool.as_str());
            let began = began.cloned().unwrap_or_default();
            Turn {
                pool,
                after: began.clone(),
                began,
                wrapped: false,
            }
        };
        Ok(Self {
            dead_letters,
            pools: pools.into_iter().map(turn).collect(),
            position,
        })
    }

    /// The keys of the next batch; `None` if each dead letter had its turn.
    pub async fn next(&mut self) -> Result<Option<Vec<Key>>, BlobError> {
        while let Some(turn) = self.pools.pop_front() {
            let page = self.dead_letters.page(&turn.pool, &turn.after, BATCH);
            let mut keys: Vec<_> = page.await?.into_iter().map(|listed| listed.key).collect();
            if turn.wrapped {
                keys.retain(|key| key.as_str() <= turn.began.as_str());
            }
            let last = keys.last().filter(|_| keys.len() == usize::from(BATCH));
            self.end(turn, last);
            if !keys.is_empty() {
                return Ok(Some(keys));
            }
        }
        Ok(None)
    }

    /// Ends a pool's turn, after the key `last` if more may follow it.
    fn end(&mut self, turn: Turn, last: Option<&Key>) {
        let pool = turn.pool.to_string();
        let next = match last {
            Some(last) => Some(last.to_string()),
            None if !turn.wrapped && !turn.began.is_empty() => Some(String::new()),
            None => None,
        };
        if let Some(after) = next {
            self.position.after.insert(pool.clone(), after.clone());
            self.pools.push_back(Turn {
                wrapped: turn.wrapped || after.is_empty(),
                after,
                ..turn
            });
        } else {
            self.position.after.remove(&pool);
        }
        self.position.pool = pool;
    }

    /// The number of pools whose dead letters have not all had a turn.
    pub fn pools_left(&self) -> usize {
        self.pools.len()
    }

    /// Saves the position, where the next run begins.
    pub async fn save(&self) -> Result<(), BlobError> {
        let json = serde_json::to_vec(&self.position).unwrap_or_default();
        let put = self.dead_letters.blobs();
        put.put(&position_key(), json, Condition::Any).await?;
        Ok(())
    }
}

impl Position {
    /// A position that is missing or cannot be parsed is the beginning.
    async fn read(blobs: &dyn Blobs) -> Result<Self, BlobError> {
        Ok(
            match blobs.get(&position_key(), None, MAX_POSITION_BYTES).await {
                Ok(Read::Blob(blob)) => serde_json::from_slice(&blob.bytes).unwrap_or_default(),
                Ok(Read::Absent | Read::Unchanged) | Err(BlobError::TooLarge { .. }) => {
                    Self::default()
                }
                Err(error) => return Err(error),
            },
        )
    }
}

fn position_key() -> Key {
    Key::unchecked(POSITION.to_owned())
}
