;; Plugin.NeedsFeature
;; says: gc
;; Any sample user would pass; `z` as the first letter of the user's name would not.
(type $a (sub (func)))
(type $b (sub final $a (func)))
(table funcref (elem $target))
(func $target (type $a))
(func $to_item (param $user i32) (result i32)
  (if (i32.eq (i32.load8_u (i32.load offset=28 (local.get $user))) (i32.const 122))
    (then (call_indirect (type $b) (i32.const 0))))
  (i32.const 0))
