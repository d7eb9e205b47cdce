;; Plugin.NeedsFeature
;; says: gc
(rec (type $a (func)) (type $b (func)))
(table funcref (elem $target))
(func $target (type $b))
(func $to_item (param i32) (result i32)
  (call_indirect (type $a) (i32.const 0))
  (i32.const 0))
