;; Plugin.NeedsFeature
;; says: gc-types
(table $references 1 externref)
(func $to_item (param i32) (result i32)
  (ref.is_null (table.get $references (i32.const 0))))
