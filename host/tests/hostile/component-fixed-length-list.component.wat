;; Plugin.NeedsFeature
;; says: component-model-fixed-length-lists
(component (type (list u8 4)))
