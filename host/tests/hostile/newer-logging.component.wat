;; Plugin.WrongWorld
(component
  (import "poolhook:mapper/logging@0.2.0"
    (instance (export "log" (func (param "message" string)))))
  (instance $mapping)
  (export "poolhook:mapper/mapping@0.1.0" (instance $mapping)))
