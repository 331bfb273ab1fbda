(abstract_class_declaration name: (_) @name) @class
(interface_declaration name: (_) @name) @interface
(enum_declaration name: (_) @name) @type
(type_alias_declaration name: (_) @name) @type
(internal_module name: (_) @name) @namespace
(module name: (_) @name) @namespace
(public_field_definition name: (_) @name value: [(arrow_function) (function_expression) (generator_function)]) @function

(import_require_clause source: (string) @import)

(type_identifier) @use
(public_field_definition name: (_) @name value: (call_expression function: (_) @_how arguments: (arguments [(arrow_function) (function_expression) (generator_function)] @function))
  (#match? @_how "(^|\\.)(memoize|debounce|throttle|once|wrap[A-Za-z]*|with[A-Z][A-Za-z]*)$"))
(variable_declarator name: (identifier) @name value: [
  (as_expression (call_expression function: (_) @_how arguments: (arguments [(arrow_function) (function_expression) (generator_function)] @function)))
  (satisfies_expression (call_expression function: (_) @_how arguments: (arguments [(arrow_function) (function_expression) (generator_function)] @function)))
] (#match? @_how "(^|\\.)(memo|memoize|forwardRef|observer|lazy|useCallback|debounce|throttle|once|wrap[A-Za-z]*|with[A-Z][A-Za-z]*)$"))
