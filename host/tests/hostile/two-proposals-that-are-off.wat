;; Plugin.NeedsFeature
;; says: threads, memory64
(memory $shared 1 1 shared)
(memory $large i64 1)
(func $to_item (param i32) (result i32)
  (i32.add
    (i32.atomic.load $shared (i32.const 0))
    (i32.load $large (i64.const 0))))
