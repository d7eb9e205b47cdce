;; Plugin.Refused
(func $to_item (param i32) (result i32) (i32.const 0))
(data (i32.const 0) "\01\00\00\00" "\20\00\00\00" "\0b\00\00\00")
(data (i32.const 0x20) "not my user")
