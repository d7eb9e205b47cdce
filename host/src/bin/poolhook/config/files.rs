//! A pool's file and the defaults, as text.

use poolhook::config::{ConfigError, Expression, Mapping, Problem, Source};
use poolhook::event::UserPoolId;
use poolhook::host::Failure;
use poolhook::pools::Pools;

/// The files that configure a pool: path or URL, and text.
pub(crate) struct Files {
    own: (String, String),
    defaults: (String, String),
}

impl Files {
    pub(crate) async fn read(pools: &Pools, id: &UserPoolId) -> Result<Self, Failure> {
        Ok(Self {
            own: pools.own_file(id).await?,
            defaults: pools.defaults_file().await?,
        })
    }

    pub(super) fn own(&self) -> Source<'_> {
        source(&self.own)
    }

    pub(super) fn defaults(&self) -> Source<'_> {
        source(&self.defaults)
    }

    /// The mapping of a pool whose plugin is `fields`, with its warnings.
    pub(crate) fn mapping(&self) -> Result<(Mapping, Vec<Problem>), ConfigError> {
        Mapping::of_files(self.own(), self.defaults())
    }

    pub(crate) fn places(&self, mapping: &Mapping) -> Vec<Expression> {
        mapping.places(self.own(), self.defaults())
    }
}

fn source((file, text): &(String, String)) -> Source<'_> {
    Source { file, text }
}
