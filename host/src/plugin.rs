//! Mapping plugins: components of the world in `wit/`, run in a sandbox.
//!
//! A plugin gets a fresh store for each event, imports nothing but its log, and
//! is stopped by fuel (the same count on every machine), or by the wall clock
//! where fuel alone would take too long. Whatever it does ends in a
//! [`PluginError`] with a name. `wasmtime` is known only below this module.

#[cfg(feature = "compiler")]
mod compiler;
mod engine;
mod error;
mod pool;
mod sandbox;
mod wit;

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use wasmtime::component::{Component, HasSelf, Linker};
use wasmtime::{Engine, Store};

use crate::config::{ConfigError, PluginName, PoolConfig};
use crate::event::PostConfirmation;
pub use error::PluginError;
use sandbox::Sandbox;
pub use sandbox::{Level, LogLine};
pub use wit::Fields;
use wit::{Mapper, MapperPre, Outcome};

/// The wall clock's tick. A run is stopped within two ticks after its time.
const TICK_MS: u64 = 10;

/// The default plugin's machine code, made by the build script.
static DEFAULT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/default.cwasm"));

/// The plugins that this host has, by name.
pub struct Plugins {
    #[cfg_attr(
        not(feature = "compiler"),
        expect(dead_code, reason = "nothing is loaded later")
    )]
    loader: Loader,
    loaded: HashMap<PluginName, Plugin>,
    /// The plugin that takes the place of all.
    for_all: Option<PluginName>,
}

impl Plugins {
    /// The built-in plugins: `default`.
    pub fn builtin() -> Result<Self, PluginError> {
        let loader = Loader::new()?;
        let name = PluginName::default();
        let default = loader
            .load_trusted_artifact(DEFAULT)
            .map_err(PluginError::engine)?;
        let default = loader.link(name.clone(), &default)?;
        Ok(Self {
            loader,
            loaded: HashMap::from([(name, default)]),
            for_all: None,
        })
    }

    /// The plugin of that name.
    pub fn get(&self, name: &PluginName) -> Result<&Plugin, ConfigError> {
        let name = self.for_all.as_ref().unwrap_or(name);
        self.loaded.get(name).ok_or_else(|| {
            let mut known: Vec<_> = self.loaded.keys().map(PluginName::as_str).collect();
            known.sort_unstable();
            ConfigError::UnknownPlugin {
                plugin: name.to_string(),
                known: known.join(", "),
            }
        })
    }

    /// Compiles a component and has it from now on, under `name`. Takes from
    /// milliseconds to minutes: never in the sign-up path.
    #[cfg(feature = "compiler")]
    pub fn compile(&mut self, name: PluginName, component: &[u8]) -> Result<(), PluginError> {
        let plugin = self.loader.compile(name.clone(), component)?;
        self.loaded.insert(name, plugin);
        Ok(())
    }

    /// Runs the plugin `name` in place of every other, for trying it out.
    pub fn use_for_all(&mut self, name: PluginName) {
        self.for_all = Some(name);
    }
}

/// A mapping plugin, ready to run.
pub struct Plugin {
    name: PluginName,
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

    /// Maps the user of an event that was received at `received`.
    pub fn run(&self, event: &PostConfirmation, received: SystemTime, pool: &PoolConfig) -> Run {
        let limits = &pool.limits;
        let mut store = Store::new(&self.engine, Sandbox::new(limits));
        store.limiter(|sandbox| sandbox);
        store.set_hostcall_fuel(limits.output_bytes);
        store.set_epoch_deadline(ticks(limits.time_ms));

        let mapping = self.map(&mut store, event, received, pool);
        Run {
            mapping,
            fuel: limits.fuel - store.get_fuel().unwrap_or_default(),
            log: store.into_data().log,
        }
    }

    fn map(
        &self,
        store: &mut Store<Sandbox>,
        event: &PostConfirmation,
        received: SystemTime,
        pool: &PoolConfig,
    ) -> Result<Mapping, PluginError> {
        let limits = &pool.limits;
        store.set_fuel(limits.fuel).map_err(PluginError::engine)?;
        let mapper = self.mapper.instantiate(&mut *store).map_err(|error| {
            match sandbox::name(&error, limits) {
                // Nothing has come out of it yet: its exports are of other types.
                PluginError::MalformedOutput => PluginError::wrong_world(&error),
                named => named,
            }
        })?;
        let user = wit::user(event, received);
        let outcome = mapper
            .poolhook_mapper_mapping()
            .call_to_item(store, &user, pool.settings.as_json())
            .map_err(|error| sandbox::name(&error, limits))?;
        match outcome {
            Ok(Outcome::Put(fields)) => Ok(Mapping::Put(Fields::new(fields))),
            Ok(Outcome::Skip(reason)) => Ok(Mapping::Skip(reason)),
            Err(message) => Err(PluginError::Refused { message }),
        }
    }
}

/// What loads plugins: the engine, its clock, and what it links them to.
struct Loader {
    engine: Engine,
    linker: Linker<Sandbox>,
}

impl Loader {
    fn new() -> Result<Self, PluginError> {
        let mut config = engine::config();
        config.allocation_strategy(pool::of_slots());
        let engine = Engine::new(&config).map_err(PluginError::engine)?;
        let mut linker = Linker::new(&engine);
        Mapper::add_to_linker::<_, HasSelf<_>>(&mut linker, |sandbox| sandbox)
            .map_err(PluginError::engine)?;
        start_clock(&engine).map_err(PluginError::engine)?;
        Ok(Self { engine, linker })
    }

    /// Loads machine code that this very build made. Code from anywhere else
    /// would run with the host's rights.
    fn load_trusted_artifact(&self, artifact: &[u8]) -> wasmtime::Result<Component> {
        #[expect(unsafe_code, reason = "machine code has no safe way in")]
        // SAFETY: the callers pass what this build's compiler has made, just now
        // or in the build script.
        unsafe {
            Component::deserialize(&self.engine, artifact)
        }
    }

    #[cfg(feature = "compiler")]
    fn compile(&self, name: PluginName, component: &[u8]) -> Result<Plugin, PluginError> {
        let invalid = |error| PluginError::NotAComponent {
            reason: format!("{error:#}"),
        };
        let artifact = compiler::precompile(env!("POOLHOOK_TARGET"), component).map_err(invalid)?;
        // What compiles and does not load is larger than a slot.
        let too_many = |error| PluginError::TooManyParts {
            reason: format!("{error:#}"),
        };
        let component = self.load_trusted_artifact(&artifact).map_err(too_many)?;
        self.link(name, &component)
    }

    fn link(&self, name: PluginName, component: &Component) -> Result<Plugin, PluginError> {
        let kind = component.component_type();
        let mut imports = kind.imports(&self.engine).map(|(import, _)| import);
        if let Some(import) = imports.find(|import| !wit::IMPORTS.contains(import)) {
            return Err(PluginError::ForbiddenImport {
                import: import.to_owned(),
            });
        }
        let wrong_world = |error| PluginError::wrong_world(&error);
        let instance = self
            .linker
            .instantiate_pre(component)
            .map_err(wrong_world)?;
        let mapper = MapperPre::new(instance).map_err(wrong_world)?;
        Ok(Plugin {
            name,
            engine: self.engine.clone(),
            mapper,
        })
    }
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
