;; Plugin.MalformedOutput
(func $to_item (param i32) (result i32) (i32.const 0))
(data (i32.const 0) "\00\00\00\00" "\07")
