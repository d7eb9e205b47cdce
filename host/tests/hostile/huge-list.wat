;; Plugin.OutputLimit
(func $to_item (param i32) (result i32)
  (drop (memory.grow (i32.const 300)))
  (i32.store (i32.const 8) (i32.const 131072))
  (i32.store (i32.const 12) (i32.const 500000))
  (i32.const 0))
