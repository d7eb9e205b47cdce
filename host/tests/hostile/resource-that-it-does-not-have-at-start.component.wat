;; Plugin.Trap
;; says: unknown handle index 7
;; It drops a resource that it does not have as soon as it is instantiated.
(component
  (type $resource (resource (rep i32)))
  (core func $drop (canon resource.drop $resource))
  (core module $mapper
    (import "resource" "drop" (func $drop (param i32)))
    (memory (export "memory") 2)
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
    (func $start (call $drop (i32.const 7)))
    (start $start)
    (func (export "to-item") (param i32) (result i32) (i32.const 0)))
  (core instance $mapper (instantiate $mapper
    (with "resource" (instance (export "drop" (func $drop))))))
  (; world ;)
  (func $to-item (type $to-item)
    (canon lift (core func $mapper "to-item") (memory $mapper "memory")
      (realloc (func $mapper "cabi_realloc"))))
  (instance $mapping (export "to-item" (func $to-item)))
  (export "poolhook:mapper/mapping@0.1.0" (instance $mapping)))
