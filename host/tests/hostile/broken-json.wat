;; Item.NotJson
(func $to_item (param i32) (result i32) (i32.const 0))
(data (i32.const 8) "\20\00\00\00" "\01\00\00\00")
(data (i32.const 0x20) "\00\02\00\00" "\02\00\00\00" "\08\00\00\00" "\10\02\00\00" "\05\00\00\00")
(data (i32.const 0x200) "id") (data (i32.const 0x210) "[1,2}")
