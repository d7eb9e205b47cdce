;; Plugin.Trap
;; says: invalid utf8 encoding
;; One inner component passes text that is not UTF-8 to another.
(component
  (component $reader
    (core module $reader
      (memory (export "memory") 1)
      (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
      (func (export "read") (param i32 i32)))
    (core instance $reader (instantiate $reader))
    (func (export "read") (param "text" string)
      (canon lift (core func $reader "read") (memory $reader "memory")
        (realloc (func $reader "cabi_realloc")))))
  (instance $reader (instantiate $reader))
  (; world ;)
  (component $mapper
    (import "read" (func $read (param "text" string)))
    (core module $memory
      (memory (export "memory") 2)
      (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
      (data (i32.const 0x20) "\ff\fe"))
    (core instance $memory (instantiate $memory))
    (core func $read (canon lower (func $read) (memory $memory "memory")))
    (core module $mapper
      (import "reader" "read" (func $read (param i32 i32)))
      (func (export "to-item") (param i32) (result i32) (call $read (i32.const 0x20) (i32.const 2)) (i32.const 0)))
    (core instance $mapper (instantiate $mapper
      (with "reader" (instance (export "read" (func $read))))))
    (; world ;)
    (func $to-item (type $to-item)
      (canon lift (core func $mapper "to-item") (memory $memory "memory")
        (realloc (func $memory "cabi_realloc"))))
    (instance $mapping (export "to-item" (func $to-item)))
    (export "poolhook:mapper/mapping@0.1.0" (instance $mapping)))
  (instance $mapper (instantiate $mapper
    (with "read" (func $reader "read"))
    (with "poolhook:mapper/types@0.1.0" (instance $types))))
  (alias export $mapper "poolhook:mapper/mapping@0.1.0" (instance $mapping))
  (export "poolhook:mapper/mapping@0.1.0" (instance $mapping)))
