//! Mapping plugins: components of the world in `wit/`, run in a sandbox.
//!
//! A plugin gets a fresh store for each event and can import only its log. Fuel, which
//! gives the same count on every machine, stops it, or the wall clock if the fuel would
//! take too long. Every failure of a plugin is a [`PluginError`] with a name. Only this
//! module and those below it use `wasmtime`.

mod artifact;
mod code;
#[cfg(feature = "compiler")]
mod compiler;
#[cfg_attr(
    not(feature = "compiler"),
    expect(dead_code, reason = "a build without the compiler names no proposal")
)]
mod engine;
mod error;
mod sandbox;
mod slots;
#[cfg(feature = "compiler")]
mod validate;
mod wit;

use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::available_parallelism;
use std::time::{Duration, SystemTime};

use wasmtime::component::{Component, HasSelf, InstancePre, Linker};
use wasmtime::{Engine, Store};

use crate::config::{Limits, PluginName, Settings};
use crate::digest::Sha256;
use crate::event::PostConfirmation;
use crate::item::Item;
pub use artifact::{Artifact, ArtifactFiles};
use code::Embedded;
pub use error::PluginError;
pub use sandbox::LogLine;
use sandbox::Sandbox;
use wit::{Documents, Mapper, MapperIndices, Outcome, Parameters};
pub use wit::{Fields, WORLD};

/// The engine's name: wasmtime's version, and a hash of its settings. A host loads only
/// machine code that was compiled for the same engine.
pub const ENGINE: &str = env!("POOLHOOK_ENGINE");
/// The target that this host was built for, and that its plugins must be compiled for.
pub const TARGET: &str = env!("POOLHOOK_TARGET");

/// The largest answer that is read, whatever `limits.output-bytes` allows. DynamoDB's
/// largest items, of attributes with two bytes each, fit as wasmtime reads them.
const MAX_ANSWER_BYTES: usize = 8 << 20;

/// The wall clock's tick. A run is stopped within two ticks after its time limit.
const TICK_MS: u64 = 10;

/// A plugin that is part of this program.
pub struct Builtin {
    /// The plugin's name in a pool's config.
    pub name: &'static str,
    artifact: &'static Embedded,
    /// Whether an engine runs the code where it lies. wasmtime takes one place once; other
    /// engines, as tests have them, get a copy.
    is_taken: AtomicBool,
}

/// The built-in plugins, compiled by the build script: `default`, which writes
/// `<id, email>`, and `fields`, whose item is defined by the pool's settings.
pub static BUILTIN: [Builtin; 2] = [
    Builtin {
        name: "default",
        artifact: &Embedded(*include_bytes!(concat!(env!("OUT_DIR"), "/default.cwasm"))),
        is_taken: AtomicBool::new(false),
    },
    Builtin {
        name: "fields",
        artifact: &Embedded(*include_bytes!(concat!(env!("OUT_DIR"), "/fields.cwasm"))),
        is_taken: AtomicBool::new(false),
    },
];

/// Whether a built-in plugin has this name. No published plugin can have it.
pub fn is_builtin(name: &PluginName) -> bool {
    BUILTIN.iter().any(|builtin| builtin.name == name.as_str())
}

/// A mapping plugin, ready to run.
pub struct Plugin {
    name: PluginName,
    component: Option<Sha256>,
    artifact_bytes: u64,
    engine: Engine,
    instance: InstancePre<Sandbox>,
    exports: MapperIndices,
}

/// The result of one run.
#[derive(Debug)]
pub struct Run {
    /// The plugin's answer, or why the run failed.
    pub mapping: Result<Mapping, PluginError>,
    /// The fuel that the run used.
    pub fuel: u64,
    /// The plugin's linear memory at the end of the run, in bytes. Memory never
    /// shrinks, so this is also its peak.
    pub memory_bytes: usize,
    /// The lines that the plugin logged.
    pub log: Vec<LogLine>,
}

/// A plugin's answer for a user.
#[derive(Debug)]
pub enum Mapping {
    /// Write an item with these attributes.
    Put(Fields),
    /// Write nothing. Holds the plugin's reason, which may contain personal data.
    Skip(String),
}

impl Mapping {
    /// The item, if there is one and DynamoDB accepts it.
    pub(crate) fn into_item(self) -> Option<Item> {
        match self {
            Self::Put(fields) => fields.into_item().ok(),
            Self::Skip(_) => None,
        }
    }
}

impl Plugin {
    /// The plugin's name in a pool's config.
    pub fn name(&self) -> &PluginName {
        &self.name
    }

    /// The component's digest; `None` for a built-in plugin.
    pub fn component(&self) -> Option<Sha256> {
        self.component
    }

    /// The size of the plugin's machine code in bytes.
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
        store.set_hostcall_fuel(answer_bytes(limits));
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
        let instance = self
            .instance
            .instantiate(&mut *store)
            .map_err(|error| sandbox::classify(&error, limits))?;
        let mapper = self
            .exports
            .load(&mut *store, &instance)
            .map_err(|error| PluginError::wrong_world(&error))?;
        let parameters = Parameters::of(event, received);
        let outcome = mapper
            .poolhook_mapper_mapping()
            .call_to_item(store, parameters.user(), self.input(settings))
            .map_err(|error| sandbox::classify(&error, limits))?;
        match outcome {
            Ok(Outcome::Put(fields)) => {
                let documents = if self.name.evaluates() {
                    Documents::DynamoDb
                } else {
                    Documents::Plain
                };
                Ok(Mapping::Put(Fields::new(fields, documents)))
            }
            Ok(Outcome::Skip(reason)) => Ok(Mapping::Skip(reason)),
            Err(message) => Err(PluginError::Refused { message }),
        }
    }
}

impl Plugin {
    /// What the plugin receives as its settings: JSON; for `fields`, the program.
    fn input<'a>(&self, settings: &'a Settings) -> &'a str {
        let program = settings.program().filter(|_| self.name.evaluates());
        program.unwrap_or(settings.as_json())
    }
}

/// Loads plugins: the engine, its clock, and the imports that plugins are linked to.
pub struct Loader {
    engine: Engine,
    linker: Linker<Sandbox>,
}

impl Loader {
    /// Starts the engine, with instance slots for as many concurrent runs as there are
    /// processors. Create one per process: slots reserve address space.
    pub fn new() -> Result<Self, PluginError> {
        let runs = available_parallelism().map_or(1, |n| u32::try_from(n.get()).unwrap_or(1));
        Self::for_runs(runs)
    }

    /// Like [`Loader::new`], for a process that runs plugins on one thread. A run never
    /// yields, so there is only one at a time.
    pub fn for_one_thread() -> Result<Self, PluginError> {
        Self::for_runs(1)
    }

    fn for_runs(runs: u32) -> Result<Self, PluginError> {
        let mut config = engine::config(ENGINE).map_err(PluginError::engine)?;
        config.allocation_strategy(slots::for_runs(runs));
        code::in_place(&mut config);
        let engine = Engine::new(&config).map_err(PluginError::engine)?;
        let mut linker = Linker::new(&engine);
        Mapper::add_to_linker::<_, HasSelf<_>>(&mut linker, |sandbox| sandbox)
            .map_err(PluginError::engine)?;
        start_clock(&engine).map_err(PluginError::engine)?;
        Ok(Self { engine, linker })
    }

    /// Loads the built-in plugin with this name, if there is one.
    pub fn builtin(&self, name: &PluginName) -> Result<Option<Plugin>, PluginError> {
        let named = |builtin: &&Builtin| builtin.name == name.as_str();
        let Some(builtin) = BUILTIN.iter().find(named) else {
            return Ok(None);
        };
        let artifact = if builtin.is_taken.swap(true, Ordering::Relaxed) {
            Artifact::made_here(&builtin.artifact.0)
        } else {
            Artifact::embedded(builtin.artifact)
        };
        let component = self.deserialize(&artifact).map_err(PluginError::engine)?;
        let plugin = self.link(name.clone(), None, artifact.bytes(), &component)?;
        Ok(Some(plugin))
    }

    /// Loads the artifact of the component with the digest `component`. Rejects machine
    /// code for another engine or target.
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

    /// Compiles a component and loads it. This takes from milliseconds to minutes, so it
    /// is never done in the sign-up path.
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
        // A component that compiles but does not load is too large for a slot.
        let too_many = |error: wasmtime::Error| {
            PluginError::of_the_system(&error).unwrap_or_else(|| PluginError::TooManyParts {
                reason: format!("{error:#}"),
            })
        };
        let loaded = self.deserialize(artifact).map_err(too_many)?;
        self.link(name, Some(component), artifact.bytes(), &loaded)
    }

    /// The only function that loads machine code.
    fn deserialize(&self, artifact: &Artifact) -> wasmtime::Result<Component> {
        #[expect(unsafe_code, reason = "machine code has no safe way in")]
        // SAFETY: an `Artifact` is the output of poolhook's compiler: it comes from the
        // build script or from `precompile`, or its digest matches the one that
        // poolhook's publisher wrote into a release. Its file is in a folder to which
        // no other user may write. What is embedded is never written to.
        unsafe {
            match (artifact.file(), artifact.as_embedded()) {
                (Some(file), _) => Component::deserialize_file(&self.engine, file),
                (_, Some(code)) => Component::deserialize_raw(&self.engine, NonNull::from(code)),
                (None, None) => Component::deserialize(&self.engine, artifact.as_slice()),
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
        let exports = MapperIndices::new(&instance).map_err(wrong_world)?;
        Ok(Plugin {
            name,
            component: digest,
            artifact_bytes,
            engine: self.engine.clone(),
            instance,
            exports,
        })
    }
}

/// Compiles a component to machine code for this build's engine and target.
///
/// This takes from milliseconds to minutes, and an unbounded amount of memory. Compile
/// a component from outside in a process with its own limits.
#[cfg(feature = "compiler")]
pub fn precompile(component: &[u8]) -> Result<Vec<u8>, PluginError> {
    validate::validate(component)?;
    compiler::precompile(ENGINE, TARGET, component).map_err(|error| PluginError::NotAComponent {
        reason: format!("{error:#}"),
    })
}

/// Increments the engine's epoch at each tick, until the engine is dropped.
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

/// The largest answer of a run with these limits, in bytes of the host's memory.
fn answer_bytes(limits: &Limits) -> usize {
    limits.output_bytes.min(MAX_ANSWER_BYTES)
}

/// The ticks of a time limit, plus one because the first tick may come at once.
fn ticks(time_ms: u64) -> u64 {
    time_ms.div_ceil(TICK_MS) + 1
}
