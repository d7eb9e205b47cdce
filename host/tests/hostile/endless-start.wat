;; Plugin.FuelLimit
;; limits: time-ms = 1000
(func $to_item (param i32) (result i32) (i32.const 0))
(func $start (loop $again (br $again)))
(start $start)
