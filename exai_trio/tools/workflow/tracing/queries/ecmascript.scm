; What JavaScript and TypeScript have in common.
(function_declaration name: (_) @name) @function
(generator_function_declaration name: (_) @name) @function
(class_declaration name: (_) @name) @class
(method_definition name: (_) @name) @function
(variable_declarator name: (identifier) @name value: [(arrow_function) (function_expression) (generator_function)]) @function
(variable_declarator name: (identifier) @name value: (class)) @class
(pair key: (_) @name value: [(arrow_function) (function_expression) (generator_function)]) @function
(assignment_expression left: [(identifier) (member_expression)] @name right: [(arrow_function) (function_expression) (generator_function)]) @function
(assignment_expression left: [(identifier) (member_expression)] @name right: (class)) @class

(call_expression function: [(identifier) @call (member_expression property: (_) @call)])
(new_expression constructor: [(identifier) @call (member_expression property: (_) @call)])

(import_statement source: (string) @import)
(export_statement source: (string) @import)
(call_expression function: [(identifier) (import)] @_how arguments: (arguments . (string) @import) (#any-of? @_how "require" "import"))

[(identifier) (property_identifier) (shorthand_property_identifier)] @use
