; Functions that a call wraps: memo(() => …), forwardRef(function F() {…}). Named as what holds the result.
; Outside of all functions by any call but those that use a function up; inside by known wrappers alone, since others run it there.
(program [
  (lexical_declaration (variable_declarator name: (identifier) @name value: (call_expression function: (_) @_how arguments: (arguments [(arrow_function) (function_expression) (generator_function)] @function))))
  (variable_declaration (variable_declarator name: (identifier) @name value: (call_expression function: (_) @_how arguments: (arguments [(arrow_function) (function_expression) (generator_function)] @function))))
  (export_statement (lexical_declaration (variable_declarator name: (identifier) @name value: (call_expression function: (_) @_how arguments: (arguments [(arrow_function) (function_expression) (generator_function)] @function)))))
  (expression_statement (assignment_expression left: [(identifier) (member_expression)] @name right: (call_expression function: (_) @_how arguments: (arguments [(arrow_function) (function_expression) (generator_function)] @function))))
] (#not-match? @_how "(^|\\.)(map|flatMap|filter|reduce|reduceRight|forEach|find|findLast|findIndex|some|every|sort|toSorted|replace|replaceAll|from|then|catch|finally|setTimeout|setInterval|setImmediate|queueMicrotask|requestAnimationFrame)$"))

(variable_declarator name: (identifier) @name value: (call_expression function: (_) @_how arguments: (arguments [(arrow_function) (function_expression) (generator_function)] @function))
  (#match? @_how "(^|\\.)(memo|memoize|forwardRef|observer|lazy|useCallback|useEvent|useEffectEvent|useMemoizedFn|debounce|throttle|once|curry|partial|wrap[A-Za-z]*|with[A-Z][A-Za-z]*)$"))
(variable_declarator name: (identifier) @name value: (call_expression arguments: (arguments (call_expression function: (_) @_how arguments: (arguments [(arrow_function) (function_expression) (generator_function)] @function))))
  (#match? @_how "(^|\\.)(memo|memoize|forwardRef|observer|lazy|useCallback|useEvent|useEffectEvent|useMemoizedFn|debounce|throttle|once|curry|partial|wrap[A-Za-z]*|with[A-Z][A-Za-z]*)$"))
(pair key: (_) @name value: (call_expression function: (_) @_how arguments: (arguments [(arrow_function) (function_expression) (generator_function)] @function))
  (#match? @_how "(^|\\.)(memo|memoize|forwardRef|observer|lazy|useCallback|useEvent|useEffectEvent|useMemoizedFn|debounce|throttle|once|curry|partial|wrap[A-Za-z]*|with[A-Z][A-Za-z]*)$"))

; With a name of its own.
(program [
  (export_statement value: (call_expression arguments: (arguments (function_expression name: (_) @name) @function)))
  (export_statement value: (call_expression arguments: (arguments (call_expression arguments: (arguments (function_expression name: (_) @name) @function)))))
  (expression_statement (call_expression arguments: (arguments (function_expression name: (_) @name) @function)))
])
