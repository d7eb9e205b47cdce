;; Plugin.MalformedOutput
;; The same in the encoding that is Latin-1 or UTF-16, as the length says.
(component
  (core module $mapper
    (memory (export "memory") 2)
    (global $heap (mut i32) (i32.const 65536))
    (func (export "cabi_realloc") (param i32 i32 i32) (param $size i32) (result i32)
      (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $heap) (i32.const 7)) (i32.const -8)))
      (global.set $heap (i32.add (local.get $at) (local.get $size)))
      (local.get $at))
    (func (export "to-item") (param i32) (result i32) (i32.const 0))
    (data (i32.const 8) "\20\00\00\00" "\01\00\00\00")
    (data (i32.const 0x20) "\00\02\00\00" "\01\00\00\80" "\04\00\00\00")
    (data (i32.const 0x200) "\00\d8"))
  (core instance $mapper (instantiate $mapper))
  (; world ;)
  (func $to-item (type $to-item)
    (canon lift (core func $mapper "to-item") (memory $mapper "memory")
      (realloc (func $mapper "cabi_realloc")) string-encoding=latin1+utf16))
  (instance $mapping (export "to-item" (func $to-item)))
  (export "poolhook:mapper/mapping@0.1.0" (instance $mapping)))
