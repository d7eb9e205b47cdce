;; Plugin.MalformedOutput
;; The message of a log line is not UTF-8.
(data (i32.const 0x20) "\ff\fe")
(func $to_item (param i32) (result i32)
  (call $log (i32.const 1) (i32.const 0x20) (i32.const 2))
  (i32.const 0))
