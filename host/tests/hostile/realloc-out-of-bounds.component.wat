;; Plugin.MalformedOutput
;; The memory that it gives the host for the event ends beyond its own.
(component
  (core module $mapper
    (memory (export "memory") 2)
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 0x7ffffff0))
    (func (export "to-item") (param i32) (result i32) (i32.const 0)))
  (core instance $mapper (instantiate $mapper))
  (; world ;)
  (func $to-item (type $to-item)
    (canon lift (core func $mapper "to-item") (memory $mapper "memory")
      (realloc (func $mapper "cabi_realloc"))))
  (instance $mapping (export "to-item" (func $to-item)))
  (export "poolhook:mapper/mapping@0.1.0" (instance $mapping)))
