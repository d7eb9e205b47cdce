;; Plugin.NeedsFeature
;; says: threads
(memory $shared 1 1 shared)
(func $to_item (param i32) (result i32)
  (i32.atomic.rmw.add $shared (i32.const 0) (i32.const 0)))
