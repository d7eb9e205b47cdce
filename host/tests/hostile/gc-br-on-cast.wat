;; Plugin.NeedsFeature
;; says: gc
(type $a (sub (func)))
(type $b (sub final $a (func)))
(elem declare func $target)
(func $target (type $b))
(func $to_item (param i32) (result i32)
  (block $is (result (ref $b))
    (drop (br_on_cast $is (ref func) (ref $b) (ref.func $target)))
    (return (i32.const 0)))
  (drop)
  (i32.const 0))
