;; Plugin.NeedsFeature
;; says: exception-handling
(tag $e)
(func $to_item (param i32) (result i32)
  (block $caught
    (try_table (catch $e $caught) (throw $e)))
  (i32.const 0))
