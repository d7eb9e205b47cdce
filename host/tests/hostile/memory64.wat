;; Plugin.NeedsFeature
;; says: memory64
(memory $large i64 1)
(func $to_item (param i32) (result i32)
  (i32.load $large (i64.const 0)))
