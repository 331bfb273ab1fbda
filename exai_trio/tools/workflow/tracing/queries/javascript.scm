(field_definition property: (_) @name value: [(arrow_function) (function_expression) (generator_function)]) @function
(field_definition property: (_) @name value: (call_expression function: (_) @_how arguments: (arguments [(arrow_function) (function_expression) (generator_function)] @function))
  (#match? @_how "(^|\\.)(memoize|debounce|throttle|once|wrap[A-Za-z]*|with[A-Z][A-Za-z]*)$"))
