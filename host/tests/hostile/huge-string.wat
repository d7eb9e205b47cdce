;; Plugin.OutputLimit
(func $to_item (param i32) (result i32)
  (drop (memory.grow (i32.const 300)))
  (i32.store8 (i32.const 4) (i32.const 1)) ;; skip, for 16 MiB of reasons
  (i32.store (i32.const 12) (i32.const 16777216))
  (i32.const 0))
