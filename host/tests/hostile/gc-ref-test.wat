;; Plugin.NeedsFeature
;; says: gc
(type $a (sub (func)))
(type $b (sub final $a (func)))
(elem declare func $target)
(func $target (type $b))
(func $to_item (param i32) (result i32)
  (drop (ref.test (ref $a) (ref.func $target)))
  (i32.const 0))
