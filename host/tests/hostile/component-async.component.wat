;; Plugin.NeedsFeature
;; says: component-model-async
(component (import "f" (func async)))
