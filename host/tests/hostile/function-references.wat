;; Plugin.NeedsFeature
;; says: function-references
(type $f (func (result i32)))
(elem declare func $target)
(func $target (type $f) (i32.const 0))
(func $to_item (param i32) (result i32)
  (call_ref $f (ref.func $target)))
