;; Plugin.NeedsFeature
;; says: gc
;; No subtype is declared: a call through a type that could have one is enough.
(type $open (sub (func)))
(type $other (func (param i64)))
(table funcref (elem $target))
(func $target (type $other) (param i64))
(func $to_item (param i32) (result i32)
  (call_indirect (type $open) (i32.const 0))
  (i32.const 0))
