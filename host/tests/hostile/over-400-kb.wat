;; Item.TooLarge
(func $to_item (param i32) (result i32) (drop (memory.grow (i32.const 10))) (i32.const 0))
(data (i32.const 8) "\20\00\00\00" "\01\00\00\00")
(data (i32.const 0x20) "\00\02\00\00" "\02\00\00\00" "\00\00\00\00" "\00\00\04\00" "\00\40\06\00") ;; 409,600 bytes
(data (i32.const 0x200) "id")
