(function_declaration name: (_) @name) @function
(method_declaration receiver: (parameter_list (parameter_declaration type: [
    (type_identifier) @owner
    (generic_type type: (type_identifier) @owner)
    (pointer_type [(type_identifier) @owner (generic_type type: (type_identifier) @owner)])
  ])) name: (_) @name) @function
(type_spec name: (_) @name) @type
(short_var_declaration left: (expression_list . (identifier) @name .) right: (expression_list . (func_literal) .)) @function
(var_spec name: (identifier) @name value: (expression_list . (func_literal) .)) @function

(call_expression function: [
  (identifier) @call
  (selector_expression field: (_) @call)
  (index_expression operand: [(identifier) @call (selector_expression field: (_) @call)])
])
(type_conversion_expression type: (generic_type type: (type_identifier) @call))

(import_spec path: (_) @import)

[(identifier) (type_identifier) (field_identifier)] @use
(var_spec name: (identifier) @name value: (expression_list . (call_expression arguments: (argument_list (func_literal) @function)) .))
