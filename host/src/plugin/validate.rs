//! Validates a component from outside before wasmtime compiles it.

use wasmtime::wasmparser::{BinaryReaderError, Parser, Validator, WasmFeatures};

use super::PluginError;
use super::engine::{self, Proposal};

/// Checks that the bytes are a component that is valid with only the enabled proposals.
pub(super) fn validate(component: &[u8]) -> Result<(), PluginError> {
    let not_a_component = |reason| PluginError::NotAComponent { reason };
    if Parser::is_core_wasm(component) {
        return Err(not_a_component("it is a core module".to_owned()));
    }
    // The validator's error for other bytes is a dump of several lines.
    if !Parser::is_component(component) {
        let reason = "it does not start with the header of a component";
        return Err(not_a_component(reason.to_owned()));
    }
    if validate_with(engine::allowed(), component).is_ok() {
        return Ok(());
    }
    validate_with(WasmFeatures::all(), component)
        .map_err(|error| not_a_component(error.to_string()))?;
    let features = needed(component).map(|proposal| proposal.name).collect();
    Err(PluginError::NeedsFeature { features })
}

/// The disabled proposals that the component needs, given that it is valid with all
/// proposals enabled.
fn needed(component: &[u8]) -> impl Iterator<Item = &'static Proposal> {
    let off = || engine::PROPOSALS.iter().filter(|each| !each.allowed);
    let needed = off().fold(WasmFeatures::all(), |needed, proposal| {
        let fewer = needed - proposal.feature;
        match validate_with(fewer, component) {
            Ok(()) => fewer,
            Err(_) => needed,
        }
    });
    off().filter(move |proposal| needed.contains(proposal.feature))
}

fn validate_with(features: WasmFeatures, component: &[u8]) -> Result<(), BinaryReaderError> {
    let mut validator = Validator::new_with_features(features);
    validator.validate_all(component).map(drop)
}
