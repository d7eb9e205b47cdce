;; Plugin.OutputLimit
(func $to_item (param i32) (result i32)
  (local $field i32)
  (drop (memory.grow (i32.const 20)))
  (local.set $field (i32.const 131072))
  (loop $again
    (i32.store offset=12 (local.get $field) (i32.const 200000))
    (i32.store offset=16 (local.get $field) (i32.const 500000))
    (local.set $field (i32.add (local.get $field) (i32.const 20)))
    (br_if $again (i32.lt_u (local.get $field) (i32.const 151072))))
  (i32.store (i32.const 8) (i32.const 131072))
  (i32.store (i32.const 12) (i32.const 1000))
  (i32.const 0))
