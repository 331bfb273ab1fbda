(method name: (_) @name) @function
(singleton_method name: (_) @name) @function
(class name: (_) @name) @class
(module name: (_) @name) @namespace
(assignment left: [(identifier) (constant)] @name right: (lambda)) @function
(call method: (identifier) @_how arguments: (argument_list . (simple_symbol) @name) (#eq? @_how "define_method")) @function

(call method: (_) @call)
(call receiver: [(constant) (scope_resolution)] @call method: (identifier) @_how (#eq? @_how "new"))
; A name that is no variable is a call without brackets.
(identifier) @bare
(method_parameters (identifier) @bound)
(block_parameters (identifier) @bound)
(lambda_parameters (identifier) @bound)
(destructured_parameter (identifier) @bound)
(optional_parameter name: (_) @bound)
(keyword_parameter name: (_) @bound)
(splat_parameter name: (_) @bound)
(hash_splat_parameter name: (_) @bound)
(block_parameter name: (_) @bound)
(assignment left: (identifier) @bound)
(operator_assignment left: (identifier) @bound)
(left_assignment_list (identifier) @bound)
(rest_assignment (identifier) @bound)
(exception_variable (identifier) @bound)
(for pattern: (identifier) @bound)

(call method: (identifier) @_how arguments: (argument_list . (string) @import) (#any-of? @_how "require" "require_relative" "load"))

(constant) @use
(assignment left: [(identifier) (constant)] @name right: (call method: (identifier) @_how block: (_)) @function (#any-of? @_how "lambda" "proc"))
