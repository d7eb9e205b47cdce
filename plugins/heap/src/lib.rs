//! Memory for one event: the global allocator of a plugin that depends on this crate.
//!
//! The instance ends with the event, so nothing is freed. The memory is part of the
//! module's data, because growing the memory costs more than the mapping itself.
#![cfg(target_arch = "wasm32")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::{Cell, UnsafeCell};

/// Enough for most users. Allocations that do not fit use the system's allocator.
const BYTES: usize = 24 << 10;

#[global_allocator]
static HEAP: Heap = Heap {
    used: Cell::new(0),
    room: UnsafeCell::new([0; BYTES]),
};

struct Heap {
    used: Cell<usize>,
    room: UnsafeCell<[u8; BYTES]>,
}

// SAFETY: a component has one thread.
unsafe impl Sync for Heap {}

// SAFETY: each allocation starts where the last one ended and lies inside `room`;
// allocations that do not fit are the system allocator's.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let room = self.room.get().cast::<u8>();
        let free = room.wrapping_add(self.used.get());
        let begin = self.used.get() + free.align_offset(layout.align());
        match begin.checked_add(layout.size()) {
            Some(end) if end <= BYTES => {
                self.used.set(end);
                room.wrapping_add(begin)
            }
            // SAFETY: the caller upholds the same contract.
            _ => unsafe { System.alloc(layout) },
        }
    }

    unsafe fn dealloc(&self, piece: *mut u8, layout: Layout) {
        let room = self.room.get().cast::<u8>();
        if !(room..room.wrapping_add(BYTES)).contains(&piece) {
            // SAFETY: it is outside `room`, so the system's allocator returned it.
            unsafe { System.dealloc(piece, layout) }
        }
    }
}
