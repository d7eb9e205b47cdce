;; Plugin.NeedsFeature
;; says: stack-switching
(type $f (func))
(type $c (cont $f))
(elem declare func $target)
(func $target (type $f))
(func $to_item (param i32) (result i32)
  (resume $c (cont.new $c (ref.func $target)))
  (i32.const 0))
