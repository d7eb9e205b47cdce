//! A cache within a budget of bytes, whose values have a TTL after which a caller
//! refreshes them.

use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use quick_cache::sync::{Cache as QuickCache, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};

use crate::timestamp::Timestamp;

/// Values by key. When the budget is spent, the least useful values are evicted.
pub(crate) struct Cache<K, V> {
    values: QuickCache<K, Arc<Cached<V>>, Bytes>,
    time_to_live: Duration,
}

/// A cached value, its weight, and when it was last checked.
pub(crate) struct Cached<V> {
    pub(crate) value: V,
    bytes: u64,
    /// When its last refresh was claimed, or else when it was loaded, in Unix milliseconds.
    checked: AtomicU64,
}

/// Weighs a value by its bytes.
#[derive(Clone)]
struct Bytes;

impl<K, V> Weighter<K, Arc<Cached<V>>> for Bytes {
    fn weight(&self, _: &K, cached: &Arc<Cached<V>>) -> u64 {
        cached.bytes
    }
}

impl<K: Clone + Eq + Hash, V> Cache<K, V> {
    /// A cache of at most `max_bytes`, for values of about `typical_bytes`.
    pub(crate) fn new(max_bytes: u64, typical_bytes: u64, time_to_live: Duration) -> Self {
        let items = usize::try_from(max_bytes / typical_bytes.max(1)).unwrap_or(usize::MAX);
        // With one shard, a value may be as large as the budget.
        let options = OptionsBuilder::new()
            .shards(1)
            .estimated_items_capacity(items.min(100_000))
            .weight_capacity(max_bytes)
            .build();
        let values = match options {
            Ok(options) => QuickCache::with_options(
                options,
                Bytes,
                DefaultHashBuilder::default(),
                DefaultLifecycle::default(),
            ),
            // Unreachable: all required options are set above.
            Err(_) => QuickCache::with_weighter(items.min(100_000), max_bytes, Bytes),
        };
        Self {
            values,
            time_to_live,
        }
    }

    /// Returns the value; if it is not cached, loads it once for all concurrent
    /// callers. `load` also returns the value's weight in bytes.
    pub(crate) async fn get_or_load<E, F: Future<Output = Result<(V, u64), E>>>(
        &self,
        key: &K,
        load: impl FnOnce() -> F,
    ) -> Result<Arc<Cached<V>>, E> {
        if let Some(cached) = self.values.get(key) {
            return Ok(cached);
        }
        // On the heap, because it is large and an event seldom needs it.
        let load = Box::pin(load());
        let load = async { load.await.map(Cached::new) };
        Box::pin(self.values.get_or_insert_async(key, load)).await
    }

    /// Returns the value if it is cached.
    pub(crate) fn peek(&self, key: &K) -> Option<Arc<Cached<V>>> {
        self.values.peek(key)
    }

    /// Returns true to one caller per TTL, once the value's TTL is over; that caller
    /// must refresh the value.
    pub(crate) fn claim_refresh(&self, key: &K) -> bool {
        let Some(cached) = self.values.peek(key) else {
            return false;
        };
        let now = now();
        let checked = cached.checked.load(Ordering::Relaxed);
        let age = now.checked_sub(checked).map(Duration::from_millis);
        // A clock that went backwards also causes a refresh.
        age.is_none_or(|age| age >= self.time_to_live)
            && cached
                .checked
                .compare_exchange(checked, now, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }

    /// Inserts a newer value, with its weight in bytes.
    pub(crate) fn replace(&self, key: &K, (value, bytes): (V, u64)) {
        self.values.insert(key.clone(), Cached::new((value, bytes)));
    }

    pub(crate) fn remove(&self, key: &K) {
        self.values.remove(key);
    }
}

impl<V> Cached<V> {
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

/// The wall clock: a monotonic clock may stand still while a Lambda function is
/// frozen between two events.
fn now() -> u64 {
    Timestamp::from(SystemTime::now()).as_millis()
}
