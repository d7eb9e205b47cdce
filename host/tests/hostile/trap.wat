;; Plugin.Trap
(func $to_item (param i32) (result i32) (unreachable))
