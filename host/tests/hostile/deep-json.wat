;; Item.NestedTooDeep
(func $to_item (param i32) (result i32)
  (memory.fill (i32.const 0x210) (i32.const 0x5b) (i32.const 40)) ;; [ 40 times
  (memory.fill (i32.const 0x238) (i32.const 0x5d) (i32.const 40)) ;; ] 40 times
  (i32.const 0))
(data (i32.const 8) "\20\00\00\00" "\01\00\00\00")
(data (i32.const 0x20) "\00\02\00\00" "\02\00\00\00" "\08\00\00\00" "\10\02\00\00" "\50\00\00\00")
(data (i32.const 0x200) "id")
