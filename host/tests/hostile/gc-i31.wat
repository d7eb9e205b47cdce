;; Plugin.NeedsFeature
;; says: gc
(func $to_item (param i32) (result i32)
  (i31.get_u (ref.i31 (i32.const 0))))
