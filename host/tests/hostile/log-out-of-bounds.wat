;; Plugin.Trap
;; The message of a log line ends beyond its memory.
(func $to_item (param i32) (result i32)
  (call $log (i32.const 1) (i32.const 0x7ffffff0) (i32.const 16))
  (i32.const 0))
