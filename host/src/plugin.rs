//! Mapping plugins: components of the world in `wit/`, run in a sandbox.
//!
//! A plugin gets a fresh store for each event, imports nothing but its log, and
//! is stopped by fuel (the same count on every machine), or by the wall clock
//! where fuel alone would take too long. Whatever it does ends in a
//! [`PluginError`] with a name. `wasmtime` is known only below this module.

mod artifact;
#[cfg(feature = "compiler")]
mod compiler;
mod engine;
mod error;
mod pool;
mod sandbox;
#[cfg(feature = "compiler")]
mod validate;
mod wit;

use std::thread::available_parallelism;
use std::time::{Duration, SystemTime};

use wasmtime::component::{Component, HasSelf, Linker};
use wasmtime::{Engine, Store};

use crate::config::{Limits, PluginName, Settings};
use crate::digest::Sha256;
use crate::event::PostConfirmation;
pub use artifact::{Artifact, ArtifactFiles};
pub use error::PluginError;
use sandbox::Sandbox;
pub use sandbox::{Level, LogLine};
pub use wit::{Fields, WORLD};
use wit::{Mapper, MapperPre, Outcome};

/// The engine's name: wasmtime's version, and a hash of its settings. Machine
/// code loads where it was made for the same.
pub const ENGINE: &str = env!("POOLHOOK_ENGINE");
/// What this host was built for, and what its plugins must be compiled for.
pub const TARGET: &str = env!("POOLHOOK_TARGET");

/// The wall clock's tick. A run is stopped within two ticks after its time.
const TICK_MS: u64 = 10;

/// A plugin that is part of this program, with its machine code.
pub struct Builtin {
    /// Its name in a pool's config.
    pub name: &'static str,
    artifact: &'static [u8],
}

/// The plugins that are built in, as the build script has compiled them: the
/// default one, which writes `<id, email>`, and `fields`, for which the pool's
/// settings say the item.
pub static BUILTIN: [Builtin; 2] = [
    Builtin {
        name: "default",
        artifact: include_bytes!(concat!(env!("OUT_DIR"), "/default.cwasm")),
    },
    Builtin {
        name: "fields",
        artifact: include_bytes!(concat!(env!("OUT_DIR"), "/fields.cwasm")),
    },
];

/// Whether a built-in plugin has this name, so that no other can.
pub fn is_builtin(name: &PluginName) -> bool {
    BUILTIN.iter().any(|builtin| builtin.name == name.as_str())
}

/// A mapping plugin, ready to run.
pub struct Plugin {
    name: PluginName,
    component: Option<Sha256>,
    artifact_bytes: u64,
    engine: Engine,
    mapper: MapperPre<Sandbox>,
}

/// What came of one run.
#[derive(Debug)]
pub struct Run {
    /// What the plugin decided, or what stopped it.
    pub mapping: Result<Mapping, PluginError>,
    /// The fuel it used.
    pub fuel: u64,
    /// The linear memory that it had at its end, in bytes: as memory never
    /// shrinks, its most.
    pub memory_bytes: usize,
    /// The lines that it logged, up to its end.
    pub log: Vec<LogLine>,
}

/// What a plugin decided on a user.
#[derive(Debug)]
pub enum Mapping {
    /// Put these.
    Put(Fields),
    /// Write nothing, for this reason, in the plugin's words.
    Skip(String),
}

impl Plugin {
    /// The plugin's name.
    pub fn name(&self) -> &PluginName {
        &self.name
    }

    /// The component's digest; none for a built-in plugin.
    pub fn component(&self) -> Option<Sha256> {
        self.component
    }

    /// The size of its machine code.
    pub fn artifact_bytes(&self) -> u64 {
        self.artifact_bytes
    }

    /// Maps the user of an event that was received at `received`.
    pub fn run(
        &self,
        event: &PostConfirmation,
        received: SystemTime,
        settings: &Settings,
        limits: &Limits,
    ) -> Run {
        let mut store = Store::new(&self.engine, Sandbox::new(limits));
        store.limiter(|sandbox| sandbox);
        store.set_hostcall_fuel(limits.output_bytes);
        store.set_epoch_deadline(ticks(limits.time_ms));

        let mapping = self.map(&mut store, event, received, settings, limits);
        Run {
            mapping,
            fuel: limits.fuel - store.get_fuel().unwrap_or_default(),
            memory_bytes: store.data().memory_bytes(limits),
            log: store.into_data().log,
        }
    }

    fn map(
        &self,
        store: &mut Store<Sandbox>,
        event: &PostConfirmation,
        received: SystemTime,
        settings: &Settings,
        limits: &Limits,
    ) -> Result<Mapping, PluginError> {
        store.set_fuel(limits.fuel).map_err(PluginError::engine)?;
        let mapper = self.mapper.instantiate(&mut *store).map_err(|error| {
            match sandbox::classify(&error, limits) {
                // Nothing has come out of it yet: its exports are of other types.
                PluginError::MalformedOutput => PluginError::wrong_world(&error),
                named => named,
            }
        })?;
        let user = wit::user(event, received);
        let outcome = mapper
            .poolhook_mapper_mapping()
            .call_to_item(store, &user, settings.as_json())
            .map_err(|error| sandbox::classify(&error, limits))?;
        match outcome {
            Ok(Outcome::Put(fields)) => Ok(Mapping::Put(Fields::new(fields))),
            Ok(Outcome::Skip(reason)) => Ok(Mapping::Skip(reason)),
            Err(message) => Err(PluginError::Refused { message }),
        }
    }
}

/// What loads plugins: the engine, its clock, and what it links them to.
pub struct Loader {
    engine: Engine,
    linker: Linker<Sandbox>,
}

impl Loader {
    /// Starts the engine; once for a process, as it reserves room for instances: of
    /// as many runs at once as there are processors.
    pub fn new() -> Result<Self, PluginError> {
        let runs = available_parallelism().map_or(1, |n| u32::try_from(n.get()).unwrap_or(1));
        Self::for_runs(runs)
    }

    /// The same, for a process that runs plugins on one thread: a run never waits,
    /// so there is one at a time.
    pub fn for_one_thread() -> Result<Self, PluginError> {
        Self::for_runs(1)
    }

    fn for_runs(runs: u32) -> Result<Self, PluginError> {
        let mut config = engine::config(ENGINE).map_err(PluginError::engine)?;
        config.allocation_strategy(pool::of_slots(runs));
        let engine = Engine::new(&config).map_err(PluginError::engine)?;
        let mut linker = Linker::new(&engine);
        Mapper::add_to_linker::<_, HasSelf<_>>(&mut linker, |sandbox| sandbox)
            .map_err(PluginError::engine)?;
        start_clock(&engine).map_err(PluginError::engine)?;
        Ok(Self { engine, linker })
    }

    /// Loads the built-in plugin of that name, if there is one.
    pub fn builtin(&self, name: &PluginName) -> Result<Option<Plugin>, PluginError> {
        let named = |builtin: &&Builtin| builtin.name == name.as_str();
        let Some(builtin) = BUILTIN.iter().find(named) else {
            return Ok(None);
        };
        let artifact = Artifact::made_here(builtin.artifact);
        let component = self.deserialize(&artifact).map_err(PluginError::engine)?;
        let plugin = self.link(name.clone(), None, artifact.bytes(), &component)?;
        Ok(Some(plugin))
    }

    /// Loads the artifact of the component with the digest `component`. Code for
    /// another engine or target is refused.
    pub fn load(
        &self,
        name: PluginName,
        component: Sha256,
        artifact: &Artifact,
    ) -> Result<Plugin, PluginError> {
        let loaded = self.deserialize(artifact).map_err(|error| {
            PluginError::of_the_system(&error).unwrap_or_else(|| PluginError::OtherEngine {
                reason: format!("{error:#}"),
            })
        })?;
        self.link(name, Some(component), artifact.bytes(), &loaded)
    }

    /// Compiles a component and loads it. Takes from milliseconds to minutes:
    /// never in the sign-up path.
    #[cfg(feature = "compiler")]
    pub fn compile(&self, name: PluginName, component: &[u8]) -> Result<Plugin, PluginError> {
        let artifact = Artifact::made_here(precompile(component)?);
        self.load_compiled(name, Sha256::of(component), &artifact)
    }

    /// Loads what [`precompile`] has just made.
    #[cfg(feature = "compiler")]
    pub fn load_compiled(
        &self,
        name: PluginName,
        component: Sha256,
        artifact: &Artifact,
    ) -> Result<Plugin, PluginError> {
        // What compiles and does not load is larger than a slot.
        let too_many = |error: wasmtime::Error| {
            PluginError::of_the_system(&error).unwrap_or_else(|| PluginError::TooManyParts {
                reason: format!("{error:#}"),
            })
        };
        let loaded = self.deserialize(artifact).map_err(too_many)?;
        self.link(name, Some(component), artifact.bytes(), &loaded)
    }

    /// The one way in for machine code.
    fn deserialize(&self, artifact: &Artifact) -> wasmtime::Result<Component> {
        #[expect(unsafe_code, reason = "machine code has no safe way in")]
        // SAFETY: an `Artifact` is what poolhook's compiler has made: it comes
        // from the build script or from `precompile`, or its digest is the one
        // that poolhook's publisher has written into a release. A file of it is
        // in a folder where nobody else may write.
        unsafe {
            match artifact.file() {
                Some(file) => Component::deserialize_file(&self.engine, file),
                None => Component::deserialize(&self.engine, artifact.as_slice()),
            }
        }
    }

    fn link(
        &self,
        name: PluginName,
        digest: Option<Sha256>,
        artifact_bytes: u64,
        component: &Component,
    ) -> Result<Plugin, PluginError> {
        let kind = component.component_type();
        let imports: Vec<_> = kind.imports(&self.engine).map(|(name, _)| name).collect();
        let exports: Vec<_> = kind.exports(&self.engine).map(|(name, _)| name).collect();
        wit::check_names(&imports, &exports)?;
        let wrong_world = |error| PluginError::wrong_world(&error);
        let instance = self
            .linker
            .instantiate_pre(component)
            .map_err(wrong_world)?;
        let mapper = MapperPre::new(instance).map_err(wrong_world)?;
        Ok(Plugin {
            name,
            component: digest,
            artifact_bytes,
            engine: self.engine.clone(),
            mapper,
        })
    }
}

/// Compiles a component to machine code for this build's engine and target.
///
/// Takes from milliseconds to minutes, and memory without a bound: for a
/// component from outside, in a process with limits of its own.
#[cfg(feature = "compiler")]
pub fn precompile(component: &[u8]) -> Result<Vec<u8>, PluginError> {
    validate::validate(component)?;
    compiler::precompile(ENGINE, TARGET, component).map_err(|error| PluginError::NotAComponent {
        reason: format!("{error:#}"),
    })
}

/// Counts the engine's epoch up by one each tick, for as long as it lives.
fn start_clock(engine: &Engine) -> std::io::Result<()> {
    let engine = engine.weak();
    let tick = move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            std::thread::sleep(Duration::from_millis(TICK_MS));
        }
    };
    std::thread::Builder::new()
        .name("plugin-clock".into())
        .spawn(tick)?;
    Ok(())
}

/// The ticks of a time limit; one more, as the first may come at once.
fn ticks(time_ms: u64) -> u64 {
    time_ms.div_ceil(TICK_MS) + 1
}
