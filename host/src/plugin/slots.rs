//! Instance slots, which are allocated at startup. A fresh instance in a slot is twice
//! as fast as one on demand, and the slots add about 0.1 ms to startup.

use wasmtime::{InstanceAllocationStrategy, PoolingAllocationConfig};

/// The most parts of one component, in `wasmtime`'s terms. Python components have
/// the most parts of all guest languages, and stay far below.
const CORE_INSTANCES: u32 = 50;
const MEMORIES: u32 = 8;
const TABLES: u32 = 20;
/// The largest memory and table that a user pool's limits may allow.
const MAX_MEMORY_BYTES: usize = 1 << 30;
const MAX_TABLE_ELEMENTS: usize = 100_000;
/// The memory that a slot retains from one event to the next. It is cleared, which is
/// less work than returning it to the system. Plugins in compiled languages touch far
/// less; JavaScript touches almost as much.
const RESIDENT_MEMORY_BYTES: usize = 2 << 20;
const RESIDENT_TABLE_BYTES: usize = 4 << 10;

/// Slots for this number of concurrent runs.
pub(super) fn for_runs(runs: u32) -> InstanceAllocationStrategy {
    let mut slots = PoolingAllocationConfig::new();
    slots
        .total_component_instances(runs)
        .total_core_instances(runs.saturating_mul(CORE_INSTANCES))
        .total_memories(runs.saturating_mul(MEMORIES))
        .total_tables(runs.saturating_mul(TABLES))
        .max_core_instances_per_component(CORE_INSTANCES)
        .max_memories_per_component(MEMORIES)
        .max_memories_per_module(MEMORIES)
        .max_tables_per_component(TABLES)
        .max_tables_per_module(TABLES)
        .max_memory_size(MAX_MEMORY_BYTES)
        .table_elements(MAX_TABLE_ELEMENTS)
        .linear_memory_keep_resident(RESIDENT_MEMORY_BYTES)
        .table_keep_resident(RESIDENT_TABLE_BYTES);
    InstanceAllocationStrategy::Pooling(slots)
}
