;; Plugin.MalformedOutput
(func $to_item (param i32) (result i32) (i32.const 0))
(data (i32.const 4) "\01\00\00\00" "\20\00\00\00" "\02\00\00\00")
(data (i32.const 0x20) "\ff\fe")
