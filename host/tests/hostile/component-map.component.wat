;; Plugin.NeedsFeature
;; says: component-model-map
(component (type (map string string)))
