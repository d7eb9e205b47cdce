//! What is handed to a host: an event, or a user of whom there is one.

use std::borrow::Cow;
use std::time::SystemTime;

use tokio::time::Instant;

use crate::config::{PluginRef, PoolConfig, Write};
use crate::digest::Sha256;
use crate::event::PostConfirmation;

/// An event that is to be written.
#[derive(Clone, Copy, Debug)]
pub struct Delivery<'a> {
    /// Its bytes. They are the trigger's answer, too.
    pub raw: &'a [u8],
    /// When it was received.
    pub received: SystemTime,
    /// When its time is over.
    pub until: Instant,
}

/// A user whose item is to be written.
#[derive(Clone, Copy, Debug)]
pub struct User<'a> {
    /// The event that says who it is.
    pub event: &'a PostConfirmation,
    /// When the event was received.
    pub received: SystemTime,
    /// When its time is over.
    pub until: Instant,
    /// The component to map with; without one, the one that the pool's config names.
    pub component: Option<Sha256>,
    /// How to write; without it, as the pool's config says.
    pub write: Option<Write>,
}

impl<'a> User<'a> {
    /// A user who is written as its pool's config says.
    pub fn new(event: &'a PostConfirmation, received: SystemTime, until: Instant) -> Self {
        Self {
            event,
            received,
            until,
            component: None,
            write: None,
        }
    }

    /// The plugin of its pool, pinned where the user names a component.
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
