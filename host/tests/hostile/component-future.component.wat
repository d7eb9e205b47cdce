;; Plugin.NeedsFeature
;; says: component-model-async
(component (type (future string)))
