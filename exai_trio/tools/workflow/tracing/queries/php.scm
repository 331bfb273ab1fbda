(function_definition name: (_) @name) @function
(method_declaration name: (_) @name) @function
(class_declaration name: (_) @name) @class
(trait_declaration name: (_) @name) @class
(enum_declaration name: (_) @name) @type
(interface_declaration name: (_) @name) @interface
(namespace_definition name: (_) @name body: (_)) @namespace
(namespace_definition name: (_) @name !body) @rest
(assignment_expression left: (variable_name (name) @name) right: [(anonymous_function) (arrow_function)]) @function

(function_call_expression function: [(name) @call (qualified_name) @call (variable_name (name) @call)])
(member_call_expression name: (name) @call)
(nullsafe_member_call_expression name: (name) @call)
(scoped_call_expression name: (name) @call)
(object_creation_expression [(name) (qualified_name)] @call)

(namespace_use_clause . [(name) (qualified_name)] @import)
(require_expression [(string) (encapsed_string)] @import)
(require_once_expression [(string) (encapsed_string)] @import)
(include_expression [(string) (encapsed_string)] @import)
(include_once_expression [(string) (encapsed_string)] @import)

(name) @use
