;; Plugin.WrongWorld
(component)
