;; Plugin.WrongWorld
(component
  (instance $mapping)
  (export "poolhook:mapper/mapping@0.2.0" (instance $mapping)))
