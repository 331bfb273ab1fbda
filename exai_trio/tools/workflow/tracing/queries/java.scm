(class_declaration name: (_) @name) @class
(record_declaration name: (_) @name) @class
(enum_declaration name: (_) @name) @type
(interface_declaration name: (_) @name) @interface
(annotation_type_declaration name: (_) @name) @interface
(method_declaration name: (_) @name) @function
(constructor_declaration name: (_) @name) @function
(compact_constructor_declaration name: (_) @name) @function
(variable_declarator name: (_) @name value: (lambda_expression)) @function

(method_invocation name: (_) @call)
(method_reference (identifier) @call .)
(object_creation_expression type: [
  (type_identifier) @call
  (scoped_type_identifier) @call
  (generic_type . [(type_identifier) (scoped_type_identifier)] @call)
])

(import_declaration [(identifier) (scoped_identifier)] @import)

[(identifier) (type_identifier)] @use
