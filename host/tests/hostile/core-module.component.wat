;; Plugin.NotAComponent
(module (func (export "to-item")))
