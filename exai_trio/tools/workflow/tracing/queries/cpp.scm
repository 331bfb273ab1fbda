; Beside what C has.
(function_definition declarator: (reference_declarator (function_declarator declarator: (_) @name))) @function
(function_definition declarator: (operator_cast) @name) @function
(class_specifier name: (_) @name body: (_)) @class
(namespace_definition name: (_) @name) @namespace
(alias_declaration name: (_) @name) @type
(concept_definition name: (_) @name) @type
(init_declarator declarator: (identifier) @name value: (lambda_expression)) @function

(call_expression function: [
  (qualified_identifier) @call
  (template_function name: (_) @call)
  (field_expression field: [(template_method name: (_) @call) (dependent_name (template_method name: (_) @call)) (qualified_identifier) @call (destructor_name) @call])
])
(new_expression type: [(type_identifier) @call (template_type name: (_) @call) (qualified_identifier) @call])
