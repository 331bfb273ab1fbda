(function_item name: (_) @name) @function
(struct_item name: (_) @name) @type
(enum_item name: (_) @name) @type
(union_item name: (_) @name) @type
(type_item name: (_) @name) @type
(trait_item name: (_) @name) @interface
(mod_item name: (_) @name body: (_)) @namespace
(macro_definition name: (_) @name) @macro
(impl_item type: [
  (type_identifier) @name
  (scoped_type_identifier name: (_) @name)
  (generic_type type: [(type_identifier) @name (scoped_type_identifier name: (_) @name)])
]) @scope
(let_declaration pattern: (identifier) @name value: (closure_expression)) @function

(call_expression function: [
  (identifier) @call
  (scoped_identifier name: (_) @call)
  (field_expression field: (_) @call)
  (generic_function function: [(identifier) @call (scoped_identifier name: (_) @call) (field_expression field: (_) @call)])
])
(macro_invocation macro: [(identifier) @call (scoped_identifier name: (_) @call)])
; Within a macro there are only tokens: a name before a round bracket is called, most likely.
(token_tree (identifier) @call . (token_tree . "("))

(use_declaration argument: (_) @import)
(extern_crate_declaration name: (_) @import)
(mod_item name: (_) @import !body)

[(identifier) (type_identifier) (field_identifier)] @use
