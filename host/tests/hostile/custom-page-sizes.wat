;; Plugin.NeedsFeature
;; says: custom-page-sizes
(memory $small 1 1 (pagesize 1))
(func $to_item (param i32) (result i32)
  (i32.load8_u $small (i32.const 0)))
