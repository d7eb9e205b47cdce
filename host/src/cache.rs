//! What was read from blobs, kept within a budget of bytes and looked at again
//! from time to time.

use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use quick_cache::sync::{Cache as QuickCache, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};

use crate::timestamp::Timestamp;

/// Values by key. The least useful ones go when the budget is spent.
pub(crate) struct Cache<K, V> {
    kept: QuickCache<K, Arc<Kept<V>>, Bytes>,
    time_to_live: Duration,
}

/// A value, and what is known of it.
pub(crate) struct Kept<V> {
    pub(crate) value: V,
    bytes: u64,
    /// When it was last compared with its origin, or that was begun.
    checked: AtomicU64,
}

/// What a value weighs.
#[derive(Clone)]
struct Bytes;

impl<K, V> Weighter<K, Arc<Kept<V>>> for Bytes {
    fn weight(&self, _: &K, kept: &Arc<Kept<V>>) -> u64 {
        kept.bytes
    }
}

impl<K: Clone + Eq + Hash, V> Cache<K, V> {
    /// A cache of so many bytes, for values of some `typical_bytes`.
    pub(crate) fn new(max_bytes: u64, typical_bytes: u64, time_to_live: Duration) -> Self {
        let items = usize::try_from(max_bytes / typical_bytes.max(1)).unwrap_or(usize::MAX);
        // In one shard: a value may then be as large as the budget itself.
        let options = OptionsBuilder::new()
            .shards(1)
            .estimated_items_capacity(items.min(100_000))
            .weight_capacity(max_bytes)
            .build();
        let kept = match options {
            Ok(options) => QuickCache::with_options(
                options,
                Bytes,
                DefaultHashBuilder::default(),
                DefaultLifecycle::default(),
            ),
            // All that it asks for is given above.
            Err(_) => QuickCache::with_weighter(items.min(100_000), max_bytes, Bytes),
        };
        Self { kept, time_to_live }
    }

    /// The value, loaded if it is not here: once, however many ask at a time.
    /// `load` also tells the value's bytes.
    pub(crate) async fn get_or_load<E, F: Future<Output = Result<(V, u64), E>>>(
        &self,
        key: &K,
        load: impl FnOnce() -> F,
    ) -> Result<Arc<Kept<V>>, E> {
        if let Some(kept) = self.kept.get(key) {
            return Ok(kept);
        }
        // On the heap, as it is large and an event seldom needs it.
        let load = Box::pin(load());
        let load = async { load.await.map(Kept::new) };
        Box::pin(self.kept.get_or_insert_async(key, load)).await
    }

    /// The value, if it is here.
    pub(crate) fn peek(&self, key: &K) -> Option<Arc<Kept<V>>> {
        self.kept.peek(key)
    }

    /// Returns true to one caller per TTL, once the value's TTL is over; that caller
    /// must look for a newer one.
    pub(crate) fn claim_refresh(&self, key: &K) -> bool {
        let Some(kept) = self.kept.peek(key) else {
            return false;
        };
        let now = now();
        let checked = kept.checked.load(Ordering::Relaxed);
        let age = now.checked_sub(checked).map(Duration::from_millis);
        // A clock that went back is as good a reason as any.
        age.is_none_or(|age| age >= self.time_to_live)
            && kept
                .checked
                .compare_exchange(checked, now, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }

    /// Puts a newer value in place of the one that is here.
    pub(crate) fn replace(&self, key: &K, (value, bytes): (V, u64)) {
        self.kept.insert(key.clone(), Kept::new((value, bytes)));
    }

    pub(crate) fn remove(&self, key: &K) {
        self.kept.remove(key);
    }
}

impl<V> Kept<V> {
    /// What it weighs.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    fn new((value, bytes): (V, u64)) -> Arc<Self> {
        Arc::new(Self {
            value,
            bytes,
            checked: AtomicU64::new(now()),
        })
    }
}

/// The wall clock: a Lambda function that sleeps between two events would not
/// notice by another one.
fn now() -> u64 {
    Timestamp::from(SystemTime::now()).as_millis()
}
