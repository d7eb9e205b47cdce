;; Plugin.TimeLimit
;; limits: fuel = 10_000_000_000, time-ms = 50
(func $to_item (param i32) (result i32) (loop $again (br $again)) (unreachable))
