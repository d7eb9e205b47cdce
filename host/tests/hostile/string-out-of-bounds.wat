;; Plugin.MalformedOutput
(func $to_item (param i32) (result i32) (i32.const 0))
(data (i32.const 4) "\01\00\00\00" "\f0\ff\ff\7f" "\10\00\00\00")
