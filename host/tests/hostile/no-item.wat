;; Item.KeyMissing
(func $to_item (param i32) (result i32) (i32.const 0))
(data (i32.const 8) "\20\00\00\00" "\00\00\00\00")

