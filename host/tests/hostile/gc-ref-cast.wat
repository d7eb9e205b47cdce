;; Plugin.NeedsFeature
;; says: gc
(type $a (sub (func)))
(type $b (sub final $a (func)))
(table $functions 1 funcref (ref.func $target))
(func $target (type $a))
(func $to_item (param i32) (result i32)
  (drop (ref.cast (ref $b) (table.get $functions (i32.const 0))))
  (i32.const 0))
