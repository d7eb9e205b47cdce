;; Plugin.NeedsFeature
;; says: gc
(type $pair (struct (field i32) (field i32)))
(func $to_item (param i32) (result i32)
  (struct.get $pair 0 (struct.new_default $pair)))
