;; Plugin.NeedsFeature
;; says: memory64
(table $large i64 1 funcref)
(func $to_item (param i32) (result i32)
  (ref.is_null (table.get $large (i64.const 0))))
