;; Plugin.NeedsFeature
;; says: gc
(component
  (component
    (core module
      (type $a (sub (func)))
      (type $b (sub final $a (func))))))
