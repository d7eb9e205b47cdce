//! Finds pools that could write the same row: they share a table, and their key templates
//! cannot tell their users apart.

use std::collections::BTreeMap;

use super::PoolConfig;
use crate::event::UserPoolId;

/// A pool's keys in a table: what is before and after the user's name.
struct Keys<'a> {
    before: String,
    after: String,
    /// The sort key, if it is the same for all of the pool's users.
    sort: Option<String>,
    pool: &'a UserPoolId,
    shared: bool,
}

/// For each pool that could write a row of another pool, that other pool; of several, one.
/// Pools that all have `shared = true` may.
pub fn shared_rows<'a>(
    pools: impl IntoIterator<Item = (&'a UserPoolId, &'a PoolConfig)>,
) -> BTreeMap<&'a UserPoolId, &'a UserPoolId> {
    let mut tables: BTreeMap<_, Vec<Keys<'a>>> = BTreeMap::new();
    for (pool, config) in pools {
        let (before, after) = config.key_equals.around_the_user(pool);
        let table = (&config.table.region, config.table.name.as_str());
        tables.entry(table).or_default().push(Keys {
            before,
            after,
            sort: config
                .sort_equals
                .as_ref()
                .and_then(|sort| sort.same_for_all(pool)),
            pool,
            shared: config.shared,
        });
    }
    let mut found = BTreeMap::new();
    for mut keys in tables.into_values() {
        // Sorted, each text is followed by all that begin with it.
        keys.sort_by(|one, other| one.before.cmp(&other.before));
        for (index, one) in keys.iter().enumerate() {
            let others = keys.iter().skip(index + 1);
            let others = others.take_while(|other| other.before.starts_with(&one.before));
            for other in others.filter(|other| one.collides_with(other)) {
                found.entry(one.pool).or_insert(other.pool);
                found.entry(other.pool).or_insert(one.pool);
            }
        }
    }
    found
}

impl Keys<'_> {
    /// Whether some users of both have one key. `other.before` begins with `self.before`,
    /// so that depends on what follows the name: any text may be in between.
    fn collides_with(&self, other: &Self) -> bool {
        let same_end = self.after.ends_with(&other.after) || other.after.ends_with(&self.after);
        let sorts_differ = self.sort.is_some() && other.sort.is_some() && self.sort != other.sort;
        same_end && !sorts_differ && !(self.shared && other.shared)
    }
}
