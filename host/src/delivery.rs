//! The input of a host: an event's bytes, or a user from another source.

use std::borrow::Cow;
use std::time::SystemTime;

use tokio::time::Instant;

use crate::config::{PluginRef, PoolConfig, WriteMode};
use crate::digest::Sha256;
use crate::event::PostConfirmation;

/// An event to write.
#[derive(Clone, Copy, Debug)]
pub struct Delivery<'a> {
    /// The event's bytes, which are also the trigger's answer.
    pub raw: &'a [u8],
    /// When the event was received.
    pub received: SystemTime,
    /// The deadline.
    pub until: Instant,
}

/// A user whose item to write.
#[derive(Clone, Copy, Debug)]
pub struct User<'a> {
    /// The event that describes the user.
    pub event: &'a PostConfirmation,
    /// When the event was received.
    pub received: SystemTime,
    /// The deadline.
    pub until: Instant,
    /// The component to map with instead of the one that the pool's config names.
    pub component: Option<Sha256>,
    /// How to write, if not as the pool's config says.
    pub write: Option<WriteMode>,
}

impl<'a> User<'a> {
    /// A user who is mapped and written as the pool's config says.
    pub fn new(event: &'a PostConfirmation, received: SystemTime, until: Instant) -> Self {
        Self {
            event,
            received,
            until,
            component: None,
            write: None,
        }
    }

    /// The pool's plugin, pinned if the user names a component.
    pub(crate) fn plugin<'b>(&self, pool: &'b PoolConfig) -> Cow<'b, PluginRef> {
        let pinned = |pin| PluginRef {
            name: pool.plugin.name.clone(),
            pin: Some(pin),
        };
        let of_the_pool = Cow::Borrowed(&pool.plugin);
        self.component
            .map_or(of_the_pool, |pin| Cow::Owned(pinned(pin)))
    }
}
