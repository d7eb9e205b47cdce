;; Plugin.OutputLimit
(func $to_item (param i32) (result i32)
  (drop (memory.grow (i32.const 300)))
  (call $log (i32.const 1) (i32.const 0) (i32.const 16777216))
  (unreachable))
