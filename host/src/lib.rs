//! poolhook: one host for the Post Confirmation trigger of any number of
//! Cognito user pools.

pub mod config;
pub mod event;
pub mod item;
pub mod plugin;
pub mod store;
