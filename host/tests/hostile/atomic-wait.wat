;; Plugin.NeedsFeature
;; says: threads
(memory $shared 1 1 shared)
(func $to_item (param i32) (result i32)
  (memory.atomic.wait32 $shared (i32.const 0) (i32.const 0) (i64.const -1)))
