;; Plugin.Trap
;; It passes text that is not UTF-8 to its own inner component.
(component
  (component $inner
    (core module $reader
      (memory (export "memory") 1)
      (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
      (func (export "read") (param i32 i32)))
    (core instance $reader (instantiate $reader))
    (func (export "read") (param "text" string)
      (canon lift (core func $reader "read") (memory $reader "memory")
        (realloc (func $reader "cabi_realloc")))))
  (instance $inner (instantiate $inner))
  (core module $memory
    (memory (export "memory") 2)
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
    (data (i32.const 0x20) "\ff\fe"))
  (core instance $memory (instantiate $memory))
  (core func $read (canon lower (func $inner "read") (memory $memory "memory")))
  (core module $mapper
    (import "inner" "read" (func $read (param i32 i32)))
    (func (export "to-item") (param i32) (result i32) (call $read (i32.const 0x20) (i32.const 2)) (i32.const 0)))
  (core instance $mapper (instantiate $mapper
    (with "inner" (instance (export "read" (func $read))))))
  (; world ;)
  (func $to-item (type $to-item)
    (canon lift (core func $mapper "to-item") (memory $memory "memory")
      (realloc (func $memory "cabi_realloc"))))
  (instance $mapping (export "to-item" (func $to-item)))
  (export "poolhook:mapper/mapping@0.1.0" (instance $mapping)))
