//! Looks at many pools at once.

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, stream};
use tokio::sync::Mutex;

use crate::out::Progress;

/// The most pools at a time. The services' rate limits keep them few in any case.
const MOST: usize = 16;

/// Runs `look` for each input, several at a time; the results are in the inputs' order. `what`
/// is counted, such as `pools checked`.
pub(crate) async fn each<T, R, F>(
    inputs: Vec<T>,
    what: &'static str,
    look: impl Fn(T) -> F,
) -> Vec<R>
where
    F: Future<Output = R>,
{
    let progress = Progress::new(Some(inputs.len() as u64), what);
    let mut results = Vec::with_capacity(inputs.len());
    let mut looks = stream::iter(inputs).map(look).buffered(MOST);
    while let Some(result) = looks.next().await {
        results.push(result);
        progress.set(results.len() as u64);
    }
    progress.finish();
    results
}

/// What several pools share, such as their function's policy, looked at once.
pub(crate) struct Known<V>(Mutex<BTreeMap<String, V>>);

impl<V> Default for Known<V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<V: Clone> Known<V> {
    /// The value of `key`, which `look` finds out the first time.
    pub(crate) async fn get(&self, key: &str, look: impl Future<Output = V>) -> V {
        let mut known = self.0.lock().await;
        if let Some(value) = known.get(key) {
            return value.clone();
        }
        let value = look.await;
        known.insert(key.to_owned(), value.clone());
        value
    }
}
