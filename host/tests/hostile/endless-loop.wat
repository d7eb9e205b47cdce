;; Plugin.FuelLimit
;; limits: time-ms = 1000
(func $to_item (param i32) (result i32) (loop $again (br $again)) (unreachable))
