;; Plugin.MemoryLimit
;; limits: memory-bytes = 262_144
(memory 2) (memory 2)
(func $to_item (param i32) (result i32) (i32.const 0))
