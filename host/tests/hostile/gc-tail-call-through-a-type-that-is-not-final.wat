;; Plugin.NeedsFeature
;; says: gc
(type $open (sub (func (result i32))))
(table funcref (elem $target))
(func $target (param i64))
(func $to_item (param i32) (result i32)
  (return_call_indirect (type $open) (i32.const 0)))
