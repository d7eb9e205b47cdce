;; Plugin.WrongWorld
(component
  (core module $module (func (export "to-item") (result i32) (i32.const 0)))
  (core instance $instance (instantiate $module))
  (func $to-item (result u32) (canon lift (core func $instance "to-item")))
  (instance $mapping (export "to-item" (func $to-item)))
  (export "poolhook:mapper/mapping@0.1.0" (instance $mapping)))
