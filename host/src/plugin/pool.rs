//! Where instances live: in slots made at the start, which makes a fresh
//! instance twice as fast as on demand and costs the start some 0.1 ms.

use wasmtime::{InstanceAllocationStrategy, PoolingAllocationConfig};

/// What one component may be made of, as `wasmtime` names it. Python, the guest
/// language with the most parts, stays far below.
const CORE_INSTANCES: u32 = 50;
const MEMORIES: u32 = 8;
const TABLES: u32 = 20;
/// The largest memory and table that a pool's limits may allow.
const MAX_MEMORY_BYTES: usize = 1 << 30;
const MAX_TABLE_ELEMENTS: usize = 100_000;
/// What a slot keeps, cleared by hand, from one event to the next: less work
/// than giving it back to the system. What plugins in compiled languages touch
/// is far below, JavaScript just so.
const KEPT_MEMORY_BYTES: usize = 2 << 20;
const KEPT_TABLE_BYTES: usize = 4 << 10;

/// Slots for this many runs at once.
pub(super) fn of_slots(runs: u32) -> InstanceAllocationStrategy {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(runs)
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
        .linear_memory_keep_resident(KEPT_MEMORY_BYTES)
        .table_keep_resident(KEPT_TABLE_BYTES);
    InstanceAllocationStrategy::Pooling(pool)
}
