;; Plugin.NeedsFeature
;; says: component-model-error-context
(component (core func (canon error-context.drop)))
