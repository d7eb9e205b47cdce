//! Memory for one event: the global allocator of a plugin that depends on this crate.
//!
//! The instance ends with the event, so nothing is freed. The memory is what the module's
//! last page has left behind its data, because growing the memory costs more than the
//! mapping itself.
#![cfg(target_arch = "wasm32")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

const PAGE: usize = 64 << 10;

#[global_allocator]
static HEAP: Heap = Heap {
    next: Cell::new(0),
    end: Cell::new(0),
};

struct Heap {
    /// The first free byte; 0 before the first allocation.
    next: Cell<usize>,
    end: Cell<usize>,
}

unsafe extern "C" {
    /// The first byte behind the stack and the data. The linker sets its address.
    static __heap_base: u8;
}

// SAFETY: a component has one thread.
unsafe impl Sync for Heap {}

impl Heap {
    /// The address of a piece of the page; `None` if it does not fit.
    fn take(&self, layout: Layout) -> Option<usize> {
        if self.next.get() == 0 {
            self.next.set((&raw const __heap_base).addr());
            // The system's allocator uses the pages that it adds.
            self.end.set(core::arch::wasm32::memory_size(0) * PAGE);
        }
        let begin = self.next.get().checked_next_multiple_of(layout.align())?;
        let end = begin.checked_add(layout.size())?;
        (end <= self.end.get()).then(|| self.next.set(end))?;
        Some(begin)
    }
}

// SAFETY: each allocation starts where the last one ended and lies behind the data, in the
// page that the linker has left free; what does not fit is the system allocator's.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match self.take(layout) {
            Some(begin) => (&raw const __heap_base).with_addr(begin).cast_mut(),
            // SAFETY: the caller upholds the same contract.
            None => unsafe { System.alloc(layout) },
        }
    }

    unsafe fn dealloc(&self, piece: *mut u8, layout: Layout) {
        if piece.addr() >= self.end.get() {
            // SAFETY: it is behind the first pages, so the system's allocator returned it.
            unsafe { System.dealloc(piece, layout) }
        }
    }
}
