//! Machine code that is run where it lies: in this program's own file, or in a mapped one.
//!
//! wasmtime alone would copy the built-in plugins, which takes a part of each cold start.

use std::sync::Arc;

use rustix::mm::{MprotectFlags, mprotect};
use rustix::param::page_size;
use wasmtime::{Config, CustomCodeMemory, Result};

/// Machine code in this program, at the start of a page.
#[repr(C)]
#[cfg_attr(target_arch = "x86_64", repr(align(4096)))]
#[cfg_attr(not(target_arch = "x86_64"), repr(align(65536)))]
pub(super) struct Embedded<T: ?Sized = [u8]>(pub(super) T);

/// Makes the engine run code where it lies.
pub(super) fn in_place(config: &mut Config) {
    config.with_custom_code_memory(Some(Arc::new(InPlace)));
}

struct InPlace;

impl CustomCodeMemory for InPlace {
    fn required_alignment(&self) -> usize {
        page_size()
    }

    fn publish_executable(&self, start: *const u8, bytes: usize) -> Result<()> {
        let flags = MprotectFlags::READ | MprotectFlags::EXEC;
        #[expect(unsafe_code, reason = "making code executable has no safe way")]
        // SAFETY: wasmtime passes whole pages of an artifact, and nothing writes to them
        // any more: they are in this program's file or in a mapping of wasmtime's.
        unsafe { mprotect(start.cast_mut().cast(), bytes, flags) }?;
        Ok(())
    }

    /// A mapping goes away next. The code in this program stays: other engines run it.
    fn unpublish_executable(&self, _: *const u8, _: usize) -> Result<()> {
        Ok(())
    }
}
